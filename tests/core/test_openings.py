"""What opened a circuit is found in the log, and its facts are read together."""

from __future__ import annotations

import pytest

from healconsole.core.auditline import AuditEvent, AuditLine, UnparsableLine
from healconsole.core.openings import opening_failures, trend


def line(
    outcome: str, *, scope: str = "a", healer: str = "h", fact: str = "", at: int = 0
) -> AuditEvent:
    return AuditEvent(
        at, 1, None, healer=healer, intent="a pid=1", scope=scope, outcome=outcome, fact=fact
    )


def test_the_failures_since_the_last_success() -> None:
    lines: list[AuditLine] = [
        line("verify-failed", at=1),
        line("success", at=2),
        line("verify-failed", at=3),
        line("verify-failed", healer="other", at=4),
        UnparsableLine(5, 1, b"x", "x"),
        line("denied", at=6),
        line("timed-out", at=7),
        line("action-failed", scope="b", at=8),
        line("interrupted", at=9),
        line("operator-trip", at=10),
    ]
    assert [event.offset for event in opening_failures(lines, "a", "h").events] == [3, 7, 9]
    assert [event.offset for event in opening_failures(lines, "a", "h", n=2).events] == [7, 9]
    assert [event.offset for event in opening_failures(lines, None, "h").events] == [3, 7, 8, 9]
    assert opening_failures(lines, "c", "h").events == ()


@pytest.mark.parametrize("scope", ["a", "a pid=1"])
def test_legacy_events_count_by_verb_or_by_whole_intent(scope: str) -> None:
    assert len(opening_failures([line("verify-failed", scope="")], scope, "h").events) == 1


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (["q=1,w=8", "q=2,w=8", "q=3,w=8"], "q grew each time: the fix does not reach the cause"),
        (["q=9", "q=8.5"], "q fell each time: the fix helps, but not enough"),
        (["q=5,w=1", "q=5,w=2"], "w grew each time: the fix does not reach the cause"),
        (["q=5", "q=5"], "q stayed at 5: the fix changes nothing"),
        (["q=ERROR", "q=ERROR"], "q could not be measured: the healer acts without seeing"),
        (["q=1", "q=3", "q=2"], ""),
        (["q=1"], ""),
        ([], ""),
        (["free text", "free text"], ""),
        (["q=1", "q=ERROR"], ""),
        (["q=1e999", "q=2e999"], ""),
        (["", ""], ""),
    ],
)
def test_trends(facts: list[str], said: str) -> None:
    assert trend(facts) == said
