"""A screen in front of another one that is seen, dimmed, around it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from textual.events import ScreenResume
from textual.geometry import Region
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import ModalScreen, Screen
from textual.strip import Strip

from healconsole.tui.sizes import AsLargeAsTheTerminal
from healconsole.tui.spans import Span, SpanCompositor

Result = TypeVar("Result")


class Overlay(AsLargeAsTheTerminal, ModalScreen[Result], Generic[Result]):
    """Asks the screen below for what is seen of it, and dims that; Textual draws all of it anew."""

    _resumed = False

    def __init__(self, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self._compositor = SpanCompositor()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Give no styles to what has just got them."""
        if not self._resumed:
            self._resumed = True
            event.refresh_styles = False

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw what is seen around the window."""
        first, end = crop.column_span
        return self.render_spans([(y, first, end) for y in crop.line_range])

    def render_spans(self, spans: Iterable[Span]) -> list[Strip]:
        """Draw some stretches of it: (row, first column, first one behind)."""
        asked, below = list(spans), self._below()
        if below is None:
            return [
                super(Overlay, self).render_lines(Region(first, y, end - first, 1))[0]
                for y, first, end in asked
            ]
        color, behind = self.styles.background, self.background_colors[1]
        # What is below went through the filters, but the tint did not.
        filters = self.get_line_filters()
        found = []
        for strip in below.strips(asked):
            dimmed = Strip(BackgroundScreen.process_segments(strip, color), strip.cell_length)
            for each in filters:
                dimmed = dimmed.apply_filter(each, behind)
            found.append(dimmed)
        return found

    def _below(self) -> SpanCompositor | None:
        """The compositor of the screen below, if it is one of ours and laid out for this size.

        While a window is resized the two are laid out one after the other, and ``self.size`` is
        that of the terminal, for which neither need have been laid out yet.
        """
        stack = self.app.screen_stack
        place = stack.index(self) if self in stack else 0
        below: Screen[object] | None = stack[place - 1] if place else None
        if below is None or not isinstance(below._compositor, SpanCompositor):
            return None
        same = below._compositor.size == self._compositor.size
        return below._compositor if same else None
