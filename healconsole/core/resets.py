"""Earlier resets of a breaker, and what they led to: a reset that did not help is no remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from healconsole.core.ages import age
from healconsole.core.auditline import AuditEvent, AuditLine
from healconsole.core.openings import scopes_of
from healconsole.core.undoes import undoes
from healconsole.core.words import FAILURES, Outcome

WITHIN_S: Final = 86_400.0
"""Resets that are older are another incident."""

_TOLD: Final = 3


def earlier_resets(
    lines: Sequence[AuditLine], healer: str, scope: str | None, now: float
) -> tuple[str, ...]:
    """Return warnings of the resets of one scope (None: of any) within a day, newest first.

    One that was taken back, or failed, led to nothing and is not told.

    Args:
        lines: the audit log's newest lines, oldest first.
        healer: its name.
        scope: whose breaker; a reset of the whole healer counts for each.
        now: epoch seconds.
    """
    mine = [line for line in lines if isinstance(line, AuditEvent) and line.healer == healer]
    places = [place for place in _standing(mine) if _is_reset(mine[place], scope, now)]
    if not places:
        return ()
    ends = [*places[1:], len(mine)]
    told = [
        _told(mine[place], mine[place + 1 : end], scope, now)
        for place, end in zip(places, ends, strict=True)
    ]
    times = "once" if len(places) == 1 else f"{len(places)} times"
    return (f"It was reset {times} in the last 24 h already.", *told[: -_TOLD - 1 : -1])


def _standing(mine: Sequence[AuditEvent]) -> list[int]:
    """Where the resets are that nobody took back, and that did not fail; and what was asked for.

    What corrects a request tells the same states as what takes a reset back that was before it.
    """
    standing: list[int] = []
    back: list[int] = []
    for place, event in enumerate(mine):
        if event.outcome in {Outcome.OPERATOR_RESET, Outcome.OPERATOR_REQUEST}:
            standing.append(place)
        elif event.outcome == Outcome.OPERATOR_UNDO:
            for resets, others in ((standing, back), (back, standing)):
                again = resets is back
                found = next(
                    (at for at in reversed(resets) if _undoes(event, mine[at], again)), None
                )
                if found is not None:
                    resets.remove(found)
                    others.append(found)
                    break
    return sorted(standing)


def _undoes(event: AuditEvent, reset: AuditEvent, again: bool) -> bool:
    """Whether ``event`` takes ``reset`` back, or, ``again``, the undo of it."""
    before, after = (reset.after, reset.before) if again else (reset.before, reset.after)
    return undoes(event, reset.host, reset.scope, before, after)


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
