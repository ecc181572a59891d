"""A healer of the catalog that never ran is shown: its absence is what has to be seen."""

from __future__ import annotations

import time
from pathlib import Path

from healconsole.core.view import Thresholds, healer_row
from healconsole.stores.config import load_config
from healconsole.stores.look import read_once


def test_a_healer_without_a_directory_is_listed_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "state" / "zeta" / "cb").mkdir(parents=True)
    catalog = tmp_path / "healers.d"
    catalog.mkdir(mode=0o700)
    (catalog / "announced.toml").write_text('command = ["/bin/true"]\ninterval = 60\n')
    flags = {
        "state_root": str(tmp_path / "state"),
        "audit": str(tmp_path / "audit.jsonl"),
        "catalog": str(catalog),
    }
    snapshot = read_once(load_config(flags, {}), time.time)
    assert [healer.name for healer in snapshot.healers] == ["announced", "zeta"]
    row = healer_row(snapshot.healers[0], time.time(), Thresholds())
    assert row.beat_age is None
    assert snapshot.healers[0].catalog is not None
