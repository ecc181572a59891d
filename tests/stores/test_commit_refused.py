"""What cannot be written does not start, and what a killed act left is settled once."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from healconsole.core.bucket import parse_bucket
from healconsole.core.guardrails import evaluate
from healconsole.core.intent import parse_intent
from healconsole.core.records import (
    BucketRecord,
    ClaimRecord,
)
from healconsole.core.recovery import Recovery
from healconsole.stores.auditlog import AuditUnwritable, AuditWriter
from healconsole.stores.commit import NotCommitted, hold
from tests.stores.children import as_nobody, fork
from tests.stores.commits import (
    HALF_OPEN,
    INTENT,
    KEY,
    NOW,
    POLICY,
    begin,
    finish,
    killed_after_begin,
    make_home,
    marker,
    tree,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path)


def test_an_event_that_cannot_be_written_takes_everything_back(home: Path) -> None:
    (home / "cb/restart_worker").write_bytes(HALF_OPEN)
    (home / "claims/0").touch()
    before = tree(home)

    def refuse(_: ClaimRecord) -> None:
        raise AuditUnwritable("full")

    with hold(home) as held:
        for _ in range(2):
            with pytest.raises(AuditUnwritable):
                begin(held, probe=True, announce=refuse)
    assert tree(home) == before


def test_a_breaker_that_cannot_be_placed_spends_no_token(home: Path) -> None:
    breaker = home / "cb/restart_worker"
    breaker.write_bytes(HALF_OPEN)
    (home / "claims/0").touch()
    before = tree(home)

    def turned_into_a_directory(_: ClaimRecord) -> None:
        breaker.unlink()
        breaker.mkdir()

    with hold(home) as held, pytest.raises(NotCommitted, match="directory"):
        begin(held, probe=True, announce=turned_into_a_directory)
    breaker.rmdir()
    breaker.write_bytes(HALF_OPEN)
    assert tree(home) == before


@pytest.mark.parametrize("folder", ["rate", "keys", "claims", ".scratch"])
def test_a_folder_that_cannot_be_written_takes_everything_back(home: Path, folder: str) -> None:
    (home / folder).rmdir()
    (home / folder).touch()
    before = tree(home)
    with (
        hold(home) as held,
        pytest.raises(NotCommitted, match=r"not a directory|corrupt"),
    ):
        begin(held, announce=lambda _: pytest.fail("announced"))
    assert tree(home) == before


def test_a_directory_this_user_may_not_write(home: Path) -> None:
    before = tree(home)

    def act() -> None:
        with pytest.raises(NotCommitted, match="permission denied"), hold(home):
            raise AssertionError("the lock was had")

    as_nobody(home, act)
    assert tree(home) == before


@pytest.mark.parametrize("limit", range(0, 160, 13))
def test_a_file_size_limit_at_any_byte_takes_everything_back(home: Path, limit: int) -> None:
    (home / "claims/0").touch()
    before = tree(home)

    def act() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            with hold(home) as held:
                begin(held)
        except NotCommitted:
            os._exit(3)

    _, status = os.waitpid(fork(act), 0)
    if os.waitstatus_to_exitcode(status) == 3:
        assert tree(home) == before
    else:
        assert limit > len((home / "claims/0").read_bytes())


def test_no_token_no_start(home: Path) -> None:
    (home / "rate/restart_worker").write_bytes(b"1764000000 0.999999 0.016700 3\n")
    with hold(home) as held:
        with pytest.raises(NotCommitted, match="less than one token"):
            begin(held)
        (home / "rate/restart_worker").write_bytes(b"nan")
        with pytest.raises(NotCommitted, match="corrupt"):
            begin(held)
        (home / "dry/rate/restart_worker").symlink_to("/etc/passwd")
        with pytest.raises(NotCommitted, match="corrupt"):
            held.rehearse(INTENT, POLICY, NOW)


def test_a_marker_that_is_there_is_never_overwritten_by_a_start(home: Path) -> None:
    (home / "keys" / KEY).touch()
    before = tree(home)
    with hold(home) as held, pytest.raises(NotCommitted, match="exists"):
        begin(held)
    assert tree(home) == before


def test_slots_are_used_from_the_lowest_and_corrupt_ones_are_left(home: Path) -> None:
    (home / "claims/0").write_bytes(b"junk")
    (home / "claims/1").touch()
    with hold(home) as held:
        first = begin(held)
        other = parse_intent("other x")
        second = held.begin(other, POLICY, NOW, probe=False, announce=lambda _: None)
        assert (first.slot, second.slot) == (1, 2)
        assert [getattr(claim, "slot", None) for claim in held.claims()] == [None, 1, 2]
    assert (home / "claims/0").read_bytes() == b"junk"


@pytest.mark.parametrize("probe", [False, True])
def test_a_killed_act_is_settled_once(home: Path, tmp_path: Path, probe: bool) -> None:
    if probe:
        (home / "cb/restart_worker").write_bytes(HALF_OPEN)
    killed_after_begin(home, probe=probe)
    log = AuditWriter(tmp_path / "audit", lambda: NOW, "h")
    told: list[Recovery] = []

    def announce(plan: Recovery) -> None:
        told.append(plan)
        log.append(sync=True, healer="h", outcome="interrupted", reason=plan.reason)

    with hold(home) as held:
        state = held.guard_state(INTENT, POLICY, NOW + 10)
        assert not evaluate(INTENT, state, POLICY, NOW + 10).allow
        (claim,) = held.claims()
        assert isinstance(claim, ClaimRecord)
        assert not claim.alive
        held.recover(claim, POLICY, NOW + 10, announce=announce)
        assert held.claims() == ()
        assert len(told) == 1
    assert (marker(home).outcome, marker(home).at) == ("interrupted", NOW)
    breaker = (home / "cb/restart_worker").read_bytes()
    assert breaker == (
        b"3 1764000010 3 600 open 1764000610\n" if probe else b"1 1764000010 3 600 closed 0\n"
    )


def test_a_lost_rename_of_the_token_is_made_good(home: Path) -> None:
    killed_after_begin(home)
    (home / "rate/restart_worker").unlink()
    (home / "keys" / KEY).unlink()
    with hold(home) as held:
        (claim,) = held.claims()
        assert isinstance(claim, ClaimRecord)
        held.recover(claim, POLICY, NOW + 10, announce=lambda _: None)
    bucket = parse_bucket((home / "rate/restart_worker").read_bytes(), "")
    assert isinstance(bucket, BucketRecord)
    assert bucket.tokens_micro == 2_000_000
    assert marker(home).outcome == "interrupted"


def test_what_cannot_be_announced_is_settled_later(home: Path) -> None:
    killed_after_begin(home)

    def refuse(_: Recovery) -> None:
        raise AuditUnwritable("full")

    with hold(home) as held:
        (claim,) = held.claims()
        assert isinstance(claim, ClaimRecord)
        with pytest.raises(AuditUnwritable):
            held.recover(claim, POLICY, NOW, announce=refuse)
        assert held.claims() == (claim,)
        held.recover(claim, POLICY, NOW, announce=lambda _: None)
        assert held.claims() == ()
    assert (home / "cb/restart_worker").read_bytes().startswith(b"1 ")


def test_a_living_claim_is_not_settled(home: Path) -> None:
    with hold(home) as held:
        claim = begin(held)
        with pytest.raises(ValueError, match="lives"):
            held.recover(claim, POLICY, NOW, announce=lambda _: None)
        with pytest.raises(ValueError, match="not of scope"):
            held.finish(claim, POLICY, NOW, scope="other", succeeded=True, announce=lambda: None)


def test_an_outcome_that_cannot_be_announced_keeps_the_claim(home: Path) -> None:
    def refuse() -> None:
        raise AuditUnwritable("full")

    with hold(home) as held:
        claim = begin(held)
        with pytest.raises(AuditUnwritable):
            held.finish(claim, POLICY, NOW, scope=INTENT.scope, succeeded=True, announce=refuse)
        assert held.claims() == (claim,)
        finish(held, claim)
        assert held.claims() == ()


def test_a_directory_that_is_not_there_or_was_replaced(home: Path, tmp_path: Path) -> None:
    with pytest.raises(NotCommitted, match="no state directory"), hold(tmp_path / "none"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(NotCommitted, match=r"file: cannot be read"), hold(tmp_path / "file"):
        pass
    with (
        hold(home),
        pytest.raises(NotCommitted, match="held by another process"),
        hold(home, timeout=0.05),
    ):
        pass


def test_a_slot_that_somebody_left_behind_is_made_durable_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who made it may have died before its name was on the disk."""
    (home / "claims" / "0").touch()
    synced: list[str] = []

    def fsync(fd: int, sync: Callable[[int], None] = os.fsync) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        sync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    counts = []
    for now in (NOW, NOW + 1000, NOW + 2000):
        with hold(home) as held:
            claim = begin(held, now=now)
        counts.append(synced.count(str(home / "claims")))
        with hold(home) as held:
            finish(held, claim, now=now)
    assert counts == [1, 1, 1]
    (home / "claims" / "0").unlink()
    with hold(home) as held:
        begin(held, now=NOW + 3000)
    assert synced.count(str(home / "claims")) == 2


def test_no_slot_is_taken_while_claims_cannot_be_read(home: Path) -> None:
    claims = home / "claims"
    claims.rename(home / "aside")
    claims.symlink_to(home / "aside")
    with hold(home) as held, pytest.raises(NotCommitted, match="claims: "):
        begin(held)
    assert tree(home / "aside") == {}
    assert not list((home / "keys").iterdir())
