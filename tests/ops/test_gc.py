"""``healconsole gc``: what has served goes, what may deny yet stays, running healers act once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core.aging import UNCERTAIN_AGE, marker_served, retention
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.marker import denies_until, format_marker
from healconsole.core.records import Corrupt, MarkerRecord, Policy
from healconsole.stores.aging import Aged, age_healer
from healconsole.stores.layout import prepare
from tests.cli.program import Site as Host
from tests.cli.program import cycle
from tests.engine.sites import OPEN_POLICY, Site, race
from tests.shell.bashes import ShellSite

DAY = 86_400


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """One healer on our library, with nothing in it yet."""
    site = Host(tmp_path, int(time.time()))
    prepare(site.state / "h", site.now)
    site.write("h/cycle.json", cycle(site.now))
    site.audit.touch()
    return site


def marker(host: Host, age: int, intent: str = "fix", bucket: int = 300, **more: str) -> str:
    """Leave a marker ``age`` seconds old; return its path relative to the healer."""
    at = host.now - age
    key = marker_key(intent, bucket_number(at, bucket))
    path = f"{more.get('folder', 'keys')}/{key}"
    host.write(f"h/{path}", format_marker(MarkerRecord(key, at, intent, "fix", 1, "success")))
    os.utime(host.state / "h" / path, (at, at))
    return path


def files(host: Host) -> set[str]:
    top = host.state / "h"
    return {str(path.relative_to(top)) for path in top.rglob("*") if not path.is_dir()}


def aged(host: Host, age: int = DAY, declared: Policy | None = None) -> Aged:
    return age_healer(host.state, "h", declared, age, time.time, dry_run=False)


def test_old_markers_go_and_young_ones_stay(host: Host) -> None:
    old, young = marker(host, 2 * DAY), marker(host, 3_600)
    done = host.run("gc")
    assert (done.returncode, done.stdout) == (0, "h: removed 1, kept 1\n")
    assert old not in files(host)
    assert young in files(host)


def test_dry_run_lists_and_touches_nothing(host: Host) -> None:
    old = marker(host, 2 * DAY)
    (host.state / "h" / ".guard").unlink()
    before = {path: (host.state / "h" / path).stat().st_mtime_ns for path in files(host)}
    done = host.run("gc", "--dry-run")
    assert (done.returncode, done.stdout) == (0, f"h: would remove 1, kept 0\n  {old}\n")
    assert {path: (host.state / "h" / path).stat().st_mtime_ns for path in files(host)} == before


def test_whatever_the_age_a_marker_stays_for_two_buckets_and_an_act(host: Host) -> None:
    keep = 600 + Policy().probe_lease
    young, old = marker(host, keep - 20), marker(host, keep + 20, intent="other")
    assert host.json("gc", "--age", "0")["healers"] == [
        {"name": "h", "removed": [old], "kept": 1, "strange": [], "problem": ""}
    ]
    assert young in files(host)


def test_a_longer_bucket_of_the_catalog_keeps_its_markers(host: Host) -> None:
    made_with = marker(host, DAY, intent="weekly", bucket=7 * DAY)
    assert aged(host, 0, replace(Policy(), bucket=7 * DAY)).removed == []
    assert made_with in files(host)


def test_a_marker_of_an_unknown_bucket_stays_a_month(host: Host) -> None:
    young = marker(host, 20 * DAY, intent="a", bucket=7 * DAY)
    old = marker(host, 32 * DAY, intent="b", bucket=7 * DAY)
    assert aged(host, 0).removed == [old]
    assert young in files(host)


@pytest.mark.parametrize("bucket", [1, 60, 300, 3_600])
def test_no_marker_goes_that_denies_yet(bucket: int) -> None:
    """At any second of its life, for an act that began in one window and ended in another."""
    rule = retention([replace(Policy(), bucket=bucket)], 0)
    began = 1_764_000_000 + bucket - 1
    for took in (0, 1, 90):
        ended = began + took
        for window in {bucket_number(began, bucket), bucket_number(ended, bucket)}:
            made = MarkerRecord(marker_key("fix", window), ended, "fix", "fix", 1, "success")
            until = denies_until(ended, window, bucket)
            assert not any(marker_served(made, ended, rule, now) for now in range(ended, until + 1))
            assert marker_served(made, ended, rule, until + 2 * bucket + 300)


def test_a_time_ahead_of_the_clock_keeps_a_marker() -> None:
    rule = retention([], 0)
    key = marker_key("fix", 1_764_000_000 // 300)
    ahead = MarkerRecord(key, 1_764_000_000, "fix", "fix", 1, "success")
    assert not marker_served(ahead, 0, rule, 1_763_900_000)
    assert not marker_served(Corrupt("keys/x", "empty"), 0, rule, UNCERTAIN_AGE)


def test_legacy_markers_go_by_their_time(host: Host) -> None:
    for age, name in ((2 * DAY, "a" * 64), (60, "b" * 64)):
        host.write(f"h/keys/{name}", "")
        os.utime(host.state / "h" / "keys" / name, (host.now - age,) * 2)
    assert aged(host).removed == ["keys/" + "a" * 64]


def test_shadows_go_when_they_say_what_their_absence_says(host: Host) -> None:
    shadow = marker(host, 2 * DAY, folder="dry/keys")
    old = host.now - 2 * DAY
    for name, text in (
        ("full", f"{old} 0.000000 0.016700 3\n"),
        ("never", f"{old} 0.000000 0.000000 3\n"),
        ("torn", "17640"),
        ("young", f"{host.now} 2.000000 0.016700 3\n"),
    ):
        host.write(f"h/dry/rate/{name}", text)
        os.utime(host.state / "h/dry/rate" / name, (old, old))
    assert aged(host).removed == [shadow, "dry/rate/full"]
    assert {"dry/rate/never", "dry/rate/torn", "dry/rate/young"} <= files(host)


def test_finished_claims_go_and_those_in_flight_stay(host: Host) -> None:
    for slot, text in ((0, ""), (1, ""), (2, "v1 1 1 00000000 1 x y 0 1 1 z\n"), (3, "")):
        host.write(f"h/claims/{slot}", text)
        if slot < 3:
            os.utime(host.state / f"h/claims/{slot}", (host.now - 2 * DAY,) * 2)
    assert aged(host).removed == ["claims/1"]


def test_what_is_no_file_of_ours_stays_and_is_named(host: Host) -> None:
    target = host.root / "precious"
    target.write_text("precious")
    keys = host.state / "h" / "keys"
    (keys / ("c" * 64)).symlink_to(target)
    os.mkfifo(keys / ("d" * 64))
    (keys / ("e" * 64)).mkdir()
    (keys / "README").write_text("?")
    for name in ("d" * 64, "e" * 64, "README"):
        os.utime(keys / name, (host.now - 99 * DAY,) * 2)
    found = aged(host)
    assert (found.removed, found.problem) == ([], "")
    assert found.strange == [f"keys/{name}" for name in ("README", "c" * 64, "d" * 64, "e" * 64)]
    assert target.read_text() == "precious"


@pytest.mark.parametrize("place", ["keys", "dry", ""], ids=["keys", "dry", "the healer itself"])
def test_no_link_is_followed(host: Host, place: str) -> None:
    old = marker(host, 2 * DAY)
    marker(host, 2 * DAY, folder="dry/keys")
    real = host.state / "h" / place
    moved = host.root / "moved"
    real.rename(moved)
    real.symlink_to(moved)
    kept = len(list(moved.rglob("*")))
    done = host.run("gc")
    assert done.returncode == 1
    assert "symbolic link" in done.stderr
    assert len(list(moved.rglob("*"))) == kept
    assert place != "dry" or old not in files(host)


def test_read_only_removes_nothing(host: Host) -> None:
    old = marker(host, 2 * DAY)
    assert host.run("gc", "--read-only").returncode == 1
    assert old in files(host)
    assert host.run("gc", "--read-only", "--dry-run").returncode == 0


def test_an_unknown_healer_is_refused_before_anything_goes(host: Host) -> None:
    old = marker(host, 2 * DAY)
    assert host.run("gc", "h", "no-such").returncode == 1
    assert old in files(host)


def test_the_marker_of_an_act_without_an_outcome_stays_at_any_age(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.guard().protect("fix slowly"):
        (kept,) = (site.state / "keys").iterdir()
        years = age_healer(tmp_path, "h", None, 0, lambda: time.time() + 3e8, dry_run=False)
        assert years.removed == []
        assert kept.exists()
    later = age_healer(tmp_path, "h", None, 0, lambda: time.time() + 3e8, dry_run=False)
    assert later.removed == [f"keys/{kept.name}"]


def _stale_markers(site: Site, count: int) -> None:
    at = int(time.time()) - 2 * DAY
    for number in range(count):
        key = marker_key(f"old {number}", at // 300)
        path = site.state / "keys" / key
        path.write_bytes(format_marker(MarkerRecord(key, at, f"old {number}", "old", 1, "success")))
        os.utime(path, (at, at))


def test_bash_and_python_healers_act_once_while_it_runs(tmp_path: Path) -> None:
    """Two of each and two collectors, who ask for an age of nothing, on one directory."""
    site, shell = Site(tmp_path), ShellSite(tmp_path)
    rounds = 6
    site.guard()
    _stale_markers(site, 1_500)
    script = f"""
    for ((i = 0; i < {rounds}; i++)); do
      heal_act_with_guardrails "fix round=$i" act good || exit 1
    done
    mark done
    """
    bashes = [shell.start(script) for _ in range(2)]

    def heal() -> None:
        guard = site.guard(OPEN_POLICY)
        for number in range(rounds):
            guard.run(f"fix round={number}", site.act)
        site.mark("done")

    def collect() -> None:
        passes = 0
        while site.count("done") < 4 or passes == 0:
            found = age_healer(tmp_path, "h", OPEN_POLICY, 0, time.time, dry_run=False)
            assert (found.problem, found.strange) == ("", [])
            passes += 1

    work: list[Callable[[], None]] = [heal, heal, collect, collect]
    race(4, lambda index: work[index]())
    ends = [bash.communicate(timeout=60) for bash in bashes]
    assert [bash.returncode for bash in bashes] == [0, 0], ends
    assert site.acts() == rounds
    assert len(site.events("started")) == len(site.events("success")) == rounds
    assert len(list((site.state / "keys").iterdir())) == rounds
