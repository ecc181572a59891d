"""The stretch of the log that is in memory."""

from __future__ import annotations

from healconsole.core.auditfilter import parse_filter
from healconsole.core.auditline import AuditEvent, AuditTail
from healconsole.tui import logwindow
from healconsole.tui.logwindow import LogWindow


def event(index: int, outcome: str = "success") -> AuditEvent:
    """The event at byte ``10 * index``."""
    return AuditEvent(offset=10 * index, length=10, ts=float(index), outcome=outcome)


def tail(first: int, last: int, generation: int = 0) -> AuditTail:
    """The events from ``first`` up to ``last``."""
    events = tuple(event(index) for index in range(first, last))
    return AuditTail("log", generation, 10 * last, events)


def offsets(window: LogWindow) -> list[int]:
    return [line.offset // 10 for line in window.lines]


def test_it_grows_at_its_end_without_gap_or_repetition() -> None:
    window = LogWindow()
    window.take_tail(tail(10, 20), follow=True)
    assert window.take_tail(tail(15, 25), follow=True) == 5
    assert offsets(window) == list(range(10, 25))


def test_what_was_missed_while_following_begins_a_new_stretch() -> None:
    window = LogWindow()
    window.take_tail(tail(0, 10), follow=True)
    window.take_tail(tail(500, 510), follow=True)
    assert offsets(window) == list(range(500, 510))


def test_what_was_missed_while_reading_leaves_the_stretch_where_it_is() -> None:
    window = LogWindow()
    window.take_tail(tail(0, 10), follow=True)
    assert window.take_tail(tail(500, 510), follow=False) == 10
    assert offsets(window) == list(range(10))
    assert not window.live
    assert window.take_tail(tail(500, 512), follow=False) == 2, "those that are new since then"
    window.follow()
    assert offsets(window) == list(range(500, 512))


def test_a_replaced_log_begins_a_new_window() -> None:
    window = LogWindow()
    window.take_tail(tail(100, 110), follow=False)
    window.take_tail(tail(0, 3, generation=1), follow=False)
    assert offsets(window) == [0, 1, 2]


def test_it_is_read_on_in_both_directions() -> None:
    window = LogWindow()
    window.take_tail(tail(50, 60), follow=True)
    window.before([event(index) for index in range(40, 50)], 400)
    assert offsets(window) == list(range(40, 60))
    assert not window.at_start
    window.before([event(index) for index in range(40)], 0)
    assert window.at_start


def test_what_is_far_from_the_reader_is_let_go() -> None:
    window = LogWindow()
    most = logwindow.MOST_LINES
    window.take_tail(tail(2 * most, 2 * most + 10), follow=False)
    window.before([event(index) for index in range(most, 2 * most)], 10 * most)
    assert len(window.lines) == most
    assert not window.live
    window.after([event(2 * most + index) for index in range(10)], 10 * (2 * most + 10))
    assert len(window.lines) == most
    assert window.live


def test_a_filter_leaves_out_what_does_not_match_also_of_what_comes() -> None:
    window = LogWindow()
    window.take_tail(tail(0, 10), follow=True)
    window.set_filter(parse_filter("outcome:denied", 0.0))
    assert not window.lines
    window.take_tail(
        AuditTail("log", 0, 120, (event(9), event(10, "denied"), event(11))), follow=True
    )
    assert offsets(window) == [10]
    window.set_filter(None)
    assert offsets(window) == [9, 10, 11]
