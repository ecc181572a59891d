"""The stretch of the fleet's stream that is in memory."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from healconsole.core.auditfilter import parse_filter
from healconsole.core.auditline import AuditEvent, AuditTail
from healconsole.core.fleetplace import in_order, place, told, told_at
from healconsole.tui import logwindow
from healconsole.tui.fleetwindow import FleetWindow


def event(second: float, said: float | None = None, outcome: str = "success") -> AuditEvent:
    """What happened at a second of the epoch, told then or later."""
    where = place(second, told_at(second if said is None else said), "a", b"%f" % second)
    return AuditEvent(offset=where, length=1, ts=second, outcome=outcome)


def events(first: int, last: int) -> list[AuditEvent]:
    return [event(second) for second in range(first, last)]


def tail(lines: Iterable[AuditEvent]) -> AuditTail:
    """A tail of these events, without a gap."""
    placed = in_order(lines)
    said = [told(line.offset) for line in placed]
    return AuditTail("stream", 0, max(said), tuple(placed), since=min(said))


def times(window: FleetWindow) -> list[int]:
    return [int(line.ts or 0) for line in window.lines if isinstance(line, AuditEvent)]


def test_it_grows_at_its_end_and_what_came_late_is_put_in_its_place() -> None:
    window = FleetWindow()
    window.take_tail(tail(events(10, 20)), follow=True)
    late = event(12.5, said=22)
    assert window.take_tail(tail([*events(15, 23), late]), follow=True) == 4
    assert times(window) == [10, 11, 12, 12, *range(13, 23)]
    assert window.live


def test_a_late_event_does_not_take_a_reader_away_from_what_they_read() -> None:
    window = FleetWindow()
    window.take_tail(tail(events(100, 110)), follow=True)
    window.before(events(50, 100), told_at(50))
    late = event(60.5, said=110)
    assert window.take_tail(tail([*events(105, 110), late]), follow=False) == 1
    assert times(window) == [*range(50, 61), *range(60, 110)]


def test_what_is_read_back_twice_is_there_once() -> None:
    window = FleetWindow()
    window.take_tail(tail([*events(50, 60), event(46, said=55)]), follow=True)
    window.before(events(40, 50), told_at(40))
    assert times(window) == list(range(40, 60))
    assert not window.at_start
    window.before(events(30, 40), 0)
    assert window.at_start


def test_what_was_missed_while_reading_leaves_the_stretch_where_it_is() -> None:
    window = FleetWindow()
    window.take_tail(tail(events(0, 10)), follow=True)
    assert window.take_tail(tail(events(500, 510)), follow=False) == 10
    assert times(window) == list(range(10))
    assert not window.live
    assert window.take_tail(tail(events(500, 512)), follow=False) == 2, "new since then"
    window.follow()
    assert times(window) == list(range(500, 512))


def test_a_stream_that_begins_anew_with_an_earlier_clock_begins_a_new_window() -> None:
    window = FleetWindow()
    window.take_tail(tail(events(500, 510)), follow=False)
    assert window.take_tail(tail(events(10, 13)), follow=False) == 0
    assert times(window) == [10, 11, 12]
    assert window.live


def test_what_is_far_from_the_reader_is_let_go_and_can_be_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logwindow, "MOST_LINES", 30)
    window = FleetWindow()
    window.take_tail(tail(events(100, 110)), follow=True)
    window.before(events(75, 100), told_at(75))
    assert times(window) == list(range(75, 105))
    assert not window.live
    assert window.end < told_at(105)
    # While somebody reads, a full window takes nothing that would push out what they read.
    assert window.take_tail(tail(events(100, 111)), follow=False) > 0
    assert times(window) == list(range(75, 105))
    window.after(events(105, 110), told_at(109))
    assert times(window) == list(range(80, 110))
    assert told_at(79) < window.start <= told_at(80)


def test_a_filter_leaves_out_what_does_not_match_also_of_what_is_read_back() -> None:
    window = FleetWindow()
    window.take_tail(tail([*events(10, 15), event(15, outcome="denied")]), follow=True)
    window.set_filter(parse_filter("outcome:denied", 20.0, 0))
    assert times(window) == [15]
    window.before([*events(5, 9), event(9, outcome="denied")], told_at(5))
    assert times(window) == [9, 15]
