"""What events add up to, against sums that a reader would make by hand."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.auditline import AuditEvent, UnparsableLine
from healconsole.core.auditparse import parse_line
from healconsole.core.report.durations import Durations, stepped
from healconsole.core.report.report import MOST_HEALERS, Report, ReportCount, acts_by_host
from healconsole.core.report.span import Span, day_of, days_of
from healconsole.core.report.tally import HealerTally
from tests.report.events import DAY, NOW, event, legacy, legacy_line, positive

SPAN = Span(NOW - 7 * DAY, NOW)
ENDS = ("success", "verify-failed", "action-failed", "timed-out", "interrupted")


def report(*events: AuditEvent, span: Span = SPAN) -> Report:
    count = ReportCount(span)
    for it in events:
        count.add(it, "log")
    return count.result()


def tally(*events: AuditEvent) -> HealerTally:
    return report(*events).healers[0]


outcomes = st.sampled_from(["started", *ENDS, "denied", "dry-run", "operator-reset", "odd"])
histories = st.lists(
    st.builds(
        lambda at, outcome, host, healer, guard, count: event(
            NOW - 8 * DAY + at, outcome, host=host, healer=healer, guard=guard, count=count
        ),
        st.floats(0, 9 * DAY),
        outcomes,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["x", "y"]),
        st.sampled_from(["rate", "circuit", ""]),
        st.integers(1, 5),
    ),
    max_size=60,
).map(lambda found: sorted(found, key=lambda it: it.ts or 0))


def naive_actions(events: list[AuditEvent]) -> Counter[tuple[str, str]]:
    """Starts, and ends without a start before them, by host and day."""
    found: Counter[tuple[str, str]] = Counter()
    for place, it in enumerate(events):
        before = [
            other.outcome
            for other in events[:place]
            if (other.host, other.intent) == (it.host, it.intent)
            and other.outcome in {"started", *ENDS}
        ]
        orphan = it.outcome in ENDS and (not before or before[-1] != "started")
        if it.outcome == "started" or orphan:
            found[it.host, day_of(it)] += 1
    return found


@given(histories)
def test_the_tally_is_the_naive_one(events: list[AuditEvent]) -> None:
    made = report(*events)
    inside = [it for it in events if it.ts is not None and SPAN.since <= it.ts < SPAN.until]
    assert made.reading.lines == len(events)
    assert made.reading.outside == len(events) - len(inside)
    by_name = {
        name: list(found)
        for name, found in groupby(sorted(inside, key=lambda it: it.healer), lambda it: it.healer)
    }
    assert [healer.name for healer in made.healers] == sorted(by_name)
    for healer in made.healers:
        mine = by_name[healer.name]
        counts: Counter[str] = Counter()
        denials: Counter[str] = Counter()
        for it in mine:
            times = 1 if it.outcome != "denied" or it.count == 1 else it.count - 1
            counts[it.outcome] += times
            if it.outcome == "denied":
                denials[it.guard or "(other)"] += times
        assert positive(healer.outcomes) == positive(counts)
        assert positive(healer.denials) == positive(denials)
        acts = naive_actions(mine)
        assert {key: on.actions for key, on in healer.days.items() if on.actions} == dict(acts)
        assert healer.actions == acts.total()
        assert healer.would_be == sum(it.outcome == "dry-run" for it in mine)
        assert sum(on.events for on in healer.days.values()) == healer.events == len(mine)
        assert (healer.first, healer.last) == (mine[0].ts, mine[-1].ts)


@given(st.lists(st.floats(0, 30 * DAY), min_size=1, max_size=200))
def test_durations_are_right_to_their_step(seconds: list[float]) -> None:
    durations = Durations()
    for it in seconds:
        durations.add(it)
    summary, ranked = durations.summary(), sorted(seconds)
    assert summary.count == len(seconds)
    assert summary.longest == ranked[-1]
    middle = float(stepped(ranked[(len(ranked) - 1) // 2]))
    assert summary.mean is not None
    assert abs(summary.mean - sum(seconds) / len(seconds)) < 1e-3
    assert summary.median == min(max(middle, ranked[0]), ranked[-1])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_what_equal_durations_are_like_is_exact(count: int) -> None:
    found = Durations()
    for _ in range(count):
        found.add(5.4)
    said = found.summary()
    assert (said.median, said.p95, said.longest) == (5.4, 5.4, 5.4)


def test_an_older_librarys_seven_fields_count() -> None:
    made = tally(legacy(NOW - 50, "success"), legacy(NOW - 40, "verify-failed"))
    assert (made.actions, made.failures) == (2, 1)
    assert made.outcomes == {"success": 1, "verify-failed": 1}


def test_a_run_of_denials_is_counted_once() -> None:
    made = tally(
        event(NOW - 600, "denied", guard="rate"),
        event(NOW - 60, "denied", guard="rate", count=540),
    )
    assert made.denials == {"rate": 540}


def test_mttr_is_from_the_first_fact_to_the_success() -> None:
    made = tally(
        event(NOW - 1000, "started"),
        event(NOW - 970, "verify-failed"),
        event(NOW - 600, "denied", guard="rate"),
        event(NOW - 300, "started"),
        event(NOW - 280, "success"),
        event(NOW - 100, "started"),
        event(NOW - 70, "success"),
        event(NOW - 20, "started", host="web-2"),
    )
    assert made.repairs.healed.count == 2
    assert made.repairs.healed.mean == (720 + 30) / 2
    assert made.repairs.unhealed == 1


def test_a_silence_of_hours_begins_another_incident() -> None:
    quiet = tally(
        event(NOW - 2 * DAY, "verify-failed"),
        event(NOW - 100, "started"),
        event(NOW - 90, "success"),
    )
    assert quiet.repairs.healed.longest == 10
    assert quiet.repairs.unhealed == 1
    denied = tally(
        event(NOW - 2 * DAY, "denied", guard="hold"),
        event(NOW - 110, "denied", guard="hold", count=900),
        event(NOW - 100, "started"),
        event(NOW - 90, "success"),
    )
    assert denied.repairs.healed.longest == 2 * DAY - 90


def test_a_rehearsal_is_no_incident() -> None:
    made = tally(event(NOW - 100, "dry-run"), event(NOW - 90, "denied", guard="rate", dry_run=True))
    assert made.repairs.unhealed == 0
    assert acts_by_host(made) == {"web-1": {"2025-11-24": 1}}


def test_a_day_is_that_of_the_host() -> None:
    late = event(NOW, "success", ts="2025-11-24T23:30:00.000-08:00")
    assert day_of(late) == "2025-11-24"
    assert day_of(event(NOW, "success", ts=1764000000)) == "2025-11-24"


def test_quiet_days_are_days() -> None:
    assert days_of(SPAN, 0)[0] == "2025-11-17"
    assert len(days_of(SPAN, 0, ["2025-11-25"])) == 9


def test_what_does_not_parse_is_counted_and_shown() -> None:
    count = ReportCount(SPAN)
    for raw in (b"{torn\n", b"\n", legacy_line(NOW - 5, "success", ts="yesterday")):
        count.add(parse_line(raw, 7), "log")
    reading = count.result().reading
    assert (reading.lines, reading.unparsable, reading.timeless) == (3, 2, 1)
    assert reading.samples[0].raw == b"{torn\n"


def test_memory_is_bounded_whatever_the_names() -> None:
    count = ReportCount(SPAN)
    for number in range(MOST_HEALERS + 50):
        count.add(legacy(NOW - 5, "success", healer=f"h{number}"), "log")
        count.add(UnparsableLine(0, 1, b"x", "why"), "log")
    made = count.result()
    assert len(made.healers) == MOST_HEALERS + 1
    assert sum(healer.actions for healer in made.healers) == MOST_HEALERS + 50
    assert len(made.reading.samples) == 5
