"""The fleet locks in Redis: who holds which, for how long, with which fence."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from healconsole.core.ages import age, countdown
from healconsole.core.snapshot import Lock, Snapshot
from healconsole.core.words import SourceState
from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.screens.base import ConsoleScreen
from healconsole.tui.widgets.cells import Line, cell, fit, folded, gap
from healconsole.tui.widgets.keybar import KeyBar
from healconsole.tui.widgets.pager import Pager
from healconsole.tui.widgets.rule import Rule
from healconsole.tui.widgets.statusline import StatusLine

_TOKEN = re.compile(r"([^/]+)/([^/]+)/(\d+)/([^/]+)")


class LocksScreen(ConsoleScreen):
    """A lock is held or, where Redis does not answer, unknown; it is never shown as free."""

    SHOWN_KEYS: ClassVar[tuple[Key, ...]] = (keys.BACK, keys.AUDIT, keys.HELP, keys.QUIT)
    BINDINGS: ClassVar[list[BindingType]] = [keys.binding(keys.BACK)]
    AUTO_FOCUS = "#locks"

    def compose(self) -> ComposeResult:
        """Lay the parts out."""
        yield StatusLine(id="status")
        yield Rule("Fleet locks", id="locks-rule")
        yield Pager(self._lines, id="locks")
        yield KeyBar(id="keys")

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Draw the locks at ``now``."""
        self.show_status(snapshot, now)
        self.query_one("#locks-rule", Rule).label("Fleet locks", f"{len(snapshot.locks)} held")
        self.query_one(Pager).draw()

    def action_back(self) -> None:
        """Back to where it was opened."""
        self.dismiss()

    def _lines(self, width: int) -> list[Line]:
        snapshot, now = self.console_app.snapshot, self.console_app.clock()
        health = snapshot.redis_health
        lines: list[Line] = []
        if health.state is SourceState.OFF:
            says = "No Redis is configured: give --redis URL or HEAL_REDIS_URL to see fleet locks."
            return [(gap(1), cell(part, "text")) for part in folded(says, width - 2)]
        if health.state is not SourceState.LIVE:
            ago = "" if health.last_ok is None else f", last answer {age(now - health.last_ok)} ago"
            says = f"? unknown: {health.detail or health.state}{ago}. A lock may be held or free."
            lines += [(gap(1), cell(part, "alarm")) for part in folded(says, width - 2)]
            lines.append(())
        key_width = min(32, max(12, width // 4))
        holder = max(16, width - key_width - 30)
        lines.append(
            (
                gap(3),
                fit("LOCK", key_width, "head"),
                gap(1),
                fit("HELD BY", holder, "head"),
                gap(1),
                fit("TTL", 8, "head", right=True),
                gap(1),
                fit("FENCE", 13, "head", right=True),
            )
        )
        lines += [_line(lock, key_width, holder, now) for lock in snapshot.locks]
        if not snapshot.locks and health.state is SourceState.LIVE:
            lines.append((gap(3), cell("none is held", "dim")))
        return lines


def holder_of(owner: str) -> str:
    """Return who an owner token names.

    >>> holder_of("web-19/broker-restarter/4211/8d1f"), holder_of("9f1b0c52")
    ('web-19, broker-restarter, pid 4211', 'opaque token 9f1b0c52')
    """
    named = _TOKEN.fullmatch(owner)
    if named is None:
        return f"opaque token {owner}"
    host, healer, pid, _ = named.groups()
    return f"{host}, {healer}, pid {pid}"


def _line(lock: Lock, key_width: int, holder: int, now: float) -> Line:
    if lock.expires_at is None:
        left, tone = "no end", "warn"
    else:
        remains = lock.expires_at - now
        left, tone = (countdown(remains), "text") if remains > 0 else ("ended", "dim")
    return (
        gap(1),
        cell("●" if tone != "dim" else "○", tone),
        gap(1),
        fit(lock.key, key_width, "strong"),
        gap(1),
        fit(holder_of(lock.owner), holder),
        gap(1),
        fit(left, 8, tone, right=True),
        gap(1),
        fit("-" if lock.fence is None else str(lock.fence), 13, "dim", right=True),
    )
