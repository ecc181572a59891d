"""A filter finds what was meant, and says what was not understood."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.auditfilter import FilterError, parse_filter
from healconsole.core.auditline import AuditEvent, UnparsableLine

NOW = 1_764_000_000.0  # 16:00:00 UTC
EVENT = AuditEvent(
    0, 1, NOW - 3600,
    ts_text="2025-11-24T15:00:00+00:00",
    host="web-07", healer="worker-queue-healer", intent="restart_worker pid=1",
    outcome="verify-failed", reason="Queue did not drain", fact="queue_depth=13777",
    scope="restart_worker", guard="circuit", operator={"user": "ana"}, incident="INC-4711",
)  # fmt: skip
BROKEN = UnparsableLine(0, 9, b'{"healer":"worker', "not JSON")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "healer:worker*",
        "healer:WORKER-queue-healer",
        "outcome:verify-failed",
        "outcome:*-failed healer:*queue*",
        "intent:restart_worker*",
        "scope:restart_?orker",
        "host:web-07",
        "guard:circuit",
        'reason:"queue did not drain"',
        "fact:queue_depth=*",
        "operator:ana",
        "incident:inc-4711",
        "drain",
        '"did not"',
        "pid=1",
        "-mailq",
        "-healer:mailq",
        '-"by hand"',
        "since:2h",
        "since:1h",
        "until:59m",
        "since:14:30",
        "since:14:30 until:15:30",
        "since:2025-11-24T14:59:59+00:00",
        "HEALER:worker*",
        "2025-11-24T15",
        "15:00",
    ],
)
def test_what_matches(text: str) -> None:
    assert parse_filter(text, NOW).matches(EVENT)


@pytest.mark.parametrize(
    "text",
    [
        "healer:worker",
        "healer:queue",
        "-drain",
        "-healer:worker*",
        "since:30m",
        "until:2h",
        "until:1h",
        "since:15:30",
        'healer:""',
        "healer:[w]orker*",
        "drain nothing",
    ],
)
def test_what_does_not_match(text: str) -> None:
    assert not parse_filter(text, NOW).matches(EVENT)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("colour:red", "there is no field 'colour': use healer, outcome"),
        ("healer:", "healer: needs a value"),
        ('reason:"by hand', "a quote is not closed"),
        ('a"b', "a quote is not closed"),
        ('"a"b', "is not a term"),
        ("-", "is not a term"),
        ("since:yesterday", "since:yesterday is not a time: say since:2h"),
        ("since:2025-11-24T14:00:00", "is not a time"),
        ("-since:2h", "say until:2h"),
        ("since:2h since:1h", "stands twice"),
        ("since:1h until:2h", "no line can match"),
        ("x" * 1001, "at most 1000"),
    ],
)
def test_what_is_not_understood_is_said(text: str, why: str) -> None:
    with pytest.raises(FilterError, match=why):
        parse_filter(text, NOW)


def test_a_line_that_does_not_parse_is_found_by_its_text_and_has_no_fields() -> None:
    assert parse_filter("worker", NOW).matches(BROKEN)
    assert parse_filter("-healer:worker*", NOW).matches(BROKEN)
    assert not parse_filter("healer:*", NOW).matches(BROKEN)
    assert not parse_filter("since:2h", NOW).matches(BROKEN)


def test_times_of_day_are_the_latest_that_have_been_on_the_operators_clock() -> None:
    assert parse_filter("since:16:00", NOW).since == NOW
    assert parse_filter("since:16:01", NOW).since == NOW + 60 - 86_400
    assert parse_filter("since:17:30", NOW, 2 * 3600).since == NOW - 1800
    assert parse_filter("since:23:30", NOW, -5 * 3600).since == NOW - 11.5 * 3600


def test_an_empty_filter_filters_nothing() -> None:
    assert not parse_filter(" ", NOW)
    assert parse_filter("a", NOW)
    assert parse_filter("until:2h", NOW)


@given(st.text(max_size=60) | st.from_regex(r"(-?[a-z]{1,8}:?\"?[*?a-z ]{0,9}\"?){0,4}"))
def test_any_text_is_a_filter_or_says_why_not(text: str) -> None:
    try:
        made = parse_filter(text, NOW)
    except FilterError:
        return
    made.matches(EVENT)
    made.matches(BROKEN)


def test_a_glob_cannot_stall_the_screen() -> None:
    wild = parse_filter("fact:" + "*a" * 400, NOW)
    long = AuditEvent(0, 1, NOW, fact="a" * 399 + "b" * 60_000)
    began = time.process_time()
    assert not wild.matches(long)
    assert time.process_time() - began < 1
