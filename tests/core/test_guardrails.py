"""Verdicts: each guardrail alone, their order, and the exact words of the contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.guardrails import denied, evaluate, refused
from healconsole.core.intent import bucket_number, marker_key, parse_intent
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    OverrideRecord,
    Policy,
)
from healconsole.core.verdict import FleetState, GuardState
from healconsole.core.words import Circuit, Guardrail, StepResult

NOW = 1_764_000_100  # 100 s into a window of 300 s
POLICY = Policy()
INTENT = parse_intent("restart_worker pid=12345")
N = bucket_number(NOW, POLICY.bucket)
KEY, KEY_BEFORE = marker_key(INTENT.text, N), marker_key(INTENT.text, N - 1)
HOLD = OverrideRecord(on=True, since=NOW - 9, until=0, operator="ana")
MARKER = MarkerRecord(KEY, NOW - 42, INTENT.text, INTENT.scope, 7, "success")
BEFORE = replace(MARKER, key=KEY_BEFORE, at=NOW - 142)
EMPTY = BucketRecord(NOW, 400_000, 16_700, 3)
OPEN = BreakerRecord(3, NOW - 148, 3, 600, Circuit.OPEN, NOW + 452)
CLAIM = ClaimRecord(
    slot=0,
    pid=4711,
    start=1,
    boot="0badcafe",
    at=NOW - 3,
    key=KEY,
    scope_file="restart_worker",
    probe=False,
    last_refill=NOW,
    tokens_micro=0,
    intent=INTENT.text,
    alive=True,
)
OTHER_CLAIM = replace(CLAIM, slot=1, intent="restart_worker pid=1", key="cd" * 32)
LOCK_POLICY = Policy(fleet_lock="broker")

STATES: dict[str, tuple[GuardState, Policy, Guardrail, str, int | None]] = {
    "held": (GuardState(hold=HOLD), POLICY, Guardrail.HOLD, "held by ana until released", None),
    "held for a time": (
        GuardState(hold=replace(HOLD, until=NOW + 60)),
        POLICY,
        Guardrail.HOLD,
        "held by ana for 60 s more",
        NOW + 60,
    ),
    "hold corrupt": (
        GuardState(hold=Corrupt("hold", "empty")),
        POLICY,
        Guardrail.HOLD,
        "hold is corrupt: empty",
        None,
    ),
    "fleet halted": (
        GuardState(fleet=FleetState(halted="migration")),
        POLICY,
        Guardrail.HOLD,
        "fleet halted: migration",
        None,
    ),
    "in flight": (
        GuardState(claims=(CLAIM,), marker=MARKER),
        POLICY,
        Guardrail.IDEMPOTENCY,
        "in flight: pid 4711 for 3 s",
        None,
    ),
    "claim corrupt": (
        GuardState(claims=(Corrupt("claims/0", "does not match its format"),)),
        POLICY,
        Guardrail.IDEMPOTENCY,
        "claims/0 is corrupt: does not match its format",
        None,
    ),
    "marker": (
        GuardState(marker=MARKER),
        POLICY,
        Guardrail.IDEMPOTENCY,
        "acted on 42 s ago (success), not again for 258 s",
        NOW + 258,
    ),
    "marker of the window before": (
        GuardState(previous_marker=BEFORE),
        POLICY,
        Guardrail.IDEMPOTENCY,
        "acted on 142 s ago (success), not again for 158 s",
        NOW + 158,
    ),
    "legacy marker": (
        GuardState(marker=MarkerRecord(KEY, NOW - 42)),
        POLICY,
        Guardrail.IDEMPOTENCY,
        "acted on 42 s ago (legacy marker), not again for 258 s",
        NOW + 258,
    ),
    "marker of an unknown outcome": (
        GuardState(marker=replace(MARKER, outcome="\x1b[2J")),
        POLICY,
        Guardrail.IDEMPOTENCY,
        "acted on 42 s ago (unknown outcome), not again for 258 s",
        NOW + 258,
    ),
    "marker ahead of the clock": (
        GuardState(marker=replace(MARKER, at=NOW + 9_999)),
        POLICY,
        Guardrail.IDEMPOTENCY,
        "acted on 0 s ago (success), not again for 500 s",
        NOW + 500,
    ),
    "marker corrupt": (
        GuardState(marker=Corrupt(f"keys/{KEY}", "does not match its format")),
        POLICY,
        Guardrail.IDEMPOTENCY,
        f"keys/{KEY} is corrupt: does not match its format, not again for 500 s",
        NOW + 500,
    ),
    "marker before corrupt": (
        GuardState(previous_marker=Corrupt("keys/x", "does not match its format")),
        POLICY,
        Guardrail.IDEMPOTENCY,
        "keys/x is corrupt: does not match its format, not again for 200 s",
        NOW + 200,
    ),
    "rate": (
        GuardState(bucket=EMPTY),
        POLICY,
        Guardrail.RATE,
        "0.4 of 3 tokens, one in 36 s",
        NOW + 36,
    ),
    "rate, just under one": (
        GuardState(bucket=replace(EMPTY, tokens_micro=999_999)),
        POLICY,
        Guardrail.RATE,
        "0.9 of 3 tokens, one in 1 s",
        NOW + 1,
    ),
    "rate of nothing": (
        GuardState(bucket=EMPTY),
        Policy(rate_micro=0),
        Guardrail.RATE,
        "0.4 of 3 tokens, and none to come",
        None,
    ),
    "bucket corrupt": (
        GuardState(bucket=Corrupt("rate/restart_worker", "empty")),
        POLICY,
        Guardrail.RATE,
        "rate/restart_worker is corrupt: empty",
        None,
    ),
    "open": (
        GuardState(breaker=OPEN),
        POLICY,
        Guardrail.CIRCUIT,
        "3 of 3 failed, open for 452 s more",
        NOW + 452,
    ),
    "forced open": (
        GuardState(breaker=replace(OPEN, state=Circuit.FORCED_OPEN, until=0)),
        POLICY,
        Guardrail.CIRCUIT,
        "forced open until reset",
        None,
    ),
    "forced open for a time": (
        GuardState(breaker=replace(OPEN, state=Circuit.FORCED_OPEN)),
        POLICY,
        Guardrail.CIRCUIT,
        "forced open for 452 s more",
        NOW + 452,
    ),
    "probe out": (
        GuardState(breaker=replace(OPEN, state=Circuit.HALF_OPEN, until=NOW + 45)),
        POLICY,
        Guardrail.CIRCUIT,
        "half-open, a probe is out for at most 45 s more",
        NOW + 45,
    ),
    "probe in flight after its lease": (
        GuardState(
            breaker=replace(OPEN, state=Circuit.HALF_OPEN, until=NOW - 1), claims=(OTHER_CLAIM,)
        ),
        POLICY,
        Guardrail.CIRCUIT,
        "half-open, pid 4711 is in flight",
        None,
    ),
    "breaker corrupt": (
        GuardState(breaker=Corrupt("cb/restart_worker", "not a regular file")),
        POLICY,
        Guardrail.CIRCUIT,
        "cb/restart_worker is corrupt: not a regular file",
        None,
    ),
    "Redis unknown": (
        GuardState(fleet=FleetState(unknown="timed out")),
        POLICY,
        Guardrail.FLEET,
        "Redis unknown: timed out",
        None,
    ),
    "no Redis for the lock": (
        GuardState(),
        LOCK_POLICY,
        Guardrail.FLEET,
        "Redis unknown: no Redis configured for lock broker",
        None,
    ),
    "lock held": (
        GuardState(fleet=FleetState(lock_holder="web-08/b/1/u", lock_ttl=11.2)),
        LOCK_POLICY,
        Guardrail.FLEET,
        "lock broker is held by web-08/b/1/u, 12 s more",
        NOW + 12,
    ),
    "lock held for ever": (
        GuardState(fleet=FleetState(lock_holder="x")),
        LOCK_POLICY,
        Guardrail.FLEET,
        "lock broker is held by x, with no end",
        None,
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_a_denial_names_its_guardrail_reason_and_time(name: str) -> None:
    state, policy, guard, reason, earliest = STATES[name]
    verdict = evaluate(INTENT, state, policy, NOW + 0.9)
    assert not verdict.allow
    assert (verdict.guard, verdict.reason, verdict.earliest) == (guard, reason, earliest)
    assert not verdict.probe


# A lock's TTL counts from when it was read: a denial by the fleet cannot be looked at later.
TIMED = [name for name, case in STATES.items() if case[4] and case[2] is not Guardrail.FLEET]


@pytest.mark.parametrize("name", TIMED)
def test_it_denies_until_the_time_that_it_gives_and_no_longer(name: str) -> None:
    state, policy, guard, _, earliest = STATES[name]
    assert earliest is not None
    markers = {N: state.marker, N - 1: state.previous_marker}
    for now in (NOW, earliest - 1, earliest - 0.1, earliest):
        number = bucket_number(now, policy.bucket)
        seen = replace(state, marker=markers.get(number), previous_marker=markers.get(number - 1))
        verdict = evaluate(INTENT, seen, policy, now)
        assert verdict.guard is (guard if now < earliest else None)


def test_nothing_there_is_allowed_and_every_rung_says_why() -> None:
    verdict = evaluate(INTENT, GuardState(), POLICY, NOW)
    assert verdict.allow
    assert (verdict.guard, verdict.reason, verdict.earliest) == (None, "all guardrails pass", None)
    assert [(step.guard, step.evidence) for step in verdict.steps] == [
        (Guardrail.INTENT, "scope restart_worker"),
        (Guardrail.HOLD, "no hold"),
        (Guardrail.IDEMPOTENCY, "not acted on within 300 s"),
        (Guardrail.RATE, "3.0 of 3 tokens"),
        (Guardrail.CIRCUIT, "closed, 0 of 3 failed"),
        (Guardrail.FLEET, "this healer asks no Redis"),
        (Guardrail.DRY_RUN, "live"),
    ]


def test_a_half_open_circuit_allows_its_one_probe() -> None:
    half = GuardState(breaker=replace(OPEN, until=NOW))
    verdict = evaluate(INTENT, half, POLICY, NOW)
    assert (verdict.allow, verdict.probe) == (True, True)
    assert verdict.reason == "half-open, this is its one probe"


def test_a_rehearsal_never_takes_the_probe() -> None:
    half = GuardState(breaker=replace(OPEN, until=NOW), dry_env="true")
    verdict = evaluate(INTENT, half, POLICY, NOW)
    assert (verdict.allow, verdict.dry_run, verdict.probe) == (True, True, False)
    assert verdict.reason == "dry-run: DRY_RUN says dry"
    assert verdict.steps[-1].result is StepResult.DRY


def test_a_live_action_of_another_scope_is_nobodys_business() -> None:
    half = replace(OPEN, until=NOW)
    state = GuardState(breaker=half, claims=(replace(OTHER_CLAIM, scope_file="other"),))
    assert evaluate(INTENT, state, POLICY, NOW).probe


def test_a_hold_that_says_off_or_has_ended_holds_nothing() -> None:
    for hold in (replace(HOLD, on=False), replace(HOLD, until=NOW)):
        assert evaluate(INTENT, GuardState(hold=hold), POLICY, NOW).allow


def test_somebody_may_have_chosen_to_go_on_without_redis() -> None:
    chosen = Policy(redis_unreachable="local-only", fleet_lock="broker")
    for fleet in (FleetState(unknown="timed out"), None):
        verdict = evaluate(INTENT, GuardState(fleet=fleet), chosen, NOW)
        assert verdict.allow
        assert verdict.steps[5].result is StepResult.UNKNOWN
    held = FleetState(lock_holder="x", lock_ttl=5)
    assert not evaluate(INTENT, GuardState(fleet=held), chosen, NOW).allow


def test_the_first_guardrail_that_denies_speaks_and_the_others_say_their_piece() -> None:
    state = GuardState(
        hold=HOLD,
        marker=MARKER,
        bucket=EMPTY,
        breaker=OPEN,
        fleet=FleetState(unknown="timed out"),
        dry_env="maybe",
    )
    expected = [Guardrail.HOLD, Guardrail.IDEMPOTENCY, Guardrail.RATE, Guardrail.CIRCUIT]
    fixes: list[dict[str, Any]] = [
        {}, {"hold": None}, {"marker": None}, {"bucket": None}, {"breaker": None},
    ]  # fmt: skip
    for guard, fix in zip([*expected, Guardrail.FLEET], fixes, strict=True):
        state = replace(state, **fix)
        verdict = evaluate(INTENT, state, POLICY, NOW)
        assert verdict.guard is guard
        assert verdict.dry_run
        denying = [step.guard for step in verdict.steps if step.result is StepResult.DENY]
        assert denying[0] is guard
        assert denying == [*expected, Guardrail.FLEET][-len(denying) :]
        short = evaluate(INTENT, state, POLICY, NOW, ladder=False)
        assert replace(short, steps=()) == replace(verdict, steps=())
        assert short.steps == verdict.steps[: len(short.steps)]
        assert short.steps[-1].guard is guard


@given(
    st.lists(st.sampled_from(sorted(STATES)), min_size=1, max_size=4),
    st.floats(NOW - 2000, NOW + 2000),
)
def test_with_and_without_ladder_the_verdict_is_the_same(names: list[str], now: float) -> None:
    state, policy = GuardState(), POLICY
    for name in names:
        other, policy, *_ = STATES[name]
        changes = {
            field: getattr(other, field)
            for field in GuardState.__dataclass_fields__
            if getattr(other, field)
        }
        state = replace(state, **changes)
    full = evaluate(INTENT, state, policy, now)
    short = evaluate(INTENT, state, policy, now, ladder=False)
    assert replace(short, steps=()) == replace(full, steps=())
    assert len(full.steps) == 7
    assert full.allow == all(step.result is not StepResult.DENY for step in full.steps)
    assert all(step.earliest is None or step.earliest > now for step in full.steps)


def test_a_refused_text_denies_by_intent() -> None:
    verdict = refused("a\nb", "intent holds the control character U+000A")
    assert (verdict.allow, verdict.guard, verdict.intent) == (False, Guardrail.INTENT, "a\nb")


def test_a_record_that_cannot_be_written_denies() -> None:
    verdict = denied(INTENT, Guardrail.RECORD, "No space left on device")
    assert (verdict.allow, verdict.guard) == (False, Guardrail.RECORD)
    assert verdict.steps[0].evidence == "No space left on device"
