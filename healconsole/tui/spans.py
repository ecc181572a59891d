"""Draws of a screen only the stretches that changed.

Textual's compositor draws, for two digits in two corners of the screen, every row of every widget
in between, and cuts all of it into pieces; and for a whole screen also what is behind others. Here
each stretch that changed is asked of the widget that is in front there, and of no other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Protocol, cast, runtime_checkable

from rich.console import RenderableType
from textual._compositor import Compositor, CompositorUpdate
from textual._context import visible_screen_stack
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

Span = tuple[int, int, int]
"""A row, the first column, and the first one behind."""


@runtime_checkable
class DrawsSpans(Protocol):
    """A widget that draws stretches of its rows for less than whole rows cost."""

    def render_spans(self, spans: Iterable[Span]) -> list[Strip]:
        """Return a strip for each of the spans, which are counted from its corner."""


class SpansUpdate(CompositorUpdate):
    """Strips, each with the (column, row) of the screen at which it begins."""

    def __init__(self, pieces: list[tuple[int, int, Strip]]) -> None:
        self.pieces = pieces


class SpanCompositor(Compositor):
    """Textual's compositor, but for how it draws what changed. It has no public place for this."""

    def render_update(
        self,
        full: bool = False,
        screen_stack: list[Screen[object]] | None = None,
        simplify: bool = False,
    ) -> RenderableType | None:
        """Draw what was marked, be it everything; ``full`` is for pictures, not for terminals."""
        if full:
            return super().render_update(full, screen_stack, simplify)
        visible_screen_stack.set(screen_stack or [])
        # Textual itself takes its updates for renderables, though they render in another way.
        return cast("RenderableType | None", self.render_partial_update())

    def render_partial_update(self) -> SpansUpdate | None:  # type: ignore[override]
        """Draw what was marked since the last time; None if nothing was."""
        screen = self.size.region
        regions = [region.intersection(screen) for region in self._dirty_regions]
        self._dirty_regions.clear()
        pieces = self._pieces(_one_a_row(self._regions_to_spans(filter(None, regions))))
        return SpansUpdate(pieces) if pieces else None

    def strips(self, spans: Iterable[Span]) -> list[Strip]:
        """Draw each of the spans, which are in the order of the screen and do not overlap."""
        asked = list(spans)
        pieces = deque(self._pieces(asked))
        found = []
        for row, _, end in asked:
            parts: list[Strip] = []
            while pieces and pieces[0][1] == row and pieces[0][0] < end:
                parts.append(pieces.popleft()[2])
            found.append(Strip.join(parts))
        return found

    def _pieces(self, spans: Iterable[Span]) -> list[tuple[int, int, Strip]]:
        """Strips of what is seen in the spans, each with its (column, row), in order."""
        of_widget: dict[Widget, tuple[Region, list[Span]]] = {}
        for span in spans:
            for widget, region, part in self._in_front(span):
                of_widget.setdefault(widget, (region, []))[1].append(part)
        pieces: list[tuple[int, int, Strip]] = []
        for widget, (region, parts) in of_widget.items():
            x, y = region.offset
            inside = [(row - y, first - x, end - x) for row, first, end in parts]
            for (row, first, _), strip in zip(parts, _drawn(widget, inside), strict=True):
                pieces.append((first, row, strip))
        pieces.sort(key=lambda piece: (piece[1], piece[0]))
        return pieces

    def _in_front(self, span: Span) -> Iterator[tuple[Widget, Region, Span]]:
        """The widgets that are seen in a span, each with its region and its part of the span."""
        row, first, end = span
        open_parts = [(first, end)]
        for widget, seen, region in self.layers_visible[row]:
            hidden: list[tuple[int, int]] = []
            for left, right in open_parts:
                begin, stop = max(left, seen.x), min(right, seen.right)
                if begin >= stop:
                    hidden.append((left, right))
                    continue
                yield widget, region, (row, begin, stop)
                hidden += [part for part in ((left, begin), (stop, right)) if part[0] < part[1]]
            open_parts = hidden
            if not open_parts:
                return


def _one_a_row(spans: Iterable[Span]) -> list[Span]:
    """The spans, in the order of the screen, with those of a row as one.

    To draw what is between two of them costs less than to cut a row twice.

    >>> _one_a_row([(1, 0, 2), (1, 6, 8), (2, 0, 8)])
    [(1, 0, 8), (2, 0, 8)]
    """
    rows: dict[int, tuple[int, int]] = {}
    for row, first, end in spans:
        least, most = rows.get(row, (first, end))
        rows[row] = (min(least, first), max(most, end))
    return [(row, *rows[row]) for row in sorted(rows)]


def _drawn(widget: Widget, spans: list[Span]) -> Iterable[Strip]:
    if isinstance(widget, DrawsSpans):
        return widget.render_spans(spans)
    return [strip for region in _joined(spans) for strip in widget.render_lines(region)]


def _joined(spans: list[Span]) -> Iterator[Region]:
    """The spans as regions, in order: rows with the same columns below each other are one.

    >>> list(_joined([(1, 0, 8), (2, 0, 8), (4, 0, 8)]))
    [Region(x=0, y=1, width=8, height=2), Region(x=0, y=4, width=8, height=1)]
    """
    for _, group in groupby(enumerate(spans), lambda each: (each[1][0] - each[0], *each[1][1:])):
        rows = [span for _, span in group]
        row, first, end = rows[0]
        yield Region(first, row, end - first, len(rows))
