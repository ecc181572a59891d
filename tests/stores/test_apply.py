"""An operator's act is done as shown or not at all, told before it is done, and taken back."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from healconsole.core.acts import plan_release, plan_reset, plan_trip
from healconsole.core.plan import ActPlan, FileChange
from healconsole.core.records import Corrupt
from healconsole.core.snapshot import HealerState
from healconsole.stores import apply
from healconsole.stores.apply import (
    Applied,
    ChangedUnderneath,
    NotApplied,
    UndoRecord,
    apply_plan,
    undo,
)
from healconsole.stores.auditlog import AuditUnwritable, AuditWriter
from healconsole.stores.changes import Change, Done, make
from healconsole.stores.files import open_dir
from healconsole.stores.layout import prepare
from healconsole.stores.locks import locked
from healconsole.stores.statedir import read_healer
from tests.stores.children import fork, wait

NOW = 1_764_000_000
OPERATOR = {"user": "ana", "uid": 1000, "login_uid": 1000, "via": "tui", "from": "::1 pts/0"}
OPEN = b"3 1763999900 3 600 open 1764000500\n"


class Desk:
    """A state root with one healer, and an operator before it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "worker"
        self.log = root.parent / "audit.jsonl"
        prepare(self.home, NOW)
        (self.home / "cycle.json").write_bytes(b"")
        (self.home / "cycle.json").unlink()

    def look(self) -> HealerState:
        return read_healer(self.root, "worker")

    def apply(self, plan: ActPlan) -> Applied:
        return apply_plan(
            self.root, plan, audit=self.audit(), operator=OPERATOR, reason="because",
            incident="INC-1", now=NOW,
        )  # fmt: skip

    def undo(self, record: UndoRecord) -> Applied:
        return undo(
            self.root, record, audit=self.audit(), operator=OPERATOR, reason="oops",
            incident="", now=NOW + 1,
        )  # fmt: skip

    def audit(self) -> AuditWriter:
        return AuditWriter(self.log, lambda: NOW, "web1")

    def events(self) -> list[dict[str, object]]:
        """What was announced, or corrected."""
        return [event for event in self.all_events() if event["outcome"] != "operator-done"]

    def all_events(self) -> list[dict[str, object]]:
        return [orjson.loads(line) for line in self.log.read_bytes().splitlines()]

    def tree(self) -> dict[str, bytes | str]:
        return {
            str(path.relative_to(self.home)): (
                "link" if path.is_symlink() else "dir" if path.is_dir() else path.read_bytes()
            )
            for path in sorted(self.home.rglob("*"))
            if not path.is_fifo()
        }

    def state(self) -> dict[str, bytes | str]:
        return {name: data for name, data in self.tree().items() if not name.startswith("aside")}


@pytest.fixture
def desk(state_root: Path) -> Desk:
    return Desk(state_root)


def _plan(*changes: FileChange, verb: str = "reset") -> ActPlan:
    return ActPlan(
        verb=verb, healer="worker", scope=None, changes=changes, now_lines=(), after_lines=(),
        next_lines=(), warnings=(), before="was", after="is", destructive=True,
    )  # fmt: skip


def test_trip_and_undo_leave_no_trace_but_the_log(desk: Desk) -> None:
    (desk.home / "cb/restart").write_bytes(OPEN)
    before = desk.state()
    applied = desk.apply(plan_trip(desk.look(), None, 600.0, "ana", NOW))
    assert (desk.home / "cb/restart").read_bytes().endswith(b"forced-open 1764000600\n")
    assert (desk.home / "hold").read_bytes() == b"on 1764000000 1764000600 ana\n"
    desk.undo(applied.undo)
    assert desk.state() == before
    first, second = desk.events()
    assert (first["outcome"], second["outcome"]) == ("operator-trip", "operator-undo")
    assert first["operator"] == OPERATOR
    assert (first["reason"], first["incident"], second["reason"]) == ("because", "INC-1", "oops")
    assert (first["before"], first["after"]) == (second["after"], second["before"])
    assert ("cause" in first, second["cause"]) == (False, "operator")
    assert "cause" not in desk.all_events()[-1]


def test_the_result_is_told_behind_the_act(desk: Desk) -> None:
    (desk.home / "cb/restart").write_bytes(OPEN)
    applied = desk.apply(plan_reset(desk.look(), "restart", "half-open", NOW))
    announced, result = desk.all_events()
    assert (announced["outcome"], result["outcome"]) == ("operator-reset", "operator-done")
    assert (result["reason"], result["scope"]) == ("reset: done", "restart")
    assert result["operator"] == announced["operator"]
    assert applied.problem == ""


def test_undo_of_an_undo_does_it_again(desk: Desk) -> None:
    (desk.home / "cb/restart").write_bytes(OPEN)
    applied = desk.apply(plan_reset(desk.look(), "restart", "half-open", NOW))
    after = desk.state()
    again = desk.undo(desk.undo(applied.undo).undo)
    assert desk.state() == after
    desk.undo(again.undo)
    assert (desk.home / "cb/restart").read_bytes() == OPEN


def test_the_event_is_on_disk_before_the_first_change(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk.home / "cb/restart").write_bytes(OPEN)
    seen: list[tuple[bytes, bytes]] = []

    def watch(fd: int, change: Change, now: float) -> Done:
        seen.append((desk.log.read_bytes(), (desk.home / "cb/restart").read_bytes()))
        return make(fd, change, now)

    monkeypatch.setattr(apply, "make", watch)
    desk.apply(plan_reset(desk.look(), "restart", "closed", NOW))
    assert [(log.count(b"\n"), state) for log, state in seen] == [(1, OPEN)]


def test_changed_underneath_says_both_and_changes_nothing(desk: Desk) -> None:
    (desk.home / "cb/restart").write_bytes(OPEN)
    plan = plan_reset(desk.look(), "restart", "half-open", NOW)
    (desk.home / "cb/restart").write_bytes(b"0 0 3 600 closed 0\n")
    with pytest.raises(ChangedUnderneath) as changed:
        desk.apply(plan)
    assert changed.value.path == "cb/restart"
    assert "open until 16:08:20 UTC" in changed.value.expected
    assert changed.value.found == "closed, 0 of 3 failures"
    assert not desk.log.exists()
    (desk.home / "cb/restart").unlink()
    with pytest.raises(ChangedUnderneath, match="now holds nothing"):
        desk.apply(plan)


def test_undo_of_what_something_else_changed_is_refused(desk: Desk) -> None:
    (desk.home / "cb/restart").write_bytes(OPEN)
    applied = desk.apply(plan_reset(desk.look(), "restart", "half-open", NOW))
    (desk.home / "cb/restart").write_bytes(b"0 0 3 600 closed 0\n")
    with pytest.raises(ChangedUnderneath):
        desk.undo(applied.undo)
    (desk.home / "cb/restart").unlink()
    os.mkfifo(desk.home / "cb/restart")
    with pytest.raises(ChangedUnderneath, match="FIFO"):
        desk.undo(applied.undo)
    assert len(desk.events()) == 1


def test_dry_run_and_release(desk: Desk) -> None:
    (desk.home / "hold").write_bytes(b"on 1764000000 0 bob\n")
    released = desk.apply(plan_release(desk.look(), NOW))
    assert not (desk.home / "hold").exists()
    desk.undo(released.undo)
    assert (desk.home / "hold").read_bytes() == b"on 1764000000 0 bob\n"
    (desk.home / "cycle.json").write_bytes(b"{}")
    state = desk.look()
    assert isinstance(state.cycle, Corrupt)
    desk.apply(_plan(FileChange("dry-run", None, b"on 1764000000 0 ana\n"), verb="dry-run"))
    assert desk.events()[-1]["outcome"] == "operator-dry-run"


def _junk(path: Path) -> None:
    path.write_bytes(b"\0nan\n")


def _large(path: Path) -> None:
    path.write_bytes(b"7" * 10_000_000)


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_bytes(b"kept")


@pytest.mark.parametrize("spoil", [_junk, _large, _fifo, _link, _folder])
@pytest.mark.parametrize("name", ["cb/restart", "rate/restart", "hold"])
def test_what_is_corrupt_is_mended_kept_aside_and_can_come_back(
    desk: Desk, spoil: Callable[[Path], None], name: str
) -> None:
    path = desk.home / name
    spoil(path)
    before = desk.look()
    mode = path.lstat().st_mode
    applied = desk.apply(plan_reset(before, None, "half-open", NOW))
    mended = desk.look()
    assert not isinstance(mended.hold, Corrupt)
    assert not any(isinstance(breaker.record, Corrupt) for breaker in mended.breakers)
    assert not any(isinstance(bucket.record, Corrupt) for bucket in mended.buckets)
    (aside,) = (desk.home / "aside").iterdir()
    assert aside.name == f"{name.replace('/', '%2F')}.{NOW}"
    assert aside.lstat().st_mode == mode
    if spoil is _folder:
        assert (aside / "inside").read_bytes() == b"kept"
    desk.undo(applied.undo)
    assert path.lstat().st_mode == mode
    assert desk.look() == before
    assert list((desk.home / "aside").iterdir()) == []


def test_corrupt_claims_are_emptied(desk: Desk) -> None:
    (desk.home / "claims/0").write_bytes(b"v1 torn")
    applied = desk.apply(plan_reset(desk.look(), None, "half-open", NOW))
    assert (desk.home / "claims/0").read_bytes() == b""
    assert (desk.home / f"aside/claims%2F0.{NOW}").read_bytes() == b"v1 torn"
    desk.undo(applied.undo)
    assert (desk.home / "claims/0").read_bytes() == b"v1 torn"


def test_a_folder_that_was_none_is_made_anew(desk: Desk) -> None:
    (desk.home / "cb").rmdir()
    (desk.home / "cb").write_bytes(b"not a folder")
    corrupt = desk.look().breakers[0].record
    applied = desk.apply(_plan(FileChange("cb", corrupt, b"ignored")))
    assert (desk.home / "cb").is_dir()
    desk.undo(applied.undo)
    assert (desk.home / "cb").read_bytes() == b"not a folder"


def test_a_healer_whose_folder_is_a_link_is_tripped_by_its_hold(desk: Desk) -> None:
    (desk.home / "rate/restart").write_text(f"{NOW} 1.000000 0.016700 3\n")
    (desk.home / "cb").rmdir()
    (desk.home / "cb").symlink_to(desk.home / "rate")
    desk.apply(_plan(*plan_trip(desk.look(), None, None, "ana", NOW).changes[:1], verb="trip"))
    assert (desk.home / "hold").read_bytes() == b"on 1764000000 0 ana\n"


def test_twice_in_one_second_both_are_kept(desk: Desk) -> None:
    for content in (b"first", b"second"):
        (desk.home / "cb/x").write_bytes(content)
        desk.apply(plan_reset(desk.look(), None, "closed", NOW))
    kept = sorted(path.read_bytes() for path in (desk.home / "aside").iterdir())
    assert kept == [b"first", b"second"]


def test_a_log_that_cannot_be_written_means_nothing_is_done(desk: Desk) -> None:
    (desk.home / "cb/restart").write_bytes(OPEN)
    desk.log.mkdir()
    before = desk.state()
    with pytest.raises(AuditUnwritable):
        desk.apply(plan_reset(desk.look(), "restart", "closed", NOW))
    assert desk.state() == before


def test_a_change_that_fails_halfway_is_taken_back_and_told(desk: Desk) -> None:
    (desk.home / "cb/a").write_bytes(OPEN)
    (desk.home / "cb/b").write_bytes(b"junk")
    (desk.home / "rate").rmdir()
    (desk.home / "rate").write_bytes(b"")
    found = {breaker.scope: breaker.record for breaker in desk.look().breakers}
    expect_a, expect_b = found["a"], found["b"]
    before = desk.state()
    plan = _plan(
        FileChange("cb/a", expect_a, b"0 0 3 600 closed 0\n"),
        FileChange("cb/b", expect_b, b"0 0 3 600 closed 0\n"),
        FileChange("cb/new/x", None, b"1" * 3000),
    )

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        with pytest.raises(NotApplied, match=r"too large.*nothing was changed"):
            desk.apply(plan)

    wait(fork(limited))
    assert desk.state() == before
    assert [event["outcome"] for event in desk.events()] == ["operator-reset", "operator-undo"]
    assert "could not be written" in str(desk.events()[1]["reason"])
    assert desk.events()[1]["cause"] == "failure"


def test_a_lock_that_is_held(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "LOCK_TIMEOUT", 0.05)
    (desk.home / "cb/restart").write_bytes(OPEN)
    plan = plan_reset(desk.look(), "restart", "closed", NOW)
    fd = open_dir(desk.home)
    try:
        with (
            locked(fd),
            pytest.raises(NotApplied, match=r"\.guard is held.*nothing was changed"),
        ):
            desk.apply(plan)
    finally:
        os.close(fd)
    (desk.home / ".guard").unlink()
    (desk.home / ".guard").mkdir()
    with pytest.raises(NotApplied, match=r"a directory, not a regular file|is a directory"):
        desk.apply(plan)


def test_no_such_healer_or_a_link_to_one(desk: Desk) -> None:
    (desk.home / "cb/restart").write_bytes(OPEN)
    plan = plan_reset(desk.look(), "restart", "closed", NOW)
    desk.home.rename(desk.root.parent / "real")
    with pytest.raises(NotApplied, match="is not there"):
        desk.apply(plan)
    desk.home.symlink_to(desk.root.parent / "real")
    with pytest.raises(NotApplied, match="symbolic link"):
        desk.apply(plan)


def test_a_path_that_leaves_the_directory_is_never_written(desk: Desk) -> None:
    for path in ("../x", "/tmp/x", "cb/../../x", "keys/x"):  # noqa: S108
        with pytest.raises(ValueError, match=r"no state file|not a path"):
            desk.apply(_plan(FileChange(path, None, b"x")))
    assert not desk.log.exists()
    assert not (desk.root / "x").exists()


def test_an_act_on_a_legacy_healer_in_the_flat_layout(state_root: Path) -> None:
    desk = Desk(state_root)
    legacy = state_root / "legacy"
    legacy.mkdir()
    (legacy / "cb-flush queue=slow").write_bytes(b"1 1763999999\n")
    state = read_healer(state_root, "legacy")
    applied = desk.apply(plan_trip(state, "flush queue=slow", None, "ana", NOW))
    fields = (legacy / "cb-flush queue=slow").read_bytes().split()
    assert int(fields[0]) >= 3
    assert fields[1] == b"32503680000"
    desk.undo(applied.undo)
    assert (legacy / "cb-flush queue=slow").read_bytes() == b"1 1763999999\n"
