"""A site with three healers, one of them open; and servers that end with the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.files import event, write_healers


def make_site(path: Path) -> Path:
    """A state root and an audit log below ``path``."""
    write_healers(path / "state", 3)
    (path / "audit.jsonl").write_bytes(event(1_764_000_000.0, 1, "healer-0001"))
    trip(path, "healer-0001")
    return path


def trip(site: Path, healer: str) -> None:
    """Open a breaker of ``healer``, as a healer does."""
    breaker = site / "state" / healer / "cb" / "restart_worker"
    draft = breaker.with_name(".draft")
    draft.write_text(f"3 {2**31 // 2} 3 600 open {2**31}\n", encoding="ascii")
    draft.replace(breaker)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site of the test's own."""
    return make_site(tmp_path)
