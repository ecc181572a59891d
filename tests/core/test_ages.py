"""Times and spans, shown and typed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.ages import age, clock_time, countdown, iso, parse_duration
from healconsole.core.auditparse import parse_ts


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_is_shown(seconds: float) -> None:
    assert age(seconds)
    assert countdown(seconds)
    assert clock_time(seconds)
    assert iso(seconds, 3600)


@given(st.integers(1, 863_999))
def test_a_countdown_never_says_less_than_is_left(seconds: int) -> None:
    said = parse_duration(countdown(seconds))
    assert seconds - 3600 < said <= seconds
    assert seconds >= 3600 or said == seconds


def test_a_countdown_rounds_up_so_that_zero_means_over() -> None:
    assert countdown(0.001) == "1s"
    assert countdown(-5) == "0s"
    assert countdown(math.inf) == "?"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("90s", 90), ("1h30m", 5400), ("2d", 172_800), (" 1H ", 3600), ("1.5h", 5400)],
)
def test_spans_that_are_understood(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "0s", "-5m", "1m1h", "5 m", "9999d", "1e3s", "٣m"])
def test_spans_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="span"):
        parse_duration(text)


def test_a_missing_unit_is_named() -> None:
    with pytest.raises(ValueError, match="unit is missing"):
        parse_duration("10")


@given(st.integers(0, 4_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_iso_times_are_read_back(epoch: int, offset_minutes: int) -> None:
    assert parse_ts(iso(epoch, offset_minutes * 60)) == epoch
