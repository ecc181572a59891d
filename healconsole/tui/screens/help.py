"""Every key, and what the signs mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.screens.modal import ConsoleModal
from healconsole.tui.widgets.cells import Line, cell, fit, folded, gap
from healconsole.tui.widgets.keybar import KeyHint
from healconsole.tui.widgets.pager import Pager

_GROUPS: tuple[tuple[str, tuple[Key, ...]], ...] = (
    (
        "Act on the healer under the cursor, or on those marked",
        (*keys.ACTS, keys.MARK),
    ),
    ("Acts that were done, or wait for a second person", (keys.UNDO, keys.APPROVE)),
    ("Look", (keys.OPEN, keys.EXPLAIN, keys.FILTER, keys.SETTLE, keys.AUDIT, keys.LOCKS)),
    ("In the log", (keys.FOLLOW, keys.JUMP, keys.COPY)),
    ("In the locks", (keys.BREAK,)),
    ("Everywhere", (keys.BACK, keys.HELP, keys.REDRAW, keys.QUIT)),
)
_FIXED = (
    ("↑ ↓  k j", "move; page up and page down; home, end"),
    ("ctrl+p", "every verb by name"),
)
_SIGNS = (
    ("✖", "stopped: the circuit is open, or a file cannot be read"),
    ("!", "asks for attention: stale, failing, half-open, held"),
    ("◌", "rehearses: writes what it would do"),
    ("✔", "well"),
    ("~", "assumed: nobody declared this limit"),
    ("●○", "tokens that are there, and that are spent"),
    ("1/14", "markers: that deny now, of those that are kept"),
)


class HelpScreen(ConsoleModal[None]):
    """The keys as they are bound now, after the keymap of the configuration."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark,q", "back", "close", show=False)
    ]

    def __init__(self, also: Mapping[str, Sequence[Key]] | None = None) -> None:
        super().__init__("Help")
        self._also = dict(also or {})
        """Groups of keys that are not everybody's, by their titles."""

    def body(self) -> ComposeResult:
        """The lines."""
        yield Pager(self._drawn, id="help")

    def more_hints(self) -> Iterable[KeyHint]:
        """Say that there is more than fits a low terminal."""
        return (KeyHint("↑ ↓", "scroll", works=True, press="down"),)

    def _drawn(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for title, group in (*_GROUPS, *self._also.items()):
            lines.append((gap(1), cell(title, "head")))
            for key in group:
                spelled = self.app.get_key_display(Binding(self.console_app.keys_of(key), ""))
                lines += _entry(spelled, key.help, width)
            if title == "Everywhere":
                for spelled, says in _FIXED:
                    lines += _entry(spelled, says, width)
            lines.append(())
        lines.append((gap(1), cell("Signs", "head")))
        for sign, says in _SIGNS:
            lines += _entry(sign, says, width)
        return lines


def _entry(key: str, says: str, width: int) -> list[Line]:
    parts = folded(says, max(20, width - 15))
    return [
        (gap(3), fit(key if index == 0 else "", 9, "info"), gap(1), cell(part))
        for index, part in enumerate(parts)
    ]
