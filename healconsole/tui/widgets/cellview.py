"""A widget that draws lines of cells and repaints only the cells that changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from healconsole.tui.spans import Span
from healconsole.tui.widgets.cells import EMPTY_LINE, Line, changed_spans, gap, line_width

_KEPT: Final = 3
"""Screenfuls of drawn lines that are kept."""
_PIECES_KEPT: Final = 2000


class CellView(ScrollView):
    """Lines of cells, the first ``fixed`` of which do not scroll.

    Nothing in it is a child widget: a line is a handful of segments, kept until it changes. Only
    lines in sight are asked for, compared and drawn, however many there are.
    """

    ALLOW_SELECT: ClassVar[bool] = False
    fixed = 0
    """Lines at the top that stay where they are when the rest scrolls."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._marked_line: int | None = None
        self._tones: dict[tuple[str, bool], Style] = {}
        self._promised: dict[int, Line] = {}
        """The lines in sight as they were last painted, or marked to be."""
        self._strips: dict[int, tuple[Line, bool, Strip]] = {}
        """Drawn lines by index, each with the line and whether the cursor is on it."""
        self._pieces: dict[tuple[str, str, bool], Segment] = {}
        """Cells as they leave, by text, tone and whether the cursor is on them."""
        self._drawn_for: tuple[int, Color, Sequence[LineFilter]] | None = None
        """The width, the background and the filters that both were drawn for."""

    @property
    def size(self) -> Size:
        """The size that the layout gave last; Textual looks it up anew for each question."""
        return self.outer_size - self.styles.gutter.totals

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
        width = self.size.width
        marks = (self._marked_line, index)
        self._marked_line = index
        self._repaint([(line, 0, width) for line in marks if line is not None])

    def resized(self) -> None:
        """Draw for a new size. What is drawn here is in the very frame that has the size."""

    def _size_updated(
        self, size: Size, virtual_size: Size, container_size: Size, layout: bool = True
    ) -> bool:
        # The event of a resize comes after the frame: that one would show the old lines, cut to
        # the new size, and the first frame of all would show none. Textual has no public place.
        changed = super()._size_updated(size, virtual_size, container_size, layout)
        if changed and size:
            self.resized()
        return changed

    def line_count(self) -> int:
        """Return how many lines there are."""
        return len(self._lines)

    def line(self, index: int) -> Line:
        """Return one line; those that do not exist are empty."""
        return self._lines[index] if 0 <= index < len(self._lines) else EMPTY_LINE

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines. Only what differs from the last ones is painted."""
        before = self._lines
        # What is the same stays the same object: it need not be compared or drawn again.
        self._lines = (
            *(old if old == new else new for old, new in zip(before, lines, strict=False)),
            *lines[len(before) :],
        )
        self.paint_changes()

    def paint_changes(self) -> None:
        """Paint what differs, in sight, from what was painted last."""
        before, after = self._promised, self._in_sight()
        self._promised = after
        changed: list[tuple[int, int, int]] = []
        for index, new in after.items():
            old = before.get(index)
            if old is not new:
                spans = ((0, self.size.width),) if old is None else changed_spans(old, new)
                changed += ((index, x, count) for x, count in spans)
        if gone := before.keys() - after.keys():
            changed += ((index, 0, self.size.width) for index in gone)
        self._repaint(changed)
        size = Size(0, self.line_count())
        if size != self.virtual_size:
            self.virtual_size = size

    def line_at(self, y: int) -> int:
        """Return the index of the line drawn ``y`` rows below the top; it may not exist."""
        return y if y < self.fixed else y + self.scroll_offset.y

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Paint what came in sight. There is no bar beside the lines that would have to move."""
        if round(old_value) != round(new_value):
            self._promised = self._in_sight()
            self.refresh(self.size.region)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw some rows of the widget, those that did not change as they were.

        What Textual does here beside is to draw borders and padding around each row, for which
        it takes all of them apart and puts them together again.
        """
        if self._has_frame:
            return super().render_lines(crop)
        first, end = crop.column_span
        return self.render_spans([(y, first, end) for y in crop.line_range])

    def render_spans(self, spans: Iterable[Span]) -> list[Strip]:
        """Draw some stretches of the widget: (row, first column, first one behind)."""
        if self._has_frame:
            return [
                super(CellView, self).render_lines(Region(first, y, end - first, 1))[0]
                for y, first, end in spans
            ]
        filters, background = self.get_line_filters(), self.background_colors[1]
        width, top, fixed = self.size.width, self.scroll_offset.y, self.fixed
        drawn_for = (width, background, filters)
        if drawn_for != self._drawn_for:
            self._strips.clear()
            self._pieces.clear()
            self._drawn_for = drawn_for
        if len(self._strips) > _KEPT * self.size.height:
            self._strips.clear()
        found = []
        for y, first, end in spans:
            index = y if y < fixed else y + top
            line, under_cursor = self.line(index), index == self._marked_line
            kept = self._strips.get(index)
            if kept is None or kept[0] is not line or kept[1] is not under_cursor:
                strip = self._strip(line, under_cursor, self._leaving)
                kept = self._strips[index] = (line, under_cursor, strip)
            found.append(kept[2].crop(first, end))
        return found

    @property
    def _has_frame(self) -> bool:
        """Whether the stylesheet gives it anything that is drawn around or over its lines."""
        styles = self.styles
        return styles.gutter.totals != (0, 0) or self.opacity < 1 or styles.tint.a > 0

    def render_line(self, y: int) -> Strip:
        """Draw one row of the widget."""
        index = self.line_at(y)
        return self._strip(self.line(index), index == self._marked_line, self._segment)

    def _strip(
        self, line: Line, under_cursor: bool, drawn: Callable[[str, str, bool], Segment]
    ) -> Strip:
        segments: list[Segment] = []
        width, taken = self.size.width, line_width(line)
        for text, tone, _ in (*line, gap(width - taken)):
            if not text:
                continue
            piece = drawn(text, tone, under_cursor)
            if segments and segments[-1].style is piece.style:
                segments[-1] = Segment(segments[-1].text + piece.text, piece.style)
            else:
                segments.append(piece)
        return Strip(segments, max(width, taken)).crop(0, width)

    def _leaving(self, text: str, tone: str, under_cursor: bool) -> Segment:
        """A cell behind the filters; the same words come again and again."""
        piece = self._pieces.get((text, tone, under_cursor))
        if piece is None:
            assert self._drawn_for is not None  # noqa: S101 - `render_spans` has set it
            _, background, filters = self._drawn_for
            drawn = [self._segment(text, tone, under_cursor)]
            for each in filters:
                drawn = each.apply(drawn, background)
            if len(self._pieces) >= _PIECES_KEPT:
                self._pieces.clear()
            piece = self._pieces[text, tone, under_cursor] = drawn[0]
        return piece

    def _segment(self, text: str, tone: str, under_cursor: bool) -> Segment:
        return Segment(text, self._style(tone, under_cursor))

    def notify_style_update(self) -> None:
        """Forget the styles of the old theme."""
        self._tones.clear()
        self._strips.clear()
        self._pieces.clear()
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

    def _in_sight(self) -> dict[int, Line]:
        top, count = self.scroll_offset.y, self.line_count()
        fixed = range(min(self.fixed, count))
        moving = range(top + self.fixed, min(count, top + self.size.height))
        return {index: self.line(index) for index in (*fixed, *moving)}

    def _repaint(self, spans: Iterable[tuple[int, int, int]]) -> None:
        """Have columns painted again: (line, first column, how many)."""
        top, height, fixed = self.scroll_offset.y, self.size.height, self.fixed
        regions = []
        for index, x, width in spans:
            y = index if index < fixed else index - top
            if (y >= fixed or index < fixed) and 0 <= y < height:
                regions.append(Region(x, y, width, 1))
        if regions:
            self.refresh(*regions)
