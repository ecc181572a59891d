"""A line across the screen, with words on it where there are any."""

from __future__ import annotations

from healconsole.tui.widgets.cells import Line, cell, gap, line_width
from healconsole.tui.widgets.cellview import CellView


class Rule(CellView):
    """One row: a rule, with a title on the left and a note on the right."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._left: Line = _titled(title)
        self._right: Line = ()

    def label(self, title: str, note: str = "", tone: str = "dim") -> None:
        """Write on the rule."""
        before = (self._left, self._right)
        self._left = _titled(title)
        self._right = (gap(1), cell(note, tone), gap(1)) if note else ()
        if (self._left, self._right) != before:
            self._draw()

    def on_resize(self) -> None:
        """Draw for the new width."""
        self._draw()

    def _draw(self) -> None:
        width = self.size.width
        middle = max(0, width - 2 - line_width(self._left) - line_width(self._right))
        start = cell("─" if self._left else "", "rule")
        self.show_lines(
            [
                (
                    gap(1),
                    start,
                    *self._left,
                    cell("─" * (middle - start.width), "rule"),
                    *self._right,
                    gap(1),
                )
            ]
        )


def _titled(title: str) -> Line:
    return (gap(1), cell(title, "head"), gap(1)) if title else ()
