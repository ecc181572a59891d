"""Earlier resets of a breaker, and what they led to: a reset that did not help is no remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from healconsole.core.ages import age
from healconsole.core.auditline import AuditEvent, AuditLine
from healconsole.core.openings import scopes_of
from healconsole.core.words import FAILURES, Outcome

WITHIN_S: Final = 86_400.0
"""Resets that are older are another incident."""

_TOLD: Final = 3


def earlier_resets(
    lines: Sequence[AuditLine], healer: str, scope: str | None, now: float
) -> tuple[str, ...]:
    """Return warnings of the resets of one scope (None: of any) within a day, newest first.

    Args:
        lines: the audit log's newest lines, oldest first.
        healer: its name.
        scope: whose breaker; a reset of the whole healer counts for each.
        now: epoch seconds.
    """
    mine = [line for line in lines if isinstance(line, AuditEvent) and line.healer == healer]
    places = [place for place, event in enumerate(mine) if _is_reset(event, scope, now)]
    if not places:
        return ()
    ends = [*places[1:], len(mine)]
    told = [
        _told(mine[place], mine[place + 1 : end], scope, now)
        for place, end in zip(places, ends, strict=True)
    ]
    times = "once" if len(places) == 1 else f"{len(places)} times"
    return (f"It was reset {times} in the last 24 h already.", *told[: -_TOLD - 1 : -1])


def _is_reset(event: AuditEvent, scope: str | None, now: float) -> bool:
    if event.outcome != Outcome.OPERATOR_RESET or event.ts is None:
        return False
    return now - event.ts < WITHIN_S and (scope is None or event.scope in {"", scope})


def _told(reset: AuditEvent, behind: Sequence[AuditEvent], scope: str | None, now: float) -> str:
    who = str(reset.operator.get("user", "")) or "somebody"
    at = reset.ts or now
    said = f"Reset {age(now - at)} ago by {who}"
    for event in behind:
        ended = event.outcome == Outcome.SUCCESS or event.outcome in FAILURES
        if ended and (scope is None or scope in scopes_of(event)):
            after = "" if event.ts is None else f" {age(event.ts - at)} later"
            return f"{said}: {event.outcome}{after}"
    return f"{said}: it has not acted since"
