"""The table of healers: worst first, steady under the cursor, a tick costs only its digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from healconsole.core.grouping import Grouping, group_of, heading
from healconsole.core.view import HealerRow
from healconsole.tui.widgets.cells import EMPTY_LINE, Line, cell, gap
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.healerlines import Columns, columns_for, header_line, healer_line

_CALLED: dict[Grouping, Callable[[HealerRow], str]] = {
    Grouping.NONE: lambda row: row.name,
    Grouping.HOST: lambda row: row.healer,
    Grouping.HEALER: lambda row: row.host,
}
"""What a row is called where its group is named above it."""

_KEPT = 4
"""Screenfuls of drawn rows that are kept."""

_Drawn = tuple[HealerRow, bool, bool]


class HealerTable(CellView, can_focus=True):
    """Rows of healers under one line of heads.

    The order follows the severity, and the cursor stays on the worst, until somebody moves it or
    acts: from then on rows stay where they are, and new healers join at the end, until `settle`.
    """

    fixed = 1
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="up"),
        Binding("down,j", "move(1)", "down", show=False, id="down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="page-down"),
        Binding("home,g", "edge(-1)", "first", show=False, id="first"),
        Binding("end,G", "edge(1)", "last", show=False, id="last"),
    ]

    class Selected(Message):
        """The cursor came to another healer, or to none."""

        def __init__(self, name: str | None) -> None:
            self.name = name
            super().__init__()

    class Opened(Message):
        """A healer was clicked twice."""

        def __init__(self, name: str) -> None:
            self.name = name
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.marked: set[str] = set()
        self._order: Sequence[str] = ()
        self._rows: Mapping[str, HealerRow] = {}
        self._cursor: str | None = None
        self._held = False
        self._grouping = Grouping.NONE
        self._named: Sequence[str | None] = ()
        """What each line below the heads shows: a healer's name, or None for a group's."""
        self._place: dict[str, int] = {}
        """The line of each healer, counted below the heads."""
        self._headings: dict[int, Line] = {}
        self._columns = columns_for(80, ())
        self._heads = header_line(self._columns)
        self._drawn: dict[str, tuple[_Drawn, Line]] = {}

    @property
    def selected(self) -> str | None:
        """Name of the healer under the cursor."""
        return self._cursor

    @property
    def order(self) -> Sequence[str]:
        """Names in the order of the rows."""
        return self._order

    def visible_names(self) -> list[str]:
        """Return the names whose rows are in sight."""
        top = self.scroll_offset.y
        lines = self._named[top : top + max(0, self.size.height - self.fixed)]
        return [name for name in lines if name is not None]

    @property
    def held(self) -> bool:
        """Whether the rows stay where they are."""
        return self._held

    def hold(self) -> None:
        """Keep the rows where they are, and the cursor on its healer."""
        self._held = True

    def settle(self) -> None:
        """Let the worst come first again."""
        self._held = False

    def show_rows(
        self,
        order: Sequence[str],
        rows: Mapping[str, HealerRow],
        grouping: Grouping = Grouping.NONE,
    ) -> None:
        """Show the rows of these names, given worst first, or group after group with a line above.

        ``rows`` may go on to change: `show_changes` then paints what is another one by then.
        """
        if grouping is not self._grouping:
            self._grouping = grouping
            self._drawn.clear()
        names = self._placed(order)
        self._rows = rows
        self._order = names
        if self._arrange():
            self._lay_out(names)
        self.marked &= self._place.keys()
        if self._cursor not in self._place or not self._held:
            self._select(names[0] if names else None)
        self.show_changes()

    def show_changes(self) -> None:
        """Paint the rows in sight that are others by now."""
        if len(self._drawn) > _KEPT * self.size.height:
            self._drawn.clear()
        self._draw()

    def select(self, name: str) -> None:
        """Put the cursor on a healer."""
        if name in self._place:
            self._select(name)
            self._draw()
            self._keep_in_sight()

    def toggle_mark(self) -> None:
        """Mark the healer under the cursor, or take its mark away, and go on to the next."""
        if self._cursor is not None:
            self.marked ^= {self._cursor}
            self._held = True
            self.action_move(1)
            self._draw()

    def clear_marks(self) -> None:
        """Take all marks away."""
        self.marked.clear()
        self._draw()

    def action_move(self, by: int) -> None:
        """Move the cursor by rows."""
        if not self._order:
            return
        here = self._order.index(self._cursor) if self._cursor in self._place else 0
        there = min(max(here + by, 0), len(self._order) - 1)
        self._held = True
        self._select(self._order[there])
        self._draw()
        self._keep_in_sight()

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.action_move(by * max(1, self.size.height - self.fixed - 1))

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or the last row."""
        self.action_move(direction * len(self._order))

    def resized(self) -> None:
        """Lay the columns out for the new width."""
        self._lay_out(self._order)
        self._draw()

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._keep_in_sight()

    def on_click(self, event: events.Click) -> None:
        """Select the clicked row; open it on the second click."""
        index = self.line_at(event.y) - self.fixed
        if event.y >= self.fixed and 0 <= index < len(self._named):
            name = self._named[index]
            if name is None:
                return
            self._held = True
            self.select(name)
            if event.chain == 2:
                self.post_message(self.Opened(name))

    def _placed(self, names: Sequence[str]) -> Sequence[str]:
        """The order to show: as given, or as it was while somebody is reading."""
        if not self._held:
            return tuple(names)
        known = set(names)
        kept = [name for name in self._order if name in known]
        return (*kept, *(name for name in names if name not in self._place))

    def _lay_out(self, names: Iterable[str]) -> None:
        hosts = any("/" in name for name in names)
        columns = columns_for(self.size.width or self.app.size.width, names, hosts=hosts)
        if columns != self._columns:
            self._columns = columns
            self._heads = header_line(columns)
            self._drawn.clear()

    def _select(self, name: str | None) -> None:
        if name != self._cursor:
            self._cursor = name
            self.post_message(self.Selected(name))

    def line_count(self) -> int:
        """Return how many lines there are, the heads included."""
        return len(self._named) + self.fixed

    def line(self, index: int) -> Line:
        """Return one line as drawn."""
        if index < self.fixed:
            return self._heads
        place = index - self.fixed
        if place >= len(self._named):
            return EMPTY_LINE
        name = self._named[place]
        return self._headings[place] if name is None else self._line(name)

    def _arrange(self) -> bool:
        """Say which line shows what; return whether other healers are shown than before."""
        before, self._headings = self._place.keys(), {}
        if self._grouping is Grouping.NONE:
            self._named = self._order
            self._place = {name: place for place, name in enumerate(self._order)}
        else:
            named: list[str | None] = []
            for group, members in groupby(self._order, self._group):
                rows = [self._rows[name] for name in members]
                self._headings[len(named)] = (gap(1), cell(heading(group, rows), "head"))
                named += [None, *(row.name for row in rows)]
            self._named = named
            self._place = {name: n for n, name in enumerate(named) if name is not None}
        return before != self._place.keys()

    def _draw(self) -> None:
        """Paint what changed in sight."""
        self.paint_changes()
        place = None if self._cursor is None else self._place.get(self._cursor)
        self.mark_line(None if place is None else place + self.fixed)

    def _group(self, name: str) -> str:
        return group_of(self._rows[name], self._grouping)

    def _line(self, name: str) -> Line:
        row = self._rows.get(name)
        if row is None:  # gone since the rows were shown
            return EMPTY_LINE
        cursor, marked = name == self._cursor, name in self.marked
        kept = self._drawn.get(name)
        if kept is not None and kept[0][0] is row and kept[0][1:] == (cursor, marked):
            return kept[1]
        called = _CALLED[self._grouping](row)
        line = healer_line(row, self._columns, cursor=cursor, marked=marked, name=called)
        self._drawn[name] = ((row, cursor, marked), line)
        return line

    def _keep_in_sight(self) -> None:
        if self._cursor not in self._place:
            return
        index = self._place[self._cursor]
        top = self.scroll_offset.y
        height = max(1, self.size.height - self.fixed)
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False)

    @property
    def columns(self) -> Columns:
        """The widths in use."""
        return self._columns
