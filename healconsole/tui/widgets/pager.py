"""Lines that are longer than the room for them, to page through."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from healconsole.tui.widgets.cells import Line
from healconsole.tui.widgets.cellview import CellView


class Pager(CellView, can_focus=True):
    """Lines drawn for the width there is by a function, scrolled with the usual keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "line(-1)", "up", show=False, id="up"),
        Binding("down,j", "line(1)", "down", show=False, id="down"),
        Binding("pageup", "line(-10)", "page up", show=False, id="page-up"),
        Binding("pagedown", "line(10)", "page down", show=False, id="page-down"),
        Binding("home,g", "line(-100000)", "first", show=False, id="first"),
        Binding("end,G", "line(100000)", "last", show=False, id="last"),
    ]

    def __init__(self, draw: Callable[[int], list[Line]], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._draw_for = draw

    def resized(self) -> None:
        """Draw for the new width."""
        self.draw()

    def draw(self) -> None:
        """Draw again."""
        if self.size.width:
            self.show_lines(self._draw_for(self.size.width))

    def action_line(self, by: int) -> None:
        """Scroll by lines."""
        most = max(0, self.line_count() - self.size.height)
        target = min(max(0, self.scroll_offset.y + by), most)
        self.scroll_to(y=target, animate=False, force=True)
