"""Fixtures of the engine's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.sites import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site of the test's own."""
    return Site(tmp_path)
