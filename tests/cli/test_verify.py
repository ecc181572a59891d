"""``verify`` tells what it covered, and why it did not cover the rest."""

from __future__ import annotations

from pathlib import Path

from tests.cli.program import Site
from tests.report.events import legacy_line


def test_a_line_without_a_hash_is_told_with_its_reason(tmp_path: Path) -> None:
    site = Site(tmp_path, 1_764_000_000)
    site.audit.write_bytes(legacy_line(site.now, "success"))
    said = site.run("verify").stdout
    assert "0 events in 1 file, 1 line unchained (without a hash: of the older heal.sh" in said
    assert "not covered" in said
