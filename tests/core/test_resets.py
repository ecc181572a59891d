"""Repeated resets of one breaker are warned about, with what the last ones led to."""

from __future__ import annotations

from healconsole.core.resets import earlier_resets
from tests.report.events import NOW, event

ADA = {"user": "ada"}


def test_what_the_last_resets_led_to() -> None:
    lines = [
        event(NOW - 90_000, "operator-reset", operator=ADA),
        event(NOW - 7_200, "operator-reset", operator=ADA),
        event(NOW - 7_200, "operator-done", operator=ADA),
        event(NOW - 7_160, "started"),
        event(NOW - 7_160, "verify-failed"),
        event(NOW - 3_600, "operator-reset", operator=ADA, scope=""),
        event(NOW - 3_000, "success"),
        event(NOW - 60, "operator-reset", operator={"user": "grace"}),
        event(NOW - 50, "operator-reset", operator=ADA, scope="other"),
        event(NOW - 40, "success", scope="other"),
    ]
    assert earlier_resets(lines, "queue", "restart_worker", NOW) == (
        "It was reset 3 times in the last 24 h already.",
        "Reset 1m ago by grace: it has not acted since",
        "Reset 1h ago by ada: success 10m later",
        "Reset 2h ago by ada: verify-failed 40s later",
    )


def test_a_first_reset_is_no_warning() -> None:
    lines = [event(NOW - 40, "verify-failed"), event(NOW - 20, "operator-trip", operator=ADA)]
    assert earlier_resets(lines, "queue", "restart_worker", NOW) == ()
    other = [event(NOW - 20, "operator-reset", operator=ADA)]
    assert earlier_resets(other, "mail", "restart_worker", NOW) == ()


def test_a_reset_that_was_taken_back_or_failed_is_none() -> None:
    to, back = {"before": "open", "after": "half-open"}, {"before": "half-open", "after": "open"}
    lines = [
        event(NOW - 900, "operator-reset", operator=ADA, **to),
        event(NOW - 800, "operator-undo", operator=ADA, cause="operator", **back),
        event(NOW - 700, "operator-reset", operator=ADA, **to),
        event(NOW - 700, "operator-undo", operator=ADA, cause="failure", **back),
    ]
    assert earlier_resets(lines, "queue", "restart_worker", NOW) == ()
    # The undo of the first is itself taken back: the reset stands.
    again = [*lines[:2], event(NOW - 750, "operator-undo", cause="operator", **to)]
    assert earlier_resets(again, "queue", "restart_worker", NOW)[0].startswith("It was reset once")
    # What takes back another scope's leaves it alone.
    other = [lines[0], event(NOW - 800, "operator-undo", scope="other", **back)]
    assert earlier_resets(other, "queue", "restart_worker", NOW)


def test_a_request_that_could_not_be_written_takes_no_reset_before_it_back() -> None:
    held, probe = "forced-open until reset", "half-open"
    lines = [
        event(NOW - 800, "operator-reset", operator=ADA, before=held, after=probe),
        event(NOW - 700, "operator-trip", operator=ADA, before=probe, after=held),
        event(NOW - 500, "operator-request", operator=ADA, before=held, after=probe),
        event(NOW - 500, "operator-undo", operator=ADA, cause="failure", before=probe, after=held),
    ]
    assert earlier_resets(lines, "queue", "restart_worker", NOW)[0].startswith("It was reset once")
