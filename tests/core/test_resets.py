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
