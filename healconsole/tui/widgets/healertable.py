"""The table of healers: worst first, steady under the cursor, a tick costs only its digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from healconsole.core.grouping import Grouping, group_of, heading
from healconsole.core.view import HealerRow
from healconsole.tui.widgets.cells import Line, cell, gap
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.healerlines import Columns, columns_for, header_line, healer_line

_CALLED: dict[Grouping, Callable[[HealerRow], str]] = {
    Grouping.NONE: lambda row: row.name,
    Grouping.HOST: lambda row: row.healer,
    Grouping.HEALER: lambda row: row.host,
}
"""What a row is called where its group is named above it."""

_Drawn = tuple[HealerRow, bool, bool]


class HealerTable(CellView, can_focus=True):
    """Rows of healers under one line of heads.

    The order follows the severity, and the cursor stays on the worst, until somebody moves it:
    from then on rows stay where they are, and new healers join at the end, until `settle`.
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
        self._order: list[str] = []
        self._rows: dict[str, HealerRow] = {}
        self._cursor: str | None = None
        self._held = False
        self._grouping = Grouping.NONE
        self._named: list[str | None] = []
        """What each line below the heads shows: a healer's name, or None for a group's."""
        self._columns = columns_for(80, ())
        self._drawn: dict[str, tuple[_Drawn, Line]] = {}

    @property
    def selected(self) -> str | None:
        """Name of the healer under the cursor."""
        return self._cursor

    @property
    def order(self) -> Sequence[str]:
        """Names in the order of the rows."""
        return tuple(self._order)

    def visible_names(self) -> list[str]:
        """Return the names whose rows are in sight."""
        top = self.scroll_offset.y
        lines = self._named[top : top + max(0, self.size.height - self.fixed)]
        return [name for name in lines if name is not None]

    def settle(self) -> None:
        """Let the worst come first again."""
        self._held = False

    def show_rows(self, rows: Iterable[HealerRow], grouping: Grouping = Grouping.NONE) -> None:
        """Show these rows, given worst first, or group after group with a line above each."""
        if grouping is not self._grouping:
            self._grouping = grouping
            self._drawn.clear()
        ordered = {row.name: row for row in rows}
        names = self._placed(list(ordered))
        if set(names) != set(self._rows):
            self._lay_out(names)
        self._rows, self._order = ordered, names
        self._drawn = {name: kept for name, kept in self._drawn.items() if name in ordered}
        self.marked &= set(names)
        if self._cursor not in ordered or not self._held:
            self._select(names[0] if names else None)
        self._draw()

    def update_rows(self, rows: Iterable[HealerRow]) -> None:
        """Show newer versions of some rows, in place."""
        for row in rows:
            if row.name in self._rows:
                self._rows[row.name] = row
        self._draw()

    def select(self, name: str) -> None:
        """Put the cursor on a healer."""
        if name in self._rows:
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
        here = self._order.index(self._cursor) if self._cursor in self._order else 0
        there = min(max(here + by, 0), len(self._order) - 1)
        self._held = True
        before = self._cursor
        self._select(self._order[there])
        self._draw_again({before, self._cursor})
        self._keep_in_sight()

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.action_move(by * max(1, self.size.height - self.fixed - 1))

    def action_edge(self, direction: int) -> None:
        """Move the cursor to the first or the last row."""
        self.action_move(direction * len(self._order))

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        self._lay_out(self._order)
        self._draw()
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

    def _placed(self, names: list[str]) -> list[str]:
        """The order to show: as given, or as it was while somebody is reading."""
        if not self._held:
            return names
        known = set(names)
        kept = [name for name in self._order if name in known]
        seen = set(kept)
        return kept + [name for name in names if name not in seen]

    def _lay_out(self, names: Iterable[str]) -> None:
        hosts = any("/" in name for name in names)
        columns = columns_for(self.size.width or 80, names, hosts=hosts)
        if columns != self._columns:
            self._columns = columns
            self._drawn.clear()

    def _select(self, name: str | None) -> None:
        if name != self._cursor:
            self._cursor = name
            self.post_message(self.Selected(name))

    def _draw(self) -> None:
        lines = [header_line(self._columns)]
        if self._grouping is Grouping.NONE:
            self._named = list(self._order)
            lines.extend(self._line(name) for name in self._order)
        else:
            self._named = []
            for group, members in groupby(self._order, self._group):
                rows = [self._rows[name] for name in members]
                lines.append((gap(1), cell(heading(group, rows), "head")))
                lines.extend(self._line(row.name) for row in rows)
                self._named += [None, *(row.name for row in rows)]
        self.show_lines(lines)
        self.mark_line(
            self._named.index(self._cursor) + self.fixed if self._cursor in self._rows else None
        )

    def _draw_again(self, names: Iterable[str | None]) -> None:
        """Draw the lines of some healers again: of ten thousand, a key changes two."""
        for name in names:
            if name in self._rows:
                self.change_line(self._named.index(name) + self.fixed, self._line(name))
        self.mark_line(
            self._named.index(self._cursor) + self.fixed if self._cursor in self._rows else None
        )

    def _group(self, name: str) -> str:
        return group_of(self._rows[name], self._grouping)

    def _line(self, name: str) -> Line:
        drawn = (self._rows[name], name == self._cursor, name in self.marked)
        kept = self._drawn.get(name)
        if kept is not None and kept[0] == drawn:
            return kept[1]
        row, cursor, marked = drawn
        called = _CALLED[self._grouping](row)
        line = healer_line(row, self._columns, cursor=cursor, marked=marked, name=called)
        self._drawn[name] = (drawn, line)
        return line

    def _keep_in_sight(self) -> None:
        if self._cursor not in self._rows:
            return
        index = self._named.index(self._cursor)
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
