"""What a dialog says of an act that wants a second person, and of going without one."""

from __future__ import annotations

from typing import Final

from healconsole.engine.reasons import BREAK_GLASS, goes_alone, is_break_glass
from healconsole.tui.dialogs.factlines import labelled
from healconsole.tui.ports import Acts
from healconsole.tui.widgets.cells import Line

BREAK_GLASS_WHY: Final = f"say why behind {BREAK_GLASS!r}: the log tells it loudly"

_ALONE = "✖ BREAK-GLASS: done at once, without a second person; the audit log says so loudly"
_UNDO = f"an undo wants a second person and cannot be asked for: begin with {BREAK_GLASS!r}"


def lacks_why(reason: str) -> bool:
    """Whether a reason goes without the second person and says nothing else.

    >>> lacks_why("break-glass: "), lacks_why("break-glass: alone"), lacks_why("rolled back")
    (True, False, False)
    """
    return is_break_glass(reason) and not reason.strip()[len(BREAK_GLASS) :].strip()


def second_lines(acts: Acts, verb: str, reason: str, width: int) -> list[Line]:
    """Say that the act is only asked for, or loudly that it goes without a second person."""
    if goes_alone(acts.four_eyes, verb, reason):
        return labelled("ALONE", (_ALONE,), width, "alarm")
    if verb not in acts.four_eyes:
        return []
    if verb == "undo":
        return labelled("request", (_UNDO,), width, "warn")
    minutes = round(acts.second_within / 60)
    says = (
        f"! it becomes a request: within {minutes} min somebody with another login approves it "
        f"(alone: begin the reason with {BREAK_GLASS!r})"
    )
    return labelled("request", (says,), width, "warn")


def button_word(act: str, acts: Acts, verb: str, reason: str) -> str:
    """What the button says: the act, or that it is only asked for."""
    if verb not in acts.four_eyes:
        return act
    return f"{act} alone" if is_break_glass(reason) else "Ask"


def undo_wants_second(acts: Acts, reason: str) -> str:
    """Say why an undo is not done; empty if it is."""
    return "" if "undo" not in acts.four_eyes or is_break_glass(reason) else _UNDO
