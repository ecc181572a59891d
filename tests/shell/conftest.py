"""Fixtures of heal.sh's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shell.bashes import ShellSite


@pytest.fixture
def site(tmp_path: Path) -> ShellSite:
    """A site of the test's own, its clock at noon and its limits wide."""
    return ShellSite(tmp_path)
