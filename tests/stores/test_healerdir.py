"""The console reads both layouts and any content, and never fails for what it finds."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from healconsole.core.cycle import format_cycle
from healconsole.core.marker import format_marker
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    Corrupt,
    CycleRecord,
    MarkerRecord,
    OverrideRecord,
    Policy,
)
from healconsole.core.snapshot import PARTS, Heartbeat
from healconsole.core.standing import markers_active
from healconsole.core.words import Circuit, Library
from healconsole.stores.files import Missing
from healconsole.stores.layout import prepare
from healconsole.stores.processes import own_identity
from healconsole.stores.statedir import list_healers, read_healer
from tests.stores.children import as_nobody

NOW = 1_764_000_100
CYCLE = CycleRecord(
    at=NOW, seq=1, trigger="timer", fact="depth=1", intent="", verdict=None, outcome="",
    duration_ms=5, next_due=NOW + 60, interval=60, pid=7, library=Library.HEAL_SH, version="1",
    policy=Policy(), mode="live",
)  # fmt: skip


def test_ours(state_root: Path) -> None:
    home = state_root / "worker"
    prepare(home, NOW)
    (home / "cycle.json").write_bytes(format_cycle(CYCLE))
    (home / "rate/restart").write_bytes(b"1764000000 2.000000 0.016700 3\n")
    (home / "cb/a%20b").write_bytes(b"3 1764000000 3 600 open 1764000600\n")
    (home / "hold").write_bytes(b"on 1764000000 0 ana\n")
    (home / "dry-run").write_bytes(b"off 1764000000 0 ana\n")
    found = read_healer(state_root, "worker")
    assert found.library is Library.HEAL_SH
    assert found.heartbeat == Heartbeat(NOW, "cycle.json")
    assert [(entry.scope, entry.file) for entry in found.breakers] == [("a b", "cb/a%20b")]
    assert isinstance(found.breakers[0].record, BreakerRecord)
    assert found.breakers[0].record.state is Circuit.OPEN
    assert found.buckets[0].record == BucketRecord(1_764_000_000, 2_000_000, 16_700, 3)
    assert isinstance(found.hold, OverrideRecord)
    assert isinstance(found.dry_run, OverrideRecord)
    assert (found.problem, found.path) == ("", str(home))
    assert found.markers is None


def test_both_legacy_layouts(state_root: Path) -> None:
    home = state_root / "legacy-mailq"
    for folder in ("keys", "rate", "cb"):
        (home / folder).mkdir(parents=True)
    (home / "rate" / "flush queue=slow").write_bytes(b"1764000000 2.9833\n")
    (home / "rate-flush queue=fast").write_bytes(b"1764000000 0\n")
    (home / "cb-flush queue=fast").write_bytes(b"3 1764000000\n")
    (home / "keys" / ("a" * 64)).touch()
    found = read_healer(state_root, "legacy-mailq")
    assert found.library is Library.LEGACY
    assert [(entry.scope, entry.file) for entry in found.buckets] == [
        ("flush queue=fast", "rate-flush queue=fast"),
        ("flush queue=slow", "rate/flush queue=slow"),
    ]
    assert found.breakers[0].record == BreakerRecord(3, 1_764_000_000)
    assert found.markers_total == 1
    assert found.heartbeat is None


def test_what_the_legacy_library_left_is_not_what_decides(state_root: Path) -> None:
    home = state_root / "moved"
    prepare(home, NOW)
    (home / "cb-restart queue=jobs").write_bytes(b"3 1764000000\n")
    (home / "rate" / "restart queue=jobs").write_bytes(b"1764000000 0\n")
    (home / "rate" / "restart%20queue=jobs").write_bytes(b"1764000000 2.0 0.016700 3\n")
    before = read_healer(state_root, "moved")
    assert (len(before.breakers), len(before.buckets), before.leftovers) == (1, 2, ())
    (home / "cycle.json").write_bytes(format_cycle(CYCLE))
    moved = read_healer(state_root, "moved")
    assert moved.leftovers == ("cb-restart queue=jobs", "rate/restart queue=jobs")
    assert moved.breakers == ()
    (bucket,) = moved.buckets
    assert (bucket.scope, bucket.file) == ("restart queue=jobs", "rate/restart%20queue=jobs")


def test_an_operators_files_do_not_make_a_legacy_healer_ours(state_root: Path) -> None:
    home = state_root / "legacy"
    (home / "cb").mkdir(parents=True)
    (home / "cb" / "x").write_bytes(b"3 32503680000 3 600 forced-open 0\n")
    (home / ".guard").touch()
    (home / ".scratch").mkdir()
    assert read_healer(state_root, "legacy").library is Library.LEGACY


def test_a_healer_that_never_cycled(state_root: Path) -> None:
    prepare(state_root / "new", NOW)
    (state_root / "empty").mkdir()
    assert read_healer(state_root, "new").library is Library.UNKNOWN
    assert read_healer(state_root, "empty").library is Library.UNKNOWN


def test_markers_are_read_only_when_asked_for_newest_first(state_root: Path) -> None:
    home = state_root / "h"
    (home / "keys").mkdir(parents=True)
    for number in range(250):
        key = f"{number:064x}"
        record = MarkerRecord(key, NOW + number, "x", "x", 1, "success")
        path = home / "keys" / key
        path.write_bytes(format_marker(record) if number % 2 else b"")
        os.utime(path, (NOW + number, NOW + number))
    (home / "keys" / "junk").write_bytes(b"{")
    os.utime(home / "keys" / "junk", (NOW + 1000, NOW + 1000))
    plain = read_healer(state_root, "h")
    assert (plain.markers_total, len(plain.marker_keys), plain.markers) == (251, 251, None)
    markers = read_healer(state_root, "h", with_markers=True).markers
    assert markers is not None
    assert len(markers) == 200
    assert isinstance(markers[0], Corrupt)
    times = [marker.at for marker in markers[1:] if isinstance(marker, MarkerRecord)]
    assert times == sorted(times, reverse=True)
    assert times[0] == NOW + 249


def test_markers_are_not_even_opened_unless_asked_for(state_root: Path) -> None:
    home = state_root / "h"
    (home / "keys").mkdir(parents=True)
    path = home / "keys" / ("0" * 64)
    path.write_bytes(b"x")
    os.utime(path, (1, 1))
    read_healer(state_root, "h")
    assert path.stat().st_atime == 1


def test_names_in_the_root(state_root: Path) -> None:
    for name in ("b", "a", "with space", "lost+found", ".hidden"):
        (state_root / name).mkdir()
    (state_root / "file").touch()
    (state_root / "link").symlink_to(state_root / "a")
    assert list_healers(state_root) == ["a", "b", "link", "with space"]
    assert "rename the directory" in read_healer(state_root, "with space").problem
    assert "symbolic link" in read_healer(state_root, "link").problem
    assert read_healer(state_root, "gone").problem == "the directory is gone"
    with pytest.raises(Missing):
        list_healers(state_root / "nowhere")


def test_a_name_of_any_bytes(state_root: Path) -> None:
    name = os.fsdecode(b"\xff\x1b[2J\n")
    (state_root / name).mkdir()
    assert list_healers(state_root) == [name]
    assert read_healer(state_root, name).problem != ""


def test_by_descriptor_as_well_as_by_path(state_root: Path) -> None:
    prepare(state_root / "h", NOW)
    fd = os.open(state_root, os.O_RDONLY)
    try:
        assert list_healers(fd) == ["h"]
        assert read_healer(fd, "h").problem == ""
    finally:
        os.close(fd)


def test_everything_corrupt_at_once(state_root: Path) -> None:
    home = state_root / "h"
    for folder in ("rate", "cb", "claims"):
        (home / folder).mkdir(parents=True)
    (home / "keys").touch()
    os.mkfifo(home / "hold")
    (home / "dry-run").mkdir()
    (home / "cycle.json").write_bytes(b"{" * 70_000)
    (home / "rate" / "x").symlink_to("/etc/passwd")
    (home / "cb" / "x").write_bytes(b"1" * (10 << 20))
    (home / "claims" / "0").write_bytes(b"v1")
    (home / "claims" / "notes.txt").write_bytes(b"v1")
    os.mkfifo(home / ".singleton")
    began = time.monotonic()
    found = read_healer(state_root, "h", with_markers=True)
    assert time.monotonic() - began < 5
    assert isinstance(found.hold, Corrupt)
    assert isinstance(found.dry_run, Corrupt)
    assert isinstance(found.cycle, Corrupt)
    assert isinstance(found.heartbeat, Corrupt)
    assert isinstance(found.buckets[0].record, Corrupt)
    assert isinstance(found.breakers[0].record, Corrupt)
    assert len(found.claims) == 1
    assert isinstance(found.claims[0], Corrupt)
    assert found.problem == "keys: a regular file, not a directory"


def test_a_folder_that_is_none_is_one_corrupt_record(state_root: Path) -> None:
    home = state_root / "h"
    home.mkdir()
    (home / "rate").touch()
    (home / "cb").symlink_to("/tmp")  # noqa: S108
    found = read_healer(state_root, "h")
    assert [entry.file for entry in found.buckets] == ["rate"]
    assert isinstance(found.breakers[0].record, Corrupt)


def test_random_bytes_never_raise(state_root: Path) -> None:
    home = state_root / "h"
    prepare(home, NOW)
    seeded = random.Random(7)  # noqa: S311 - a repeatable test
    names = ["rate/x", "cb/x", "hold", "dry-run", "cycle.json", "claims/0", ".singleton", "rate-y"]
    for _ in range(300):
        for name in names:
            (home / name).write_bytes(seeded.randbytes(seeded.randrange(40)))
        read_healer(state_root, "h", with_markers=True)


def test_a_directory_that_may_not_be_read(state_root: Path) -> None:
    (state_root / "closed").mkdir(mode=0)
    prepare(state_root / "open", NOW)
    (state_root / "open" / "hold").write_bytes(b"on 1 0 a\n")
    (state_root / "open" / "hold").chmod(0)

    def look() -> None:
        assert list_healers(state_root) == ["closed", "open"]
        closed = read_healer(state_root, "closed")
        assert closed.problem.startswith("cannot be read (permission denied); give this user")
        assert closed.unread == PARTS
        held = read_healer(state_root, "open").hold
        assert isinstance(held, Corrupt)
        assert held.why == "not readable"

    as_nobody(state_root, look)


@pytest.mark.parametrize("folder", ["cb", "rate", "keys"])
def test_a_folder_that_may_not_be_read_is_unknown_and_not_empty(
    state_root: Path, folder: str
) -> None:
    prepare(state_root / "h", NOW)
    (state_root / "h" / folder).chmod(0)

    def look() -> None:
        found = read_healer(state_root, "h", with_markers=True)
        assert found.unread == {folder}
        assert found.problem.startswith(f"{folder}: cannot be read (permission denied); give this")

    as_nobody(state_root, look)


@pytest.mark.parametrize("folder", ["keys", "dry/keys"])
def test_markers_that_are_listed_and_may_not_be_looked_at_are_unknown(
    state_root: Path, folder: str
) -> None:
    prepare(state_root / "h", NOW)
    (state_root / "h" / folder / ("a" * 64)).touch()
    (state_root / "h" / folder).chmod(0o444)

    def look() -> None:
        found = read_healer(state_root, "h", with_markers=True)
        assert found.unread == {folder}
        assert found.problem.startswith(f"{folder}: cannot be read (permission denied); give this")
        if folder == "keys":
            assert markers_active(found, 300, NOW) is None

    as_nobody(state_root, look)


def test_the_daemon_is_known_by_its_own_word_and_start_time(state_root: Path) -> None:
    prepare(state_root / "h", NOW)
    pid, start, _ = own_identity()
    singleton = state_root / "h" / ".singleton"
    for content, daemon in (
        (f"{pid} {start}\n", pid),
        (f"{pid} {start + 1}\n", None),
        ("", None),
        ("1 2 3\n", None),
        ("x y\n", None),
    ):
        singleton.write_text(content)
        assert read_healer(state_root, "h").daemon_pid == daemon


def test_looking_changes_nothing(state_root: Path) -> None:
    prepare(state_root / "h", NOW)
    (state_root / "h" / "rate" / "x").write_bytes(b"1 2\n")

    def stamps() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns)
            for path in state_root.rglob("*")
        }

    before = stamps()
    for name in list_healers(state_root):
        read_healer(state_root, name, with_markers=True)
    assert stamps() == before


def test_a_thousand_healers_are_read_quickly(state_root: Path) -> None:
    for number in range(1000):
        home = state_root / f"healer-{number}"
        (home / "rate").mkdir(parents=True)
        (home / "cb").mkdir()
        (home / "rate" / "x").write_bytes(b"1764000000 2.9833\n")
        (home / "cb" / "x").write_bytes(b"3 1764000000\n")
    began = time.process_time()
    found = [read_healer(state_root, name) for name in list_healers(state_root)]
    assert len(found) == 1000
    assert time.process_time() - began < 1.0  # measured: 0.07
