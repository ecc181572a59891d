"""Two actions on one intent are never closer than the bucket size, end to start."""

from __future__ import annotations

import math
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from healconsole.core.guardrails import evaluate
from healconsole.core.intent import bucket_number, marker_key, parse_intent
from healconsole.core.records import MarkerRecord, Policy
from healconsole.core.verdict import GuardState
from healconsole.core.words import Guardrail
from tests.engine.sites import many

INTENT = parse_intent("restart pid=1")
EPOCH = 1_764_000_000
GAPS = st.integers(0, 3) | st.integers(0, 700) | st.floats(0, 700)


def markers_of(start: float, end: float | None, bucket: int) -> dict[str, MarkerRecord]:
    """What an action leaves in ``keys/``: ``end`` None = it was interrupted."""
    found = {}
    at = math.floor(start if end is None else end)
    outcome = "interrupted" if end is None else "success"
    for time in (start, start if end is None else end):
        key = marker_key(INTENT.text, bucket_number(time, bucket))
        found[key] = MarkerRecord(key, at, INTENT.text, INTENT.scope, 1, outcome)
    return found


def allowed_at(found: dict[str, MarkerRecord], now: float, policy: Policy) -> bool:
    n = bucket_number(now, policy.bucket)
    state = GuardState(
        marker=found.get(marker_key(INTENT.text, n)),
        previous_marker=found.get(marker_key(INTENT.text, n - 1)),
    )
    verdict = evaluate(INTENT, state, policy, now, ladder=False)
    assert verdict.allow or verdict.guard is Guardrail.IDEMPOTENCY
    return verdict.allow


def assert_the_distance_is_kept(start: float, took: float | None, gap: float, bucket: int) -> None:
    end = None if took is None else start + took
    last = start if end is None else end
    now = last + gap
    closer = math.floor(now) - math.floor(last) < bucket
    found = markers_of(start, end, bucket)
    assert allowed_at(found, now, Policy(bucket=bucket)) is not closer


def test_ten_thousand_random_pairs_of_times() -> None:
    chance = Random(4711)  # noqa: S311 - times, not secrets
    for _ in range(10_000):
        bucket = chance.choice((1, 7, 60, 300))
        took = chance.choice((None, 0.0, chance.uniform(0, 3), chance.uniform(0, 3 * bucket)))
        near_the_edge = bucket + chance.uniform(-2, 2)
        gap = chance.choice((abs(near_the_edge), chance.uniform(0, 3 * bucket)))
        assert_the_distance_is_kept(EPOCH + chance.uniform(0, 1000), took, gap, bucket)


@settings(max_examples=many(200, 500))
@given(
    st.floats(EPOCH, EPOCH + 1000) | st.integers(EPOCH, EPOCH + 1000),
    st.none() | GAPS,
    GAPS,
    st.sampled_from([1, 7, 60, 300]),
)
@example(EPOCH + 299, 0, 1, 300)
@example(EPOCH + 299, 5, 299, 300)
@example(EPOCH + 299, 600, 299, 300)
def test_never_closer_than_the_bucket(
    start: float, took: float | None, gap: float, bucket: int
) -> None:
    assert_the_distance_is_kept(start, took, gap, bucket)


@settings(max_examples=many(100, 300))
@given(st.integers(EPOCH, EPOCH + 1000), st.integers(0, 1000), st.sampled_from([1, 60, 300]))
def test_a_legacy_marker_keeps_the_same_distance(start: int, gap: int, bucket: int) -> None:
    key = marker_key(INTENT.text, bucket_number(start, bucket))
    found = {key: MarkerRecord(key, start)}
    assert allowed_at(found, start + gap, Policy(bucket=bucket)) is (gap >= bucket)


@settings(max_examples=many(100, 300))
@given(st.integers(EPOCH, EPOCH + 1000), st.integers(0, 99_999_999_999), st.integers(0, 1000))
def test_a_marker_of_any_time_denies_for_one_window_and_never_more_than_two(
    start: int, at: int, gap: int
) -> None:
    policy = Policy(bucket=300)
    n = bucket_number(start, policy.bucket)
    key = marker_key(INTENT.text, n)
    allowed = allowed_at({key: MarkerRecord(key, at)}, start + gap, policy)
    if start + gap < (n + 1) * policy.bucket:
        assert not allowed
    if start + gap >= (n + 2) * policy.bucket:
        assert allowed
