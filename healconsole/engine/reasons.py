"""Why an operator acts: what has to be said, and what it means."""

from __future__ import annotations

from collections.abc import Collection

from healconsole.core.plan import ActRefused

BREAK_GLASS = "break-glass:"
"""What the reason begins with, of an act that wants a second person and has none."""

REASON_LIMIT = 2_000
"""Characters of a reason that are kept."""


def is_break_glass(reason: str) -> bool:
    """Whether somebody goes without the second person, and says so.

    >>> is_break_glass(" Break-glass: nobody answers"), is_break_glass("broke a glass")
    (True, False)
    """
    return reason.strip().lower().startswith(BREAK_GLASS)


def goes_alone(four_eyes: Collection[str], verb: str, reason: str) -> bool:
    """Whether an act goes without the second person that it wants.

    Where acts want one, so does an undo of what the caller did not do alone, whether or not
    ``undo`` is named: who breaks the glass for an undo goes alone.

    >>> alone = "break-glass: nobody answers"
    >>> [goes_alone({"reset"}, verb, alone) for verb in ("reset", "undo", "trip")]
    [True, True, False]
    >>> goes_alone((), "undo", alone), goes_alone({"reset"}, "undo", "too early")
    (False, False)
    """
    wants = verb in four_eyes or (verb == "undo" and bool(four_eyes))
    return wants and is_break_glass(reason)


def checked_reason(text: str) -> str:
    """The reason without blanks around it.

    Raises:
        ActRefused: it is empty.
    """
    reason = text.strip()
    if not reason:
        raise ActRefused("a reason is needed: it is what the audit log is read for later")
    return reason[:REASON_LIMIT]
