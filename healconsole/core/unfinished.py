"""Acts of operators that were announced and of which no result is told: something cut them off.

An act is announced, on disk, before it takes effect; `operator-done` follows it, or a correction
(`operator-undo`, its cause `failure`) if it failed. A cycle that an operator ran has no such
result: its own events are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from healconsole.core.auditline import AuditEvent, AuditLine
from healconsole.core.pattern import pattern
from healconsole.core.words import Outcome

UNFINISHED: Final = "UNFINISHED"
"""What such an announcement is marked with."""

WITHIN_S: Final = 60.0
"""Seconds after which a result is not to be expected any more: an act takes milliseconds, and
what it may wait for 10 s at most."""

FAILURE: Final = "failure"
"""The cause of an `operator-undo` that says that the act before it failed."""

BY_HAND: Final = "operator"
"""The cause of one that is an act itself; whatever its reason says, a person wrote that."""

_UNMARKED: Final = pattern(
    r"the act (?:"
    r"was not done: (?:it waits no more|it is not as it was any more"
    r"|the request cannot be removed \(.+\))"
    r"|could not be written \(.+\); (?:nothing was changed"
    r"|what was done could not all be taken back: look at .+)"
    r"|may not have been done: .+)",
    re.DOTALL,
)
"""The reasons of the former in logs from before there was a cause: all that was ever written."""

ANNOUNCED: Final = frozenset(
    {
        Outcome.OPERATOR_TRIP, Outcome.OPERATOR_RESET, Outcome.OPERATOR_HOLD,
        Outcome.OPERATOR_RELEASE, Outcome.OPERATOR_DRY_RUN, Outcome.OPERATOR_UNDO,
        Outcome.OPERATOR_DECLINE, Outcome.OPERATOR_HALT, Outcome.OPERATOR_RESUME,
        Outcome.OPERATOR_BREAK,
    }
)  # fmt: skip

KEPT: Final = 100
"""Acts that are named; more are counted."""

P = TypeVar("P")

_Key = tuple[str, int | None, str, str]


class Unfinished(Generic[P]):
    """Goes through a log, oldest line first. ``P`` says where a line stands."""

    def __init__(self) -> None:
        self._open: dict[_Key, tuple[P, AuditEvent]] = {}
        self._lost: list[tuple[P, AuditEvent]] = []
        self.more = 0
        """Acts that were not kept."""

    def take(self, event: AuditEvent, where: P) -> None:
        """Take the next event."""
        key = _key(event)
        if _is_result(event):
            self._open.pop(key, None)
        elif event.outcome in ANNOUNCED:
            if key in self._open:
                self._lose(key)
            elif len(self._open) > KEPT:
                self._lose(next(iter(self._open)))
            self._open[key] = (where, event)

    def found(self, until: float) -> tuple[tuple[P, AuditEvent], ...]:
        """The acts without a result, as they were announced, oldest first.

        Args:
            until: epoch seconds up to which the log was gone through.
        """
        late = [one for one in self._open.values() if _is_late(one[1], until)]
        return tuple(sorted([*self._lost, *late], key=lambda one: one[1].ts or 0.0))

    def _lose(self, key: _Key) -> None:
        lost = self._open.pop(key)
        if len(self._lost) < KEPT:
            self._lost.append(lost)
        else:
            self.more += 1


def is_unfinished(lines: Sequence[AuditLine], index: int, until: float) -> bool | None:
    """Whether the act that ``lines[index]`` announces has no result; None if that may still come.

    Args:
        lines: of the log, without one left out behind ``index``.
        index: of the line in question.
        until: epoch seconds up to which ``lines`` tell everything.
    """
    event = lines[index]
    if not isinstance(event, AuditEvent) or event.outcome not in ANNOUNCED:
        return False
    if _is_result(event):
        return False
    key = _key(event)
    for place in range(index + 1, len(lines)):
        later = lines[place]
        if not isinstance(later, AuditEvent):
            continue
        if _key(later) == key and (_is_result(later) or later.outcome in ANNOUNCED):
            return not _is_result(later)
        if later.ts is not None and _is_late(event, later.ts):
            return True
    return True if _is_late(event, until) else None


def unfinished_words(event: AuditEvent) -> str:
    """Say what was cut off. Data from outside is in it."""
    what = f"{event.healer} / {event.scope}" if event.scope else event.healer
    who, verb = event.operator.get("user", "?"), event.outcome.removeprefix("operator-")
    return (
        f"{verb} of {what} by {who} was announced at {event.ts_text}, and no result followed: "
        f"look whether it is {event.before or '?'} or {event.after or '?'}"
    )


def _key(event: AuditEvent) -> _Key:
    return event.host, event.pid, event.healer, event.scope


def _is_result(event: AuditEvent) -> bool:
    if event.outcome == Outcome.OPERATOR_DONE:
        return True
    if event.outcome != Outcome.OPERATOR_UNDO:
        return False
    return event.cause == FAILURE if event.cause else bool(_UNMARKED.fullmatch(event.reason))


def _is_late(event: AuditEvent, until: float) -> bool:
    return event.ts is None or until - event.ts > WITHIN_S
