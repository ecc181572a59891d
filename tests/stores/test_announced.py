"""A healer of the catalog that never ran is shown: its absence is what has to be seen."""

from __future__ import annotations

import time
from pathlib import Path

from healconsole.core.explain import explain, sentence
from healconsole.core.hostdoc import healer_line
from healconsole.core.hostread import read_healer_line
from healconsole.core.nagios import State, assess
from healconsole.core.status import status_object
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
    says = sentence(explain(snapshot.healers[0], snapshot, None, time.time()), time.time())
    root = tmp_path / "state"
    assert says == (
        f"whether it would act cannot be told: no state directory of it is seen below {root}"
    )


def test_one_that_runs_with_its_state_elsewhere_is_unknown_and_not_ok(tmp_path: Path) -> None:
    now = time.time()
    for folder in ("state", "textfile"):
        (tmp_path / folder).mkdir()
    catalog = tmp_path / "healers.d"
    catalog.mkdir(mode=0o700)
    (catalog / "queue.toml").write_text('command = ["/bin/true"]\ninterval = 60\n')
    (tmp_path / "textfile" / "heal_queue.prom").write_text(
        f'heal_last_cycle_timestamp_seconds{{healer="queue"}} {int(now)}\n'
    )
    flags = {
        "state_root": str(tmp_path / "state"),
        "audit": str(tmp_path / "audit.jsonl"),
        "catalog": str(catalog),
        "textfile_dir": str(tmp_path / "textfile"),
    }
    snapshot = read_once(load_config(flags, {}), lambda: now)
    (healer,) = snapshot.healers
    for seen in (healer, read_healer_line(healer_line(healer, now), "web-07")):
        row = healer_row(seen, now, Thresholds())
        assert (row.word, row.beat_stale) == ("unknown", False)
        where = f"no state directory of it is seen below {tmp_path / 'state'}"
        assert row.problem == f"it ran, and {where}"
        verdict = explain(seen, snapshot, "restart", now)
        assert not verdict.allow
        assert sentence(verdict, now) == f"whether it would act cannot be told: {where}"
    answer = assess(snapshot, now)
    assert answer.state is State.UNKNOWN
    assert "0 of 1 healer ok" in answer.line
    assert "'queue circuits'=U" in answer.line
    assert "'queue tokens'=U" in answer.line
    (told,) = status_object(snapshot, now)["healers"]
    assert (told["breakers"], told["buckets"]) == (None, None)
