"""The keys, always in sight: those that work here, and dimmed those that do not now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from textual import events

from healconsole.tui.widgets.cells import Cell, Line, cell, gap
from healconsole.tui.widgets.cellview import CellView


class KeyHint(NamedTuple):
    """One key: as it is shown, what it does, whether it would do it now, as Textual names it."""

    key: str
    does: str
    works: bool
    press: str


class KeyBar(CellView):
    """One line of keys, or more where the terminal is narrow. A click is as good as the key.

    They never take more than a third of the terminal. What is left out then are keys before the
    last two, which are help and quit or what waits to be done: help has them all.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._hints: tuple[KeyHint, ...] = ()

    def show(self, hints: Iterable[KeyHint]) -> None:
        """Show these keys."""
        before, self._hints = self._hints, tuple(hints)
        if self._hints != before:
            self._flow()

    def resized(self) -> None:
        """Flow the keys over the new width, in a third of the height of the terminal."""
        self._flow()

    def on_click(self, event: events.Click) -> None:
        """Do what the clicked key does."""
        if not 0 <= event.y < len(self.lines):
            return
        x = 0
        for piece in self.lines[event.y]:
            x += piece.width
            if event.x < x:
                for hint in self._hints:
                    if piece.text.strip() in {hint.key, hint.does}:
                        self.app.simulate_key(hint.press)
                        return
                return

    def _flow(self) -> None:
        lines = self._fitting()
        height = len(lines)
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.show_lines(lines)

    def _fitting(self) -> list[Line]:
        hints, most = list(self._hints), max(1, self.app.size.height // 3)
        while len(lines := self._wrapped(hints)) > most and hints:
            del hints[max(0, len(hints) - 3)]
        return lines

    def _wrapped(self, hints: Iterable[KeyHint]) -> list[Line]:
        width = self.size.width or self.app.size.width
        pairs = [_pair(hint) for hint in hints]
        lines: list[Line] = []
        current: list[Cell] = [gap(1)]
        used = 1
        for pair in pairs:
            room = sum(piece.width for piece in pair)
            if used + room > width and len(current) > 1:
                lines.append(tuple(current))
                current, used = [gap(1)], 1
            current += [*pair, gap(2)]
            used += room + 2
        lines.append(tuple(current))
        return lines


def _pair(hint: KeyHint) -> list[Cell]:
    tones = ("info", "text") if hint.works else ("dim", "dim")
    return [cell(hint.key, tones[0]), gap(1), cell(hint.does, tones[1])]
