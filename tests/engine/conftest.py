"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.healers import Program
from tests.engine.sites import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site of the test's own."""
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture
def program(site: Site) -> Iterator[Program]:
    """A healer's program on the site; what of it still runs is ended with the test."""
    program = Program(site)
    yield program
    program.end()
