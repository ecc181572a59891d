"""A line across the screen, with words on it where there are any."""

from __future__ import annotations

from healconsole.tui.widgets.cells import cell, fit_most, gap, line_width
from healconsole.tui.widgets.cellview import CellView


class Rule(CellView):
    """One row: a rule, with a title on the left and a note on the right."""

    def __init__(self, title: str = "", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label = (title, "", "dim")
        self._whole_title = False

    def label(
        self, title: str, note: str = "", tone: str = "dim", *, whole_title: bool = False
    ) -> None:
        """Write on the rule. Where both do not fit the title is cut, or (whole) the note."""
        if (title, note, tone, whole_title) != (*self._label, self._whole_title):
            self._label, self._whole_title = (title, note, tone), whole_title
            self._draw()

    def resized(self) -> None:
        """Draw for the new width."""
        self._draw()

    def _draw(self) -> None:
        title, note, tone = self._label
        width = self.size.width - 2
        most = width - 4 - (cell(title).width + 1 if self._whole_title else 0)
        right = (gap(1), fit_most(note, most, tone)) if note and most > 0 else ()
        room = width - line_width(right) - 4
        left = (
            (cell("─", "rule"), gap(1), fit_most(title, room, "head"), gap(1))
            if title and room > 1
            else ()
        )
        middle = max(0, width - line_width(left) - line_width(right))
        self.show_lines([(gap(1), *left, cell("─" * middle, "rule"), *right, gap(1))])
