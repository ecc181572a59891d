"""The audit log as a list to move in: follow its end, or stop and read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, MouseScrollDown, MouseScrollUp
from textual.geometry import Size
from textual.message import Message

from healconsole.core.auditdoubt import doubt, is_operators
from healconsole.core.auditline import AuditLine
from healconsole.core.unfinished import is_unfinished
from healconsole.tui.widgets.auditlines import AuditColumns, audit_columns, audit_line
from healconsole.tui.widgets.cells import EMPTY_LINE, Line
from healconsole.tui.widgets.cellview import CellView

_NEAR_EDGE = 40
"""Lines from either end at which more is asked for."""


class AuditView(CellView, can_focus=True):
    """A window on the log with a cursor. Lines are drawn when they come in sight."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="up"),
        Binding("down", "move(1)", "down", show=False, id="down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="page-down"),
        Binding("home,g", "edge(-1)", "first", show=False, id="first"),
        Binding("end,G", "edge(1)", "last", show=False, id="last"),
    ]

    class Moved(Message):
        """The cursor moved by the operator's hand; ``last`` if it came to the last line."""

        def __init__(self, *, last: bool) -> None:
            self.last = last
            super().__init__()

    class NearEdge(Message):
        """The cursor is near the oldest (``older``) or the newest line of the window."""

        def __init__(self, *, older: bool) -> None:
            self.older = older
            super().__init__()

    class Opened(Message):
        """A line was clicked twice."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._events: list[AuditLine] = []
        self._utc_offset_s = 0
        self._columns = AuditColumns(80, 20)
        self._longest = 12
        self._hosts = False
        self._drawn: dict[tuple[int, int], Line] = {}
        self._until: float | None = None
        self._waiting = False
        """Whether an act was drawn whose result may still come."""

    @property
    def events(self) -> Sequence[AuditLine]:
        """The lines of the window, oldest first."""
        return self._events

    @property
    def current(self) -> AuditLine | None:
        """The line under the cursor."""
        index = self.marked_line
        return self._events[index] if index is not None and index < len(self._events) else None

    def line_count(self) -> int:
        """Return how many lines the window has."""
        return len(self._events)

    def line(self, index: int) -> Line:
        """Return one line as drawn."""
        if not 0 <= index < len(self._events):
            return EMPTY_LINE
        event = self._events[index]
        key = (event.offset, event.length)
        drawn = self._drawn.get(key)
        if drawn is None:
            operators = is_operators(event)
            doubted = operators and bool(doubt(self._events, index))
            cut_off = self._cut_off(index) if operators else False
            drawn = audit_line(
                event, self._columns, self._utc_offset_s, doubted=doubted, unfinished=bool(cut_off)
            )
            if len(self._drawn) > 2000:
                self._drawn.clear()
            if cut_off is False:  # else a result may still come, however late
                self._drawn[key] = drawn
        return drawn

    def _cut_off(self, index: int) -> bool | None:
        """Whether an act has no result; None if that may still come."""
        if self._until is None:
            return False
        cut_off = is_unfinished(self._events, index, self._until)
        self._waiting = self._waiting or cut_off is None
        return cut_off

    def told_until(self, until: float | None) -> None:
        """Say up to when (epoch seconds) the lines tell everything; None if some are left out."""
        if (until is None) != (self._until is None):
            self._drawn.clear()
        self._until = until
        if self._waiting:
            self._waiting = False
            self.refresh()

    def lay_out(self, *, longest: int, utc_offset_s: int, hosts: bool = False) -> None:
        """Use these widths and this zone; ``hosts`` says that the events are of several."""
        if (longest, utc_offset_s, hosts) != (self._longest, self._utc_offset_s, self._hosts):
            self._longest, self._utc_offset_s, self._hosts = longest, utc_offset_s, hosts
            self._relayout()

    def show_events(self, lines: Sequence[AuditLine], *, follow: bool) -> None:
        """Show another window; the cursor stays on its line, or goes to the last one."""
        here = self.current
        top = self._events[self.scroll_offset.y] if self._on_screen() else None
        self._events = list(lines)
        self.virtual_size = Size(0, len(self._events))
        if not self._events:
            self.mark_line(None)
        elif follow or here is None:
            self.mark_line(len(self._events) - 1)
            self.scroll_to(
                y=max(0, len(self._events) - self.size.height), animate=False, force=True
            )
        else:
            self.mark_line(self._index_of(here))
            if top is not None:
                self.scroll_to(y=self._index_of(top), animate=False, force=True)
        self.refresh()

    def put_cursor(self, index: int) -> None:
        """Put the cursor on a line of the window, in the upper third of the view."""
        if self._events:
            index = min(max(index, 0), len(self._events) - 1)
            self.mark_line(index)
            self.scroll_to(y=max(0, index - self.size.height // 3), animate=False, force=True)

    def action_move(self, by: int) -> None:
        """Move the cursor by lines."""
        if not self._events:
            return
        here = self.marked_line if self.marked_line is not None else len(self._events) - 1
        there = min(max(here + by, 0), len(self._events) - 1)
        self.mark_line(there)
        self._keep_in_sight(there)
        self.post_message(self.Moved(last=there == len(self._events) - 1))
        if there < _NEAR_EDGE:
            self.post_message(self.NearEdge(older=True))
        elif there >= len(self._events) - _NEAR_EDGE:
            self.post_message(self.NearEdge(older=False))

    def action_page(self, by: int) -> None:
        """Move by pages."""
        self.action_move(by * max(1, self.size.height - 1))

    def action_edge(self, direction: int) -> None:
        """Move to the first or last line of the window."""
        self.action_move(direction * len(self._events))

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Move three lines back."""
        event.stop()
        self.action_move(-3)

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Move three lines on."""
        event.stop()
        self.action_move(3)

    def on_click(self, event: Click) -> None:
        """Put the cursor on the clicked line; open it on the second click."""
        index = self.line_at(event.y)
        if index < len(self._events) and self.marked_line is not None:
            self.action_move(index - self.marked_line)
            if event.chain == 2:
                self.post_message(self.Opened())

    def on_resize(self) -> None:
        """Draw for the new width."""
        self._relayout()

    def _relayout(self) -> None:
        self._columns = audit_columns(
            self.size.width or self.app.size.width, longest=self._longest, hosts=self._hosts
        )
        self._drawn.clear()
        if self.marked_line is not None:
            self._keep_in_sight(self.marked_line)
        self.refresh()

    def _on_screen(self) -> bool:
        return self.scroll_offset.y < len(self._events)

    def _index_of(self, line: AuditLine) -> int:
        """Index of the line at this offset, or of the first one after it."""
        low, high = 0, len(self._events)
        while low < high:
            middle = (low + high) // 2
            if self._events[middle].offset < line.offset:
                low = middle + 1
            else:
                high = middle
        return min(low, len(self._events) - 1)

    def _keep_in_sight(self, index: int) -> None:
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if index < top:
            self.scroll_to(y=index, animate=False, force=True)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False, force=True)
