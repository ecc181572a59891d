"""Token buckets, against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.bucket import (
    first_token_in,
    format_bucket,
    next_token_in,
    parse_bucket,
    rebased,
    take,
    tokens_now,
)
from healconsole.core.fields import MAX_COUNT, MAX_EPOCH, MAX_MICRO
from healconsole.core.records import MICRO, BucketRecord, Corrupt, Policy

NOW = 1_764_000_000
EPOCHS = st.integers(0, MAX_EPOCH)
AMOUNTS = st.integers(0, MAX_MICRO)
BURSTS = st.integers(1, MAX_COUNT)
RECORDS = st.builds(BucketRecord, EPOCHS, AMOUNTS) | st.builds(
    BucketRecord, EPOCHS, AMOUNTS, AMOUNTS, BURSTS
)


@given(RECORDS)
def test_a_bucket_survives_writing_and_reading(rec: BucketRecord) -> None:
    raw = format_bucket(rec)
    assert parse_bucket(raw, "rate/x") == rec
    assert parse_bucket(raw.rstrip(b"\n"), "rate/x") == rec


@pytest.mark.parametrize(
    ("raw", "rec"),
    [
        (b"1764000000 2\n", BucketRecord(NOW, 2 * MICRO)),
        (b"1764000000 2.9833\n", BucketRecord(NOW, 2_983_300)),
        (b"1764000000\t \t2.98339999999\n", BucketRecord(NOW, 2_983_399)),
        (b"1764000000 0.5 0.0167 3", BucketRecord(NOW, 500_000, 16_700, 3)),
    ],
)
def test_older_spellings_are_read(raw: bytes, rec: BucketRecord) -> None:
    assert parse_bucket(raw, "rate/x") == rec


@given(RECORDS, AMOUNTS, BURSTS, st.floats(0, MAX_EPOCH))
def test_tokens_are_exact_and_never_leave_their_bounds(
    rec: BucketRecord, rate: int, burst: int, now: float
) -> None:
    elapsed = max(math.floor(now) - rec.last_refill, 0)
    grown = Fraction(rec.tokens_micro, MICRO) + elapsed * Fraction(rate, MICRO)
    assert tokens_now(rec, rate, burst, now) == min(grown, Fraction(burst)) * MICRO
    assert 0 <= tokens_now(rec, rate, burst, now) <= burst * MICRO


def test_a_missing_bucket_is_full() -> None:
    assert tokens_now(None, 0, 5, NOW) == 5 * MICRO


def test_taking_spends_one_and_ends_at_none() -> None:
    rec: BucketRecord | None = None
    for left in (2, 1, 0):
        rec = take(rec, Policy(), NOW + 0.9)
        assert rec == BucketRecord(NOW, left * MICRO, 16_700, 3)
    with pytest.raises(ValueError, match="less than one token"):
        take(rec, Policy(), NOW + 59)
    assert take(rec, Policy(), NOW + 60).tokens_micro == 2000


@given(AMOUNTS, AMOUNTS)
def test_the_first_token_is_there_when_it_is_announced_and_not_before(
    tokens: int, rate: int
) -> None:
    wait = first_token_in(tokens, rate)
    rec = BucketRecord(NOW, tokens)
    if wait is None:
        assert rate == 0
        assert tokens < MICRO
        return
    assert tokens_now(rec, rate, MAX_COUNT, NOW + wait) >= MICRO
    if wait:
        assert tokens_now(rec, rate, MAX_COUNT, NOW + wait - 1) < MICRO


def test_next_token() -> None:
    assert next_token_in(2_500_000, 100_000, 3) == pytest.approx(5)
    assert next_token_in(2_000_000, 100_000, 3) == pytest.approx(10)
    assert next_token_in(3_000_000, 100_000, 3) is None
    assert next_token_in(4_000_000, 100_000, 3) is None
    assert next_token_in(0, 0, 3) is None


@given(RECORDS, st.floats(0, MAX_EPOCH))
def test_a_time_ahead_of_the_clock_is_brought_back_with_the_same_tokens(
    rec: BucketRecord, now: float
) -> None:
    policy = Policy()
    mended = rebased(rec, policy, now)
    if rec.last_refill <= math.floor(now):
        assert mended is None
        return
    assert mended is not None
    limits = (policy.rate_micro, policy.burst)
    assert mended.last_refill == math.floor(now)
    assert tokens_now(mended, *limits, now) == tokens_now(rec, *limits, now)
    assert rebased(mended, policy, now) is None


@pytest.mark.parametrize("step", [-86_400 * 365, -86_400, -3_600, 3_600, 86_400, 86_400 * 365])
def test_a_clock_step_waits_no_longer_than_a_refill(step: int) -> None:
    policy = Policy()
    empty = BucketRecord(NOW, 0, policy.rate_micro, policy.burst)
    now = NOW + step
    rec = rebased(empty, policy, now) or empty
    assert tokens_now(rec, policy.rate_micro, policy.burst, now + 60) >= MICRO


def test_corruption_names_the_file_and_shows_a_sample() -> None:
    found = parse_bucket(b"1764000000 -1\n" + b"x" * 100, "rate/x")
    assert isinstance(found, Corrupt)
    assert found.path == "rate/x"
    assert found.sample == b"1764000000 -1\n" + b"x" * 50
