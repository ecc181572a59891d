"""The fleet locks in Redis: who holds which, for how long, with which fence, and who is gone."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from healconsole.core.ages import age
from healconsole.core.holding import ghosts
from healconsole.core.snapshot import Snapshot
from healconsole.core.words import SourceState
from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.screens.base import ConsoleScreen
from healconsole.tui.widgets.cells import Line, cell, folded, gap
from healconsole.tui.widgets.keybar import KeyBar
from healconsole.tui.widgets.locktable import LockTable
from healconsole.tui.widgets.rule import Rule
from healconsole.tui.widgets.statusline import StatusLine


class LocksScreen(ConsoleScreen):
    """A lock is held or, where Redis does not answer, unknown; it is never shown as free."""

    SHOWN_KEYS: ClassVar[tuple[Key, ...]] = (
        *(keys.BREAK, keys.BACK, keys.AUDIT, keys.HELP, keys.QUIT),
    )
    BINDINGS: ClassVar[list[BindingType]] = [keys.binding(keys.BACK), keys.binding(keys.BREAK)]
    AUTO_FOCUS = "#locks"

    def compose(self) -> ComposeResult:
        """Lay the parts out."""
        yield StatusLine(id="status")
        yield Rule("Fleet locks", id="locks-rule")
        yield LockTable(id="locks")
        yield KeyBar(id="keys")

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Draw the locks at ``now``."""
        self.show_status(snapshot, now)
        dead = ghosts(snapshot, now, self.console_app.view.thresholds)
        self.query_one("#locks-rule", Rule).label("Fleet locks", _counted(snapshot, len(dead)))
        table = self.query_one(LockTable)
        width = table.size.width or self.app.size.width
        mends = f"{self.console_app.key_display(keys.BREAK)} breaks it"
        table.show(_above(snapshot, now, width), snapshot.locks, dead, now, mends)

    def why_not(self, key: Key) -> str:
        """Return why a key would not work now; empty if it would."""
        if key is keys.BREAK:
            if self.console_app.lock_acts is None:
                return "this console is READ-ONLY, or has no Redis"
            if self.query_one(LockTable).selected is None:
                return "there is no lock under the cursor"
        return super().why_not(key)

    def action_back(self) -> None:
        """Back to where it was opened."""
        self.dismiss()

    def action_break(self) -> None:
        """Ask why the lock under the cursor shall be taken from its holder."""
        app, lock = self.console_app, self.query_one(LockTable).selected
        why = self.why_not(keys.BREAK)
        if why or lock is None or app.lock_acts is None:
            app.say(f"break: {why}")
            return
        from healconsole.tui.dialogs.breaklock import BreakDialog  # it can write

        app.push_screen(BreakDialog(app.lock_acts, lock))


def _counted(snapshot: Snapshot, dead: int) -> str:
    """How many locks are held, where Redis says it; of one that is silent, what it said last."""
    number, state = len(snapshot.locks), snapshot.redis_health.state
    if state is SourceState.OFF:
        return "no Redis"
    if state is not SourceState.LIVE:
        return f"unknown, {number} held when last seen" if number else "unknown"
    return f"{number} held" + (f", {dead} of ghosts" if dead else "")


def _above(snapshot: Snapshot, now: float, width: int) -> list[Line]:
    """What is wrong, above the locks; what is free is said only where Redis says it."""
    health = snapshot.redis_health
    if health.state is SourceState.OFF:
        says = "No Redis is configured: give --redis URL or HEAL_REDIS_URL to see fleet locks."
        return [(gap(1), cell(part, "text")) for part in folded(says, width - 2)]
    if health.state is not SourceState.LIVE:
        ago = "" if health.last_ok is None else f", last answer {age(now - health.last_ok)} ago"
        what = (health.detail or str(health.state)).rstrip(".")
        says = f"? unknown: {what}{ago}. A lock may be held or free."
        return [*((gap(1), cell(part, "alarm")) for part in folded(says, width - 2)), ()]
    return [] if snapshot.locks else [(gap(3), cell("none is held", "dim")), ()]
