"""Nothing is lost between "started" and its outcome."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from healconsole.core.breaker import parse_breaker
from healconsole.core.guardrails import evaluate
from healconsole.core.intent import marker_key, parse_intent
from healconsole.core.records import (
    BreakerRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    Policy,
)
from healconsole.core.words import Circuit
from healconsole.stores.commit import Held, NotCommitted, hold
from healconsole.stores.layout import LAYOUT, prepare
from tests.stores.children import fork, wait
from tests.stores.commits import (
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


def test_the_layout_is_made_and_made_again(home: Path) -> None:
    prepare(home, NOW)
    for folder in LAYOUT:
        assert (home / folder).is_dir()
    assert (home / ".guard").is_file()


def test_what_is_on_disk_when_the_act_starts(home: Path) -> None:
    seen: dict[str, bytes] = {}
    with hold(home) as held:
        claim = begin(held, announce=lambda _: seen.update(tree(home)))
    assert set(seen) == {f"keys/{KEY}", "claims/0", *(n for n in seen if n.startswith(".scratch"))}
    assert (marker(home).outcome, marker(home).at) == ("started", NOW)
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
        claim = begin(held)
        later = NOW + 1000
        verdict = evaluate(INTENT, held.guard_state(INTENT, POLICY, later), POLICY, later)
        assert verdict.guard == "idempotency"
        assert "in flight" in verdict.reason
        finish(held, claim, now=later)
        verdict = evaluate(INTENT, held.guard_state(INTENT, POLICY, later), POLICY, later)
        assert "success" in verdict.reason


def test_success_moves_the_marker_to_the_end(home: Path) -> None:
    with hold(home) as held:
        claim = begin(held)
        finish(held, claim, now=NOW + 40)
    assert (marker(home).outcome, marker(home).at) == ("success", NOW + 40)
    assert not (home / "cb/restart_worker").exists()
    assert (home / "claims/0").read_bytes() == b""
    assert len(list((home / "keys").iterdir())) == 1


def test_an_act_over_the_edge_marks_both_buckets(home: Path) -> None:
    with hold(home) as held:
        claim = begin(held)
        finish(held, claim, now=NOW + 310)
        end = marker_key(INTENT.text, (NOW + 310) // 300)
        assert marker(home).at == marker(home, end).at == NOW + 310
        just_before = NOW + 310 + 299
        state = held.guard_state(INTENT, POLICY, just_before)
        assert not evaluate(INTENT, state, POLICY, just_before).allow
        after = NOW + 310 + 300
        assert evaluate(INTENT, held.guard_state(INTENT, POLICY, after), POLICY, after).allow


def test_a_clock_that_stepped_back_during_the_act_does_not_shorten_the_bucket(home: Path) -> None:
    with hold(home) as held:
        claim = begin(held)
        finish(held, claim, now=NOW - 3600)
        state = held.guard_state(INTENT, POLICY, NOW - 3600)
    assert marker(home).at == NOW
    assert isinstance(state.marker, MarkerRecord)
    assert (state.marker.at, state.marker.outcome) == (NOW, "success")


def test_failure_counts_and_takes_the_marker_away(home: Path) -> None:
    with hold(home) as held:
        claim = begin(held)
        finish(held, claim, now=NOW + 5, succeeded=False)
    assert (home / "cb/restart_worker").read_bytes() == b"1 1764000005 3 600 closed 0\n"
    assert list((home / "keys").iterdir()) == []
    assert (home / "claims/0").read_bytes() == b""


def test_three_failures_open_and_a_probe_closes(home: Path) -> None:
    with hold(home) as held:
        for _ in range(3):
            finish(held, begin(held), succeeded=False)
        assert (home / "cb/restart_worker").read_bytes().startswith(b"3 1764000000 3 600 open")
        later = NOW + 700
        verdict = evaluate(INTENT, held.guard_state(INTENT, POLICY, later), POLICY, later)
        assert verdict.probe
        claim = begin(held, now=later, probe=True)
        lent = parse_breaker((home / "cb/restart_worker").read_bytes(), "")
        assert isinstance(lent, BreakerRecord)
        assert (lent.state, lent.until) == (Circuit.HALF_OPEN, later + POLICY.probe_lease)
        finish(held, claim, now=later + 10)
    assert (home / "cb/restart_worker").read_bytes() == b"0 0 3 600 closed 0\n"


def test_a_probe_of_a_corrupt_or_missing_breaker_is_not_taken(home: Path) -> None:
    before = tree(home)
    with hold(home) as held:
        with pytest.raises(NotCommitted, match="not there"):
            begin(held, probe=True)
        (home / "cb/restart_worker").write_bytes(b"x")
        with pytest.raises(NotCommitted, match="corrupt"):
            begin(held, probe=True)
        _count(held)
    (home / "cb/restart_worker").unlink()
    assert tree(home) == before


def _count(held: Held) -> None:
    """A corrupt breaker is an operator's to mend: counting leaves it."""
    held.record(INTENT.scope, POLICY, NOW, succeeded=False, began=NOW)
    held.record(INTENT.scope, POLICY, NOW, succeeded=True, began=NOW)


def test_a_rehearsal_spends_nothing_live(home: Path) -> None:
    before = tree(home)
    with hold(home) as held:
        for number in range(3):
            held.rehearse(parse_intent(f"restart_worker pid={number}"), POLICY, NOW)
        with pytest.raises(NotCommitted, match="less than one token"):
            held.rehearse(INTENT, POLICY, NOW)
    after = tree(home)
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
    before = tree(home)
    with hold(home) as held:
        held.correct("x", POLICY, NOW)
    assert tree(home) == before


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


def test_a_corrupt_state_stays_corrupt_for_an_operator(home: Path) -> None:
    killed_after_begin(home)
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
