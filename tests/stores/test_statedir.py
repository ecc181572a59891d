"""The guard state that the engine decides on is the truth on disk, whatever is remembered."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core.bucket import format_bucket
from healconsole.core.claim import format_claim
from healconsole.core.intent import marker_key, parse_intent
from healconsole.core.marker import format_marker
from healconsole.core.records import (
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    OverrideRecord,
    Policy,
)
from healconsole.core.verdict import GuardState
from healconsole.stores.files import Missing
from healconsole.stores.folder import tick
from healconsole.stores.layout import prepare
from healconsole.stores.processes import own_identity
from healconsole.stores.statedir import StateDir

NOW = 1_764_000_100
POLICY = Policy()
INTENT = parse_intent("restart pid=1")
KEY = marker_key(INTENT.text, NOW // 300)
PREVIOUS = marker_key(INTENT.text, NOW // 300 - 1)
MARKER = MarkerRecord(KEY, NOW, INTENT.text, "restart", 7, "started")
BUCKET = BucketRecord(NOW, 2_000_000, 16_700, 3)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "healer"
    prepare(path, NOW)
    return path


@pytest.fixture
def state(home: Path) -> Iterator[StateDir]:
    with StateDir(home) as opened:
        yield opened


def _look(state: StateDir, **kwargs: object) -> GuardState:
    return state.guard_state(INTENT, POLICY, NOW, **kwargs)  # type: ignore[arg-type]


def _claim(alive: bool = True) -> ClaimRecord:
    pid, start, boot = own_identity()
    return ClaimRecord(
        slot=0, pid=pid, start=start if alive else start + 1, boot=boot, at=NOW, key=KEY,
        scope_file="restart", probe=False, last_refill=NOW, tokens_micro=2_000_000,
        intent=INTENT.text, alive=alive,
    )  # fmt: skip


def test_an_empty_directory_is_all_absent(state: StateDir) -> None:
    assert _look(state) == GuardState()


def test_a_directory_without_layout_is_all_absent(tmp_path: Path) -> None:
    with StateDir(tmp_path) as state:
        assert _look(state) == GuardState()


def test_everything_is_read(home: Path, state: StateDir) -> None:
    (home / "keys" / KEY).write_bytes(format_marker(MARKER))
    (home / "keys" / PREVIOUS).touch()
    os.utime(home / "keys" / PREVIOUS, (NOW - 200, NOW - 200.5))
    (home / "rate" / "restart").write_bytes(format_bucket(BUCKET))
    (home / "cb" / "restart").write_bytes(b"3 1764000000\n")
    (home / "claims" / "0").write_bytes(format_claim(_claim()))
    (home / "claims" / "1").touch()
    (home / "hold").write_bytes(b"on 1764000000 0 ana\n")
    found = _look(state, dry_env="yes please", dry=False)
    assert found.marker == MARKER
    assert found.previous_marker == MarkerRecord(PREVIOUS, NOW - 201)
    assert found.bucket == BUCKET
    assert found.breaker is not None
    assert found.claims == (_claim(),)
    assert isinstance(found.hold, OverrideRecord)
    assert found.dry_env == "yes please"


def test_dry_run_reads_the_shadow_state(home: Path, state: StateDir) -> None:
    (home / "keys" / KEY).write_bytes(format_marker(MARKER))
    (home / "dry/rate/restart").write_bytes(format_bucket(BUCKET))
    live = _look(state)
    assert (live.marker, live.bucket) == (MARKER, None)
    for shadow in (_look(state, dry=True), _look(state, dry_env="on")):
        assert (shadow.marker, shadow.bucket) == (None, BUCKET)
    (home / "dry-run").write_bytes(b"off 1764000000 0 ana\n")
    assert _look(state, dry_env="on").marker == MARKER
    (home / "dry-run").write_bytes(b"\0\0\0")
    assert _look(state).bucket == BUCKET


def test_each_change_is_seen_at_the_next_look(home: Path, state: StateDir) -> None:
    _look(state)
    for number in range(50):
        record = replace(BUCKET, tokens_micro=number)
        (home / ".scratch/x").write_bytes(format_bucket(record))
        (home / ".scratch/x").rename(home / "rate" / "restart")
        assert _look(state).bucket == record


def test_a_dead_claim_is_told_from_a_living_one(home: Path, state: StateDir) -> None:
    (home / "claims" / "0").write_bytes(format_claim(_claim(alive=False)))
    assert _look(state).claims == (_claim(alive=False),)
    (home / "claims" / "0").write_bytes(b"")
    assert _look(state).claims == ()
    (home / "claims" / "0").write_bytes(b"v1 torn")
    assert isinstance(_look(state).claims[0], Corrupt)
    (home / "claims" / "0").write_bytes(b"\0" * 10_000_000)
    (found,) = _look(state).claims
    assert isinstance(found, Corrupt)
    assert found.why.startswith("larger than")


def test_a_slot_is_seen_where_times_are_kept_to_the_second(home: Path, state: StateDir) -> None:
    """What comes and goes within it leaves the directory with the stamp that it had."""
    while home.stat().st_ctime_ns >= tick():
        time.sleep(0.001)
    whole = time.time_ns() // 1_000_000_000 * 1_000_000_000
    os.utime(home / "claims", ns=(whole, whole))
    assert _look(state).claims == ()
    (home / "claims" / "0").write_bytes(format_claim(_claim()))
    os.utime(home / "claims", ns=(whole, whole))
    assert _look(state).claims == (_claim(),)


@pytest.mark.parametrize("folder", ["keys", "rate", "cb", "claims"])
@pytest.mark.parametrize("kind", ["link", "file", "fifo"])
def test_a_folder_that_is_none_denies(home: Path, state: StateDir, folder: str, kind: str) -> None:
    _look(state)
    (home / folder).rename(home / "moved")
    if kind == "link":
        (home / folder).symlink_to("moved")
    elif kind == "file":
        (home / folder).touch()
    else:
        os.mkfifo(home / folder)
    found = _look(state)
    denying = {
        "keys": (found.marker, f"keys/{KEY}"),
        "rate": (found.bucket, "rate/restart"),
        "cb": (found.breaker, "cb/restart"),
        "claims": (found.claims and found.claims[0], "claims"),
    }
    assert denying[folder][0] == Corrupt(denying[folder][1], "not a directory")


def test_a_corrupt_shadow_is_named_by_its_own_path(home: Path, state: StateDir) -> None:
    (home / "dry/keys" / KEY).write_bytes(b"{")
    (home / "dry/rate/restart").mkdir()
    found = _look(state, dry=True)
    assert found.marker == Corrupt(f"dry/keys/{KEY}", "does not match its format", b"{")
    assert found.bucket == Corrupt("dry/rate/restart", "not a regular file")


def test_folders_and_directories_that_were_replaced_are_noticed(
    tmp_path: Path, home: Path, state: StateDir
) -> None:
    (home / "keys" / KEY).write_bytes(format_marker(MARKER))
    assert _look(state).marker == MARKER
    (home / "keys").rename(home / "old")
    assert _look(state).marker is None
    (home / "old").rename(home / "keys")
    assert _look(state).marker == MARKER
    shutil.move(home, tmp_path / "kept")
    prepare(home, NOW)
    assert _look(state).marker is None
    shutil.rmtree(home)
    shutil.move(tmp_path / "kept", home)
    assert _look(state).marker == MARKER


def test_a_hold_and_its_release_are_noticed(home: Path, state: StateDir) -> None:
    for _ in range(20):
        assert _look(state).hold is None
        (home / "hold").write_bytes(b"on 1764000000 0 ana\n")
        assert isinstance(_look(state).hold, OverrideRecord)
        (home / "hold").unlink()


def test_a_pinned_directory_stays_itself(tmp_path: Path, home: Path) -> None:
    with StateDir(home, pinned=True) as state:
        (home / "keys" / KEY).write_bytes(format_marker(MARKER))
        home.rename(tmp_path / "renamed")
        prepare(home, NOW)
        assert _look(state).marker == MARKER


def test_a_directory_that_is_gone(tmp_path: Path, home: Path, state: StateDir) -> None:
    home.rename(tmp_path / "gone")
    with pytest.raises(Missing):
        state.reopen()
    with pytest.raises(Missing):
        StateDir(home)


def test_looking_changes_nothing(home: Path, state: StateDir) -> None:
    (home / "rate" / "restart").write_bytes(format_bucket(BUCKET))

    def stamps() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_ctime_ns)
            for path in home.rglob("*")
        }

    before = stamps()
    for number in range(1000):
        state.guard_state(parse_intent(f"restart pid={number}"), POLICY, NOW + number)
    assert stamps() == before


def test_threads_share_one_state(home: Path, state: StateDir) -> None:
    (home / "rate" / "restart").write_bytes(format_bucket(BUCKET))
    wrong: list[object] = []

    def look() -> None:
        for number in range(300):
            if number % 10 == 0:
                state.reopen()
            bucket = _look(state).bucket
            if bucket != BUCKET:
                wrong.append(bucket)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_descriptors_are_closed(home: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with StateDir(home) as state:
        _look(state)
        state.reopen()
        _look(state)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
