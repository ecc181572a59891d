"""Interrupted claims: what was spent stays spent, and nothing counts as success unproven."""

from __future__ import annotations

from dataclasses import replace

import pytest

from healconsole.core.bucket import take
from healconsole.core.guardrails import evaluate
from healconsole.core.intent import bucket_number, marker_key, parse_intent
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    Policy,
)
from healconsole.core.recovery import recover
from healconsole.core.verdict import GuardState
from healconsole.core.words import Circuit, Guardrail

NOW = 1_764_000_100
POLICY = Policy()
INTENT = parse_intent("restart pid=1")
KEY = marker_key(INTENT.text, bucket_number(NOW, POLICY.bucket))
CLAIM = ClaimRecord(
    slot=0,
    pid=4711,
    start=1,
    boot="0badcafe",
    at=NOW - 10,
    key=KEY,
    scope_file="restart",
    probe=False,
    last_refill=NOW - 10,
    tokens_micro=1_000_000,
    intent=INTENT.text,
)
STARTED = MarkerRecord(KEY, NOW - 10, INTENT.text, "restart", 4711, "started")


def test_killed_before_anything_was_renamed() -> None:
    found = recover(CLAIM, None, None, None, POLICY, NOW)
    assert found.bucket == BucketRecord(NOW - 10, 1_000_000, 16_700, 3)
    assert found.marker == replace(STARTED, outcome="interrupted")
    assert found.breaker == BreakerRecord(1, NOW, 3, 600, Circuit.CLOSED, 0)
    assert found.reason == "pid 4711 ended without recording an outcome"


def test_killed_while_it_acted() -> None:
    spent = BucketRecord(CLAIM.last_refill, CLAIM.tokens_micro, 16_700, 3)
    found = recover(CLAIM, spent, STARTED, None, POLICY, NOW)
    assert found.bucket is None
    assert found.marker == replace(STARTED, outcome="interrupted")


def test_a_bucket_that_others_emptied_since_is_left_alone() -> None:
    emptier = BucketRecord(NOW, 0, 16_700, 3)
    assert recover(CLAIM, emptier, STARTED, None, POLICY, NOW).bucket is None


def test_killed_after_its_success_was_on_disk() -> None:
    done = replace(STARTED, at=NOW - 2, outcome="success")
    found = recover(CLAIM, None, done, None, POLICY, NOW)
    assert (found.marker, found.breaker) == (None, None)
    assert found.bucket is not None
    assert found.reason == "pid 4711 ended before it recorded its success"


def test_after_a_clock_step_back_nothing_is_written_ahead_of_the_clock() -> None:
    found = recover(CLAIM, None, STARTED, None, POLICY, NOW - 3_600)
    assert found.bucket == BucketRecord(NOW - 3_600, 1_000_000, 16_700, 3)


def test_an_interruption_never_makes_a_marker_younger() -> None:
    later = replace(STARTED, at=NOW - 5)
    found = recover(CLAIM, None, later, None, POLICY, NOW)
    assert found.marker == replace(later, outcome="interrupted")


def test_recovering_twice_writes_the_same() -> None:
    first = recover(CLAIM, None, None, None, POLICY, NOW)
    again = recover(CLAIM, first.bucket, first.marker, None, POLICY, NOW)
    assert (again.bucket, again.marker) == (None, None)


def test_the_scope_of_a_marker_is_kept_where_the_claim_has_only_a_hash() -> None:
    claim = replace(CLAIM, scope_file="x" * 100 + "%~" + "0" * 32)
    marker = replace(STARTED, scope="x" * 300)
    found = recover(claim, None, marker, None, POLICY, NOW)
    assert found.marker is not None
    assert found.marker.scope == "x" * 300


def test_corrupt_files_are_left_to_an_operator() -> None:
    corrupt = Corrupt("some/file", "empty")
    found = recover(CLAIM, corrupt, corrupt, corrupt, POLICY, NOW)
    assert (found.bucket, found.marker, found.breaker) == (None, None, None)


def test_an_interrupted_probe_opens_the_circuit_again() -> None:
    probing = BreakerRecord(3, NOW - 600, 3, 600, Circuit.HALF_OPEN, NOW + 100)
    found = recover(replace(CLAIM, probe=True), None, None, probing, POLICY, NOW)
    assert found.breaker == BreakerRecord(4, NOW, 3, 600, Circuit.OPEN, NOW + 600)


@pytest.mark.parametrize("marker", [None, STARTED])
def test_a_verdict_counts_an_interrupted_claim_as_recovered(marker: MarkerRecord | None) -> None:
    verdict = evaluate(INTENT, GuardState(marker=marker, claims=(CLAIM,)), POLICY, NOW)
    assert verdict.guard is Guardrail.IDEMPOTENCY
    assert verdict.reason == "acted on 10 s ago (interrupted), not again for 290 s"
    other = evaluate(parse_intent("restart pid=2"), GuardState(claims=(CLAIM,)), POLICY, NOW)
    assert other.allow
    assert [step.evidence for step in other.steps[3:5]] == [
        "1.1 of 3 tokens",
        "closed, 1 of 3 failed",
    ]


def test_the_marker_of_the_window_before_is_recovered_too() -> None:
    later = NOW + POLICY.bucket - 50
    verdict = evaluate(INTENT, GuardState(claims=(CLAIM,)), POLICY, later)
    assert verdict.reason == "acted on 260 s ago (interrupted), not again for 40 s"


def test_a_rehearsal_keeps_its_own_bucket_and_markers() -> None:
    shadow = take(None, POLICY, NOW)
    state = GuardState(bucket=shadow, claims=(CLAIM,), dry_env="true")
    verdict = evaluate(INTENT, state, POLICY, NOW)
    assert verdict.allow
    assert verdict.dry_run
    assert verdict.steps[3].evidence == "2.0 of 3 tokens"
    assert verdict.steps[4].evidence == "closed, 1 of 3 failed"
