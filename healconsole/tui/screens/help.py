"""Every key, and what the signs mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
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
_MOVES = ((keys.UP, keys.DOWN), (keys.PAGE_UP, keys.PAGE_DOWN), (keys.FIRST, keys.LAST))
_KEYS = 9
"""Columns of the keys; more of them have a line of their own."""
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
        Binding(key.keys, "back", "close", show=False, id=key.id) for key in (keys.HELP, keys.QUIT)
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
        app = self.console_app
        up, down = app.key_display(keys.UP), app.key_display(keys.DOWN)
        return (KeyHint(f"{up} {down}", "scroll", works=True, press=app.key_name(keys.DOWN)),)

    def _drawn(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for title, group in (*_GROUPS, *self._also.items()):
            lines.append((gap(1), cell(title, "head")))
            for key in group:
                lines += _entry(", ".join(self._spelled(key)), key.help, width)
            if title == "Everywhere":
                lines += self._moves(width)
                lines += _entry("ctrl+p", "every verb by name", width)
            lines.append(())
        lines.append((gap(1), cell("Signs", "head")))
        for sign, says in _SIGNS:
            lines += _entry(sign, says, width)
        return lines

    def _spelled(self, key: Key) -> list[str]:
        app = self.console_app
        return [app.get_key_display(Binding(each, "")) for each in app.keys_of(key).split(",")]

    def _moves(self, width: int) -> list[Line]:
        """What moves, in both directions: the first keys of each, then the others."""
        lines, pages, ends = (
            [
                " ".join(filter(None, pair))
                for pair in zip_longest(*map(self._spelled, both), fillvalue="")
            ]
            for both in _MOVES
        )
        by_more = f"by pages: {' or '.join(pages)}; to the first, the last: {' or '.join(ends)}"
        return _entry("  ".join(lines), f"move; {by_more}", width)


def _entry(key: str, says: str, width: int) -> list[Line]:
    parts = folded(says, max(20, width - _KEYS - 6))
    alone = cell(key).width > _KEYS
    lines: list[Line] = [(gap(3), cell(key, "info"))] if alone else []
    return lines + [
        (gap(3), fit(key if index == 0 and not alone else "", _KEYS, "info"), gap(1), cell(part))
        for index, part in enumerate(parts)
    ]
