"""A widget that draws lines of cells and repaints only the cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from healconsole.tui.widgets.cells import EMPTY_LINE, Line, changed_spans


class CellView(ScrollView):
    """Lines of cells, the first ``fixed`` of which do not scroll.

    Nothing in it is a child widget: a line is a handful of segments, kept until it changes.
    """

    ALLOW_SELECT: ClassVar[bool] = False
    fixed = 0
    """Lines at the top that stay where they are when the rest scrolls."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._marked_line: int | None = None
        self._tones: dict[tuple[str, bool], Style] = {}

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is shown now."""
        return self._lines

    @property
    def marked_line(self) -> int | None:
        """Index of the line under the cursor, if there is a cursor."""
        return self._marked_line

    def mark_line(self, index: int | None) -> None:
        """Put the cursor's colour under one line."""
        if index == self._marked_line:
            return
        for changed in (self._marked_line, index):
            if changed is not None:
                self._repaint(changed, 0, self.size.width)
        self._marked_line = index

    def line_count(self) -> int:
        """Return how many lines there are."""
        return len(self._lines)

    def line(self, index: int) -> Line:
        """Return one line; those that do not exist are empty."""
        return self._lines[index] if 0 <= index < len(self._lines) else EMPTY_LINE

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines. Only what differs from the last ones is painted."""
        old, self._lines = self._lines, tuple(lines)
        shared = min(len(old), len(self._lines))
        for index in self._visible_indices(max(len(old), len(self._lines))):
            if index < shared:
                for x, count in changed_spans(old[index], self._lines[index]):
                    self._repaint(index, x, count)
            else:
                self._repaint(index, 0, self.size.width)
        size = Size(0, len(self._lines))
        if size != self.virtual_size:
            self.virtual_size = size

    def change_line(self, index: int, line: Line) -> None:
        """Show another line in the place of one."""
        old = self._lines[index]
        if old is line:
            return
        self._lines = (*self._lines[:index], line, *self._lines[index + 1 :])
        for x, count in changed_spans(old, line):
            self._repaint(index, x, count)

    def line_at(self, y: int) -> int:
        """Return the index of the line drawn ``y`` rows below the top; it may not exist."""
        return y if y < self.fixed else y + self.scroll_offset.y

    def render_line(self, y: int) -> Strip:
        """Draw one row of the widget."""
        index = self.line_at(y)
        line = self.line(index)
        under_cursor = index == self._marked_line
        segments = [
            Segment(piece.text, self._style(piece.tone, under_cursor))
            for piece in line
            if piece.text
        ]
        return Strip(segments).adjust_cell_length(
            self.size.width, self._style("text", under_cursor)
        )

    def notify_style_update(self) -> None:
        """Forget the styles of the old theme."""
        self._tones.clear()
        super().notify_style_update()

    def _style(self, tone: str, under_cursor: bool) -> Style:
        key = (tone, under_cursor)
        style = self._tones.get(key)
        if style is None:
            tones = self.screen
            style = self.rich_style + tones.get_component_rich_style(f"tone--{tone}", partial=True)
            if under_cursor:
                style += tones.get_component_rich_style("tone--cursor", partial=True)
            # Links and meta would make every cell a thing to click; these lines are only text.
            style = self._tones[key] = style.clear_meta_and_links()
        return style

    def _visible_indices(self, count: int) -> range | list[int]:
        top = self.scroll_offset.y
        if not self.fixed:
            return range(top, min(count, top + self.size.height))
        moving = range(top + self.fixed, min(count, top + self.size.height))
        return [*range(min(self.fixed, count)), *moving]

    def _repaint(self, index: int, x: int, width: int) -> None:
        y = index if index < self.fixed else index - self.scroll_offset.y
        if (y >= self.fixed or index < self.fixed) and 0 <= y < self.size.height:
            self.refresh(Region(x, y, width, 1))
