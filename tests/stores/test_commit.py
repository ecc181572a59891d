"""Nothing is lost between "started" and its outcome, and what cannot be written does not start."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from healconsole.core.bucket import parse_bucket
from healconsole.core.guardrails import evaluate
from healconsole.core.intent import marker_key, parse_intent
from healconsole.core.marker import parse_marker
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    Policy,
)
from healconsole.core.recovery import Recovery
from healconsole.core.words import Circuit
from healconsole.stores.auditlog import AuditUnwritable, AuditWriter
from healconsole.stores.commit import Held, NotCommitted, hold
from healconsole.stores.layout import LAYOUT, prepare
from healconsole.stores.statefiles import read_state_file
from tests.stores.children import as_nobody, fork, wait

NOW = 1_764_000_000
POLICY = Policy()
INTENT = parse_intent("restart_worker pid=12 ünï %")
KEY = marker_key(INTENT.text, NOW // 300)
HALF_OPEN = b"2 1763999000 3 600 half-open 0\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "healer"
    prepare(path, NOW)
    return path


def _begin(
    held: Held,
    *,
    now: int = NOW,
    probe: bool = False,
    announce: Callable[[ClaimRecord], None] = lambda _: None,
    policy: Policy = POLICY,
) -> ClaimRecord:
    return held.begin(INTENT, policy, now, probe=probe, announce=announce)


def _finish(held: Held, claim: ClaimRecord, *, now: int = NOW, succeeded: bool = True) -> None:
    held.finish(claim, POLICY, now, scope=INTENT.scope, succeeded=succeeded, announce=lambda: None)


def _marker(home: Path, key: str = KEY) -> MarkerRecord:
    found = parse_marker((home / "keys" / key).read_bytes(), key, 0)
    assert isinstance(found, MarkerRecord)
    return found


def _tree(home: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name != ".guard"
    }


def _killed_after_begin(home: Path, *, probe: bool = False) -> None:
    def act() -> None:
        with hold(home) as held:
            _begin(held, probe=probe)
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(fork(act), 0)


def test_the_layout_is_made_and_made_again(home: Path) -> None:
    prepare(home, NOW)
    for folder in LAYOUT:
        assert (home / folder).is_dir()
    assert (home / ".guard").is_file()


def test_what_is_on_disk_when_the_act_starts(home: Path) -> None:
    seen: dict[str, bytes] = {}
    with hold(home) as held:
        claim = _begin(held, announce=lambda _: seen.update(_tree(home)))
    assert set(seen) == {f"keys/{KEY}", "claims/0", *(n for n in seen if n.startswith(".scratch"))}
    assert (_marker(home).outcome, _marker(home).at) == ("started", NOW)
    assert (home / "rate/restart_worker").read_bytes() == b"1764000000 2.000000 0.016700 3\n"
    assert (home / "claims/0").read_bytes() == (
        f"v1 {claim.pid} {claim.start} {claim.boot} {NOW} {KEY} restart_worker 0 {NOW} 2.000000 "
        "restart_worker pid=12 %C3%BCn%C3%AF %25\n"
    ).encode()
    with hold(home) as held:
        assert held.claims() == (claim,)
    assert list((home / ".scratch").iterdir()) == []


def test_an_act_in_flight_denies_in_every_bucket(home: Path) -> None:
    with hold(home) as held:
        claim = _begin(held)
        later = NOW + 1000
        verdict = evaluate(INTENT, held.guard_state(INTENT, POLICY, later), POLICY, later)
        assert verdict.guard == "idempotency"
        assert "in flight" in verdict.reason
        _finish(held, claim, now=later)
        verdict = evaluate(INTENT, held.guard_state(INTENT, POLICY, later), POLICY, later)
        assert "success" in verdict.reason


def test_success_moves_the_marker_to_the_end(home: Path) -> None:
    with hold(home) as held:
        claim = _begin(held)
        _finish(held, claim, now=NOW + 40)
    assert (_marker(home).outcome, _marker(home).at) == ("success", NOW + 40)
    assert not (home / "cb/restart_worker").exists()
    assert (home / "claims/0").read_bytes() == b""
    assert len(list((home / "keys").iterdir())) == 1


def test_an_act_over_the_edge_marks_both_buckets(home: Path) -> None:
    with hold(home) as held:
        claim = _begin(held)
        _finish(held, claim, now=NOW + 310)
        end = marker_key(INTENT.text, (NOW + 310) // 300)
        assert _marker(home).at == _marker(home, end).at == NOW + 310
        just_before = NOW + 310 + 299
        state = held.guard_state(INTENT, POLICY, just_before)
        assert not evaluate(INTENT, state, POLICY, just_before).allow
        after = NOW + 310 + 300
        assert evaluate(INTENT, held.guard_state(INTENT, POLICY, after), POLICY, after).allow


def test_a_clock_that_stepped_back_during_the_act_does_not_shorten_the_bucket(home: Path) -> None:
    with hold(home) as held:
        claim = _begin(held)
        _finish(held, claim, now=NOW - 3600)
        state = held.guard_state(INTENT, POLICY, NOW - 3600)
    assert _marker(home).at == NOW
    assert isinstance(state.marker, MarkerRecord)
    assert (state.marker.at, state.marker.outcome) == (NOW, "success")


def test_failure_counts_and_takes_the_marker_away(home: Path) -> None:
    with hold(home) as held:
        claim = _begin(held)
        _finish(held, claim, now=NOW + 5, succeeded=False)
    assert (home / "cb/restart_worker").read_bytes() == b"1 1764000005 3 600 closed 0\n"
    assert list((home / "keys").iterdir()) == []
    assert (home / "claims/0").read_bytes() == b""


def test_three_failures_open_and_a_probe_closes(home: Path) -> None:
    with hold(home) as held:
        for _ in range(3):
            _finish(held, _begin(held), succeeded=False)
        assert (home / "cb/restart_worker").read_bytes().startswith(b"3 1764000000 3 600 open")
        later = NOW + 700
        verdict = evaluate(INTENT, held.guard_state(INTENT, POLICY, later), POLICY, later)
        assert verdict.probe
        claim = _begin(held, now=later, probe=True)
        lent = read_state_file(held._fd, "cb/restart_worker")
        assert isinstance(lent, BreakerRecord)
        assert (lent.state, lent.until) == (Circuit.HALF_OPEN, later + POLICY.probe_lease)
        _finish(held, claim, now=later + 10)
    assert (home / "cb/restart_worker").read_bytes() == b"0 0 3 600 closed 0\n"


def test_a_probe_of_a_corrupt_or_missing_breaker_is_not_taken(home: Path) -> None:
    before = _tree(home)
    with hold(home) as held:
        with pytest.raises(NotCommitted, match="not there"):
            _begin(held, probe=True)
        (home / "cb/restart_worker").write_bytes(b"x")
        with pytest.raises(NotCommitted, match="corrupt"):
            _begin(held, probe=True)
        _count(held)
    (home / "cb/restart_worker").unlink()
    assert _tree(home) == before


def _count(held: Held) -> None:
    """A corrupt breaker is an operator's to mend: counting leaves it."""
    held.record(INTENT.scope, POLICY, NOW, succeeded=False, began=NOW)
    held.record(INTENT.scope, POLICY, NOW, succeeded=True, began=NOW)


def test_an_event_that_cannot_be_written_takes_everything_back(home: Path) -> None:
    (home / "cb/restart_worker").write_bytes(HALF_OPEN)
    (home / "claims/0").touch()
    before = _tree(home)

    def refuse(_: ClaimRecord) -> None:
        raise AuditUnwritable("full")

    with hold(home) as held:
        for _ in range(2):
            with pytest.raises(AuditUnwritable):
                _begin(held, probe=True, announce=refuse)
    assert _tree(home) == before


@pytest.mark.parametrize("folder", ["rate", "keys", "claims", ".scratch"])
def test_a_folder_that_cannot_be_written_takes_everything_back(home: Path, folder: str) -> None:
    (home / folder).rmdir()
    (home / folder).touch()
    before = _tree(home)
    with (
        hold(home) as held,
        pytest.raises(NotCommitted, match=r"not a directory|corrupt"),
    ):
        _begin(held, announce=lambda _: pytest.fail("announced"))
    assert _tree(home) == before


def test_a_directory_this_user_may_not_write(home: Path) -> None:
    before = _tree(home)

    def act() -> None:
        with pytest.raises(NotCommitted, match="permission denied"), hold(home):
            raise AssertionError("the lock was had")

    as_nobody(home, act)
    assert _tree(home) == before


@pytest.mark.parametrize("limit", range(0, 160, 13))
def test_a_file_size_limit_at_any_byte_takes_everything_back(home: Path, limit: int) -> None:
    (home / "claims/0").touch()
    before = _tree(home)

    def act() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            with hold(home) as held:
                _begin(held)
        except NotCommitted:
            os._exit(3)

    _, status = os.waitpid(fork(act), 0)
    if os.waitstatus_to_exitcode(status) == 3:
        assert _tree(home) == before
    else:
        assert limit > len((home / "claims/0").read_bytes())


def test_no_token_no_start(home: Path) -> None:
    (home / "rate/restart_worker").write_bytes(b"1764000000 0.999999 0.016700 3\n")
    with hold(home) as held:
        with pytest.raises(NotCommitted, match="less than one token"):
            _begin(held)
        (home / "rate/restart_worker").write_bytes(b"nan")
        with pytest.raises(NotCommitted, match="corrupt"):
            _begin(held)
        (home / "dry/rate/restart_worker").symlink_to("/etc/passwd")
        with pytest.raises(NotCommitted, match="corrupt"):
            held.rehearse(INTENT, POLICY, NOW)


def test_a_marker_that_is_there_is_never_overwritten_by_a_start(home: Path) -> None:
    (home / "keys" / KEY).touch()
    before = _tree(home)
    with hold(home) as held, pytest.raises(NotCommitted, match="exists"):
        _begin(held)
    assert _tree(home) == before


def test_slots_are_used_from_the_lowest_and_corrupt_ones_are_left(home: Path) -> None:
    (home / "claims/0").write_bytes(b"junk")
    (home / "claims/1").touch()
    with hold(home) as held:
        first = _begin(held)
        other = parse_intent("other x")
        second = held.begin(other, POLICY, NOW, probe=False, announce=lambda _: None)
        assert (first.slot, second.slot) == (1, 2)
        assert [getattr(claim, "slot", None) for claim in held.claims()] == [None, 1, 2]
    assert (home / "claims/0").read_bytes() == b"junk"


@pytest.mark.parametrize("probe", [False, True])
def test_a_killed_act_is_settled_once(home: Path, tmp_path: Path, probe: bool) -> None:
    if probe:
        (home / "cb/restart_worker").write_bytes(HALF_OPEN)
    _killed_after_begin(home, probe=probe)
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
    assert (_marker(home).outcome, _marker(home).at) == ("interrupted", NOW)
    breaker = (home / "cb/restart_worker").read_bytes()
    assert breaker == (
        b"3 1764000010 3 600 open 1764000610\n" if probe else b"1 1764000010 3 600 closed 0\n"
    )


def test_a_lost_rename_of_the_token_is_made_good(home: Path) -> None:
    _killed_after_begin(home)
    (home / "rate/restart_worker").unlink()
    (home / "keys" / KEY).unlink()
    with hold(home) as held:
        (claim,) = held.claims()
        assert isinstance(claim, ClaimRecord)
        held.recover(claim, POLICY, NOW + 10, announce=lambda _: None)
    bucket = parse_bucket((home / "rate/restart_worker").read_bytes(), "")
    assert isinstance(bucket, BucketRecord)
    assert bucket.tokens_micro == 2_000_000
    assert _marker(home).outcome == "interrupted"


def test_what_cannot_be_announced_is_settled_later(home: Path) -> None:
    _killed_after_begin(home)

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
        claim = _begin(held)
        with pytest.raises(ValueError, match="lives"):
            held.recover(claim, POLICY, NOW, announce=lambda _: None)
        with pytest.raises(ValueError, match="not of scope"):
            held.finish(claim, POLICY, NOW, scope="other", succeeded=True, announce=lambda: None)


def test_an_outcome_that_cannot_be_announced_keeps_the_claim(home: Path) -> None:
    def refuse() -> None:
        raise AuditUnwritable("full")

    with hold(home) as held:
        claim = _begin(held)
        with pytest.raises(AuditUnwritable):
            held.finish(claim, POLICY, NOW, scope=INTENT.scope, succeeded=True, announce=refuse)
        assert held.claims() == (claim,)
        _finish(held, claim)
        assert held.claims() == ()


def test_a_rehearsal_spends_nothing_live(home: Path) -> None:
    before = _tree(home)
    with hold(home) as held:
        for number in range(3):
            held.rehearse(parse_intent(f"restart_worker pid={number}"), POLICY, NOW)
        with pytest.raises(NotCommitted, match="less than one token"):
            held.rehearse(INTENT, POLICY, NOW)
    after = _tree(home)
    live = {name: data for name, data in after.items() if not name.startswith("dry/")}
    assert live == before
    assert after["dry/rate/restart_worker"] == b"1764000000 0.000000 0.016700 3\n"
    assert sum(name.startswith("dry/keys/") for name in after) == 3


def test_times_ahead_of_the_clock_are_written_back(home: Path) -> None:
    (home / "rate/x").write_bytes(b"1764099999 1.500000\n")
    (home / "dry/rate/x").write_bytes(b"1764099999 0\n")
    (home / "cb/x").write_bytes(b"3 1764099999 3 600 open 1764100599\n")
    with hold(home) as held:
        held.correct("x", POLICY, NOW)
        held.correct("y", POLICY, NOW)
    assert (home / "rate/x").read_bytes() == b"1764000000 1.500000 0.016700 3\n"
    assert (home / "dry/rate/x").read_bytes() == b"1764000000 0.000000 0.016700 3\n"
    assert (home / "cb/x").read_bytes() == b"3 1764000000 3 600 open 1764000600\n"
    before = _tree(home)
    with hold(home) as held:
        held.correct("x", POLICY, NOW)
    assert _tree(home) == before


def test_sixteen_processes_take_exactly_the_burst(home: Path) -> None:
    policy = Policy(burst=10, rate_micro=0)
    grants = home / "grants"
    grants.mkdir()

    def act(who: int) -> None:
        for number in range(4):
            intent = parse_intent(f"do who={who} n={number}")
            with hold(home) as held:
                state = held.guard_state(intent, policy, NOW)
                if evaluate(intent, state, policy, NOW).allow:
                    claim = held.begin(intent, policy, NOW, probe=False, announce=lambda _: None)
                    (grants / f"{who}-{number}").touch()
                    held.finish(
                        claim, policy, NOW, scope="do", succeeded=True, announce=lambda: None
                    )

    for child in [fork(partial(act, who)) for who in range(16)]:
        wait(child)
    assert len(list(grants.iterdir())) == 10


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


def test_a_corrupt_state_stays_corrupt_for_an_operator(home: Path) -> None:
    _killed_after_begin(home)
    (home / "rate/restart_worker").write_bytes(b"nan")
    (home / "cb/restart_worker").write_bytes(b"08 0")
    (home / "keys" / KEY).write_bytes(b"{")
    with hold(home) as held:
        (claim,) = held.claims()
        assert isinstance(claim, ClaimRecord)
        held.recover(claim, POLICY, NOW, announce=lambda _: None)
        state = held.guard_state(INTENT, POLICY, NOW)
    assert isinstance(state.bucket, Corrupt)
    assert isinstance(state.breaker, Corrupt)
    assert isinstance(state.marker, Corrupt)


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
            claim = _begin(held, now=now)
        counts.append(synced.count(str(home / "claims")))
        with hold(home) as held:
            _finish(held, claim, now=now)
    assert counts == [1, 1, 1]
    (home / "claims" / "0").unlink()
    with hold(home) as held:
        _begin(held, now=NOW + 3000)
    assert synced.count(str(home / "claims")) == 2
