"""Circuit breakers: each state of the file, each record, each clock."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.breaker import (
    UNTIL_RESET,
    breaker_now,
    format_breaker,
    parse_breaker,
    rebased,
    record_failure,
    record_success,
    reset_closed,
    reset_half_open,
    take_probe,
    trip,
)
from healconsole.core.fields import MAX_COUNT, MAX_EPOCH, MAX_SECONDS
from healconsole.core.records import BreakerRecord, Policy
from healconsole.core.words import Circuit

NOW = 1_764_000_000
POLICY = Policy()
CLOSED, OPEN, HALF, FORCED = (
    Circuit.CLOSED,
    Circuit.OPEN,
    Circuit.HALF_OPEN,
    Circuit.FORCED_OPEN,
)
EPOCHS = st.integers(0, MAX_EPOCH)
NEAR = st.integers(NOW - 2000, NOW + 2000)
COUNTS = st.integers(0, MAX_COUNT)


def breakers(
    times: st.SearchStrategy[int], counts: st.SearchStrategy[int]
) -> st.SearchStrategy[BreakerRecord]:
    ours = st.builds(
        BreakerRecord,
        counts,
        times,
        st.integers(1, MAX_COUNT),
        st.integers(0, MAX_SECONDS),
        st.sampled_from([CLOSED, OPEN, HALF, FORCED]),
        times,
    )
    return ours | st.builds(BreakerRecord, counts, times)


ANY = breakers(EPOCHS, COUNTS)
PLAUSIBLE = breakers(NEAR | st.just(0), st.integers(0, 5))


def ours(failures: int, last: int, state: Circuit, until: int = 0) -> BreakerRecord:
    return BreakerRecord(failures, last, 3, 600, state, until)


@given(ANY)
def test_a_breaker_survives_writing_and_reading(rec: BreakerRecord) -> None:
    raw = format_breaker(rec)
    assert parse_breaker(raw, "cb/x") == rec
    assert parse_breaker(raw.rstrip(b"\n"), "cb/x") == rec


@pytest.mark.parametrize(
    ("rec", "now", "state", "until"),
    [
        (None, NOW, CLOSED, None),
        (BreakerRecord(2, NOW), NOW, CLOSED, None),
        (BreakerRecord(3, NOW), NOW, OPEN, NOW + 600),
        (BreakerRecord(3, NOW), NOW + 599.9, OPEN, NOW + 600),
        (BreakerRecord(3, NOW), NOW + 600, HALF, None),
        (ours(2, NOW, CLOSED), NOW, CLOSED, None),
        (ours(9, NOW, CLOSED), NOW, CLOSED, None),
        (ours(3, NOW, OPEN, NOW + 600), NOW + 599, OPEN, NOW + 600),
        (ours(3, NOW, OPEN, NOW + 600), NOW + 600, HALF, None),
        (ours(3, NOW, OPEN, 0), NOW, HALF, None),
        (ours(3, NOW, HALF, 0), NOW, HALF, None),
        (ours(3, NOW, HALF, NOW + 125), NOW + 124.9, HALF, NOW + 125),
        (ours(3, NOW, HALF, NOW + 125), NOW + 125, HALF, None),
        (ours(3, UNTIL_RESET, FORCED, 0), NOW + 10**9, FORCED, None),
        (ours(3, NOW, FORCED, NOW + 60), NOW + 59, FORCED, NOW + 60),
        (ours(3, NOW, FORCED, NOW + 60), NOW + 60, HALF, None),
    ],
)
def test_what_a_file_means(
    rec: BreakerRecord | None, now: float, state: Circuit, until: int | None
) -> None:
    found = breaker_now(rec, 3, 600, now)
    assert (found.state, found.until, found.anomaly) == (state, until, "")
    assert found.probe_out == (state is HALF and until is not None)


@given(ANY, st.floats(0, MAX_EPOCH))
def test_nobody_waits_longer_than_the_cooldown(rec: BreakerRecord, now: float) -> None:
    found = breaker_now(rec, 3, 600, now, lease=125)
    whole = math.floor(now)
    if found.until is not None:
        assert whole < found.until
    if found.state is OPEN:
        assert found.until is not None
        assert found.until <= whole + 600
    if found.probe_out:
        assert found.until is not None
        assert found.until <= whole + 125


@given(ANY, st.floats(0, MAX_EPOCH))
def test_times_are_brought_back_once(rec: BreakerRecord, now: float) -> None:
    mended = rebased(rec, POLICY, now)
    before = breaker_now(rec, 3, 600, now, lease=POLICY.probe_lease)
    if mended is None:
        assert not before.anomaly
        return
    after = breaker_now(mended, 3, 600, now, lease=POLICY.probe_lease)
    assert after == replace(before, anomaly="")
    assert rebased(mended, POLICY, now) is None
    assert mended.failures == rec.failures


@pytest.mark.parametrize("step", [-86_400 * 365, -86_400, -3_600, 3_600, 86_400, 86_400 * 365])
def test_a_clock_step_waits_at_most_another_cooldown(step: int) -> None:
    rec = ours(3, NOW, OPEN, NOW + 600)
    now = NOW + 10 + step
    rec = rebased(rec, POLICY, now) or rec
    assert breaker_now(rec, 3, 600, now + 600).state is HALF
    if step < 0:
        assert breaker_now(rec, 3, 600, now + 599).state is OPEN


@pytest.mark.parametrize(
    "rec",
    [
        BreakerRecord(3, NOW + 1),
        ours(3, NOW + 1, OPEN, NOW + 1),
        ours(3, NOW + 1, OPEN, NOW - 1),
        ours(3, NOW, OPEN, NOW + 601),
        ours(3, NOW - 9_999, OPEN, NOW + 9_999),
    ],
)
def test_times_that_the_policy_cannot_have_set_count_as_a_whole_cooldown(
    rec: BreakerRecord,
) -> None:
    found = breaker_now(rec, 3, 600, NOW)
    assert (found.state, found.until) == (OPEN, NOW + 600)
    assert found.anomaly.isprintable()
    assert found.anomaly
    assert rebased(rec, POLICY, NOW) == ours(3, min(rec.last_failure, NOW), OPEN, NOW + 600)


def test_three_failures_open_it_and_one_more_reopens_it() -> None:
    rec: BreakerRecord | None = None
    for count in (1, 2):
        rec = record_failure(rec, POLICY, NOW + count)
        assert rec == ours(count, NOW + count, CLOSED)
    rec = record_failure(rec, POLICY, NOW + 3.7)
    assert rec == ours(3, NOW + 3, OPEN, NOW + 603)
    probing = take_probe(rec, POLICY, NOW + 603)
    assert probing == ours(3, NOW + 3, HALF, NOW + 603 + POLICY.probe_lease)
    assert record_failure(probing, POLICY, NOW + 620) == ours(4, NOW + 620, OPEN, NOW + 1220)
    assert record_success(probing, POLICY, NOW + 620, NOW + 603) == reset_closed(POLICY)


def test_a_legacy_file_that_is_open_counts_on_in_our_form() -> None:
    rec = record_failure(BreakerRecord(3, NOW), POLICY, NOW + 10)
    assert rec == ours(4, NOW, OPEN, NOW + 600)


def test_failures_of_a_forced_open_breaker_leave_the_trip_as_it_is() -> None:
    forced = trip(None, POLICY, NOW, 0)
    assert forced == ours(3, UNTIL_RESET, FORCED, 0)
    assert record_failure(forced, POLICY, NOW) == ours(4, UNTIL_RESET, FORCED, 0)
    assert record_success(forced, POLICY, NOW, NOW - 5) is None


@pytest.mark.parametrize(("began", "closes"), [(NOW - 1, False), (NOW, False), (NOW + 1, True)])
def test_an_old_success_does_not_close_what_opened_since(began: int, closes: bool) -> None:
    found = record_success(ours(3, NOW, OPEN, NOW + 600), POLICY, NOW + 20, began)
    assert (found == reset_closed(POLICY)) is closes


def test_success_writes_only_what_changes_something() -> None:
    assert record_success(None, POLICY, NOW, NOW) is None
    assert record_success(reset_closed(POLICY), POLICY, NOW, NOW) is None
    assert record_success(BreakerRecord(0, 0), POLICY, NOW, NOW) == reset_closed(POLICY)
    assert record_success(ours(1, NOW, CLOSED), POLICY, NOW, NOW) == reset_closed(POLICY)


@given(PLAUSIBLE | st.none(), NEAR, st.integers(0, 10_000), st.integers(1, 5))
def test_a_trip_holds_ours_and_legacy_readers_until_it_ends(
    rec: BreakerRecord | None, now: int, span: int, maximum: int
) -> None:
    policy = Policy(max_failures=maximum)
    until = now + span if span else 0
    found = trip(rec, policy, now, until)
    legacy = parse_breaker(b" ".join(format_breaker(found).split()[:2]), "cb-x")
    assert isinstance(legacy, BreakerRecord)
    assert legacy.failures >= maximum
    end = legacy.last_failure + policy.cooldown
    assert end == until if until else end > now + 86_400 * 365
    if span:
        assert breaker_now(found, maximum, 600, until - 1).state is FORCED
        assert breaker_now(found, maximum, 600, until).state is HALF
    else:
        assert breaker_now(found, maximum, 600, now + 10**9).state is FORCED


def test_a_trip_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="ends later"):
        trip(None, POLICY, NOW, NOW)


@pytest.mark.parametrize("maximum", [1, 3])
def test_after_a_reset_to_half_open_one_failure_opens_it_for_a_legacy_reader_too(
    maximum: int,
) -> None:
    policy = Policy(max_failures=maximum)
    found = reset_half_open(ours(5, NOW - 9, OPEN, NOW + 600), policy, NOW)
    assert breaker_now(found, maximum, 600, NOW).state is HALF
    assert found.failures == maximum - 1
    failed = record_failure(found, policy, NOW + 5)
    assert (failed.failures, failed.state) == (maximum, OPEN)


@pytest.mark.parametrize(
    ("settle", "action", "check", "lease"),
    [(5, 60, 30, 125), (0.1, 0.7, 0.2, 31), (0.2, 0.1, 0.6, 30), (0, 0.001, 0.001, 30)],
)
def test_the_lease_is_summed_without_floats(
    settle: float, action: float, check: float, lease: int
) -> None:
    policy = Policy(settle=settle, action_timeout=action, check_timeout=check)
    assert policy.probe_lease == lease


def test_the_lease_of_a_probe_is_not_longer_than_a_probe_can_take() -> None:
    stepped = ours(3, NOW, HALF, NOW + 86_400)
    assert breaker_now(stepped, 3, 600, NOW, lease=125).until == NOW + 125
    assert breaker_now(stepped, 3, 600, NOW).until == NOW + 86_400
    assert rebased(stepped, POLICY, NOW) == ours(3, NOW, HALF, NOW + POLICY.probe_lease)


@given(PLAUSIBLE | st.none(), st.floats(NOW - 2000, NOW + 2000))
def test_a_failure_is_never_lost_and_never_closes(rec: BreakerRecord | None, now: float) -> None:
    before = breaker_now(rec, 3, 600, now)
    after = record_failure(rec, POLICY, now)
    assert after.failures == min(before.failures + 1, MAX_COUNT) or (
        before.state is HALF and after.failures == 3
    )
    assert parse_breaker(format_breaker(after), "cb/x") == after
    if before.state is not CLOSED:
        assert after.state in {OPEN, FORCED}
    if before.state is FORCED:
        assert after.until == (before.until or 0)


def test_the_count_of_failures_ends_where_its_field_ends() -> None:
    rec = record_failure(ours(MAX_COUNT, NOW, OPEN, NOW + 600), POLICY, NOW + 1)
    assert rec.failures == MAX_COUNT
    assert parse_breaker(format_breaker(rec), "cb/x") == rec
