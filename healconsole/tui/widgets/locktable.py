"""The fleet locks as lines, with a cursor on one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType

from healconsole.core.ages import countdown
from healconsole.core.holding import holder_of
from healconsole.core.snapshot import Lock
from healconsole.tui.widgets.cells import Line, cell, fit, gap
from healconsole.tui.widgets.cellview import CellView

_FENCE = 16
"""A fencing number is a time in microseconds, or more: sixteen digits."""


class LockTable(CellView, can_focus=True):
    """Lines of locks below lines that say what is wrong; the cursor stays on its lock."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False, id="up"),
        Binding("down,j", "move(1)", "down", show=False, id="down"),
        Binding("pageup", "move(-10)", "page up", show=False, id="page-up"),
        Binding("pagedown", "move(10)", "page down", show=False, id="page-down"),
        Binding("home,g", "move(-100000)", "first", show=False, id="first"),
        Binding("end,G", "move(100000)", "last", show=False, id="last"),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._locks: tuple[Lock, ...] = ()
        self._at: list[int] = []
        """The line of each lock."""
        self._key: str | None = None

    @property
    def selected(self) -> Lock | None:
        """The lock under the cursor."""
        return next((lock for lock in self._locks if lock.key == self._key), None)

    def show(
        self,
        above: Sequence[Line],
        locks: Sequence[Lock],
        dead: Mapping[str, str],
        now: float,
        mends: str,
    ) -> None:
        """Show ``locks`` below the lines ``above``; ``dead`` says by key whose holder is gone.

        What ends such a lock is said by ``mends``.
        """
        width = self.size.width or self.app.size.width
        self._locks = tuple(locks)
        if self.selected is None:
            self._key = locks[0].key if locks else None
        key_width = min(32, max(12, width // 4))
        holder = max(16, width - key_width - _FENCE - 17)
        lines, self._at = [*above, _heads(key_width, holder)], []
        for lock in locks:
            self._at.append(len(lines))
            lines.append(_line(lock, key_width, holder, now, ghost=lock.key in dead))
            if lock.key in dead:
                lines.append((gap(5), cell(f"GHOST: {dead[lock.key]}; {mends}", "alarm")))
        self.show_lines(lines)
        self._mark()

    def action_move(self, by: int) -> None:
        """Move the cursor by locks."""
        if not self._locks:
            return
        place = min(max(self._place() + by, 0), len(self._locks) - 1)
        self._key = self._locks[place].key
        self._mark()
        self._keep_in_sight()

    def on_click(self, event: events.Click) -> None:
        """Select the clicked lock."""
        index = self.line_at(event.y)
        if index in self._at:
            self._key = self._locks[self._at.index(index)].key
            self._mark()

    def _place(self) -> int:
        return next((n for n, lock in enumerate(self._locks) if lock.key == self._key), 0)

    def _mark(self) -> None:
        self.mark_line(self._at[self._place()] if self._locks else None)

    def _keep_in_sight(self) -> None:
        index, top = self._at[self._place()], self.scroll_offset.y
        height = max(1, self.size.height)
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False)


def holder_text(owner: str) -> str:
    """Return who an owner token names, in words.

    >>> holder_text("web-19/broker-restarter/4211/8d1f"), holder_text("9f1b0c52")
    ('web-19, broker-restarter, pid 4211', 'opaque token 9f1b0c52')
    """
    holder = holder_of(owner)
    if holder is None:
        return f"opaque token {owner}"
    return f"{holder.host}, {holder.healer}, pid {holder.pid}"


def _heads(key_width: int, holder: int) -> Line:
    return (
        gap(3),
        fit("LOCK", key_width, "head"),
        gap(1),
        fit("HELD BY", holder, "head"),
        gap(1),
        fit("TTL", 8, "head", right=True),
        gap(1),
        fit("FENCE", _FENCE, "head", right=True),
    )


def _line(lock: Lock, key_width: int, holder: int, now: float, *, ghost: bool) -> Line:
    if lock.expires_at is None:
        left, tone = "no end", "warn"
    else:
        remains = lock.expires_at - now
        left, tone = (countdown(remains), "text") if remains > 0 else ("ended", "dim")
    glyph = "●" if tone != "dim" else "○"
    return (
        gap(1),
        cell("!", "alarm") if ghost else cell(glyph, tone),
        gap(1),
        fit(lock.key, key_width, "strong"),
        gap(1),
        fit(holder_text(lock.owner), holder),
        gap(1),
        fit(left, 8, tone, right=True),
        gap(1),
        fit("-" if lock.fence is None else str(lock.fence), _FENCE, "dim", right=True),
    )
