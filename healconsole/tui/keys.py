"""Every key of the console: what it is bound to, what it says, in the order of the key bar.

The identifiers are what a keymap in the configuration names.
"""

from __future__ import annotations

from typing import NamedTuple

from textual.binding import Binding


class Key(NamedTuple):
    """One key: its identifier is also the name of its action."""

    id: str
    keys: str
    does: str
    help: str

    @property
    def action(self) -> str:
        """The name of its action."""
        return self.id.replace("-", "_")


TRIP = Key("trip", "t", "trip", "stop a healer: force its circuits open, for a time or until reset")
RESET = Key("reset", "r", "reset", "after the investigation: let a stopped healer act again")
DRY_RUN = Key("dry-run", "d", "dry-run", "turn rehearsal on or off")
RUN = Key("run", "x", "run", "run one guarded cycle now, and watch it")
UNDO = Key("undo", "u", "undo", "take your last act back, on whichever healer it was")
APPROVE = Key("approve", "p", "approve", "be the second person of an act that waits for one")
MARK = Key("mark", "space", "mark", "mark several healers for one act")
FILTER = Key("filter", "slash", "filter", "show only what matches what you type")
EXPLAIN = Key("explain", "e", "explain", "would it act now? every guardrail with its evidence")
OPEN = Key("open", "enter", "open", "the healer, at full size")
AUDIT = Key("audit", "a", "audit", "the whole audit log")
LOCKS = Key("locks", "l", "locks", "the fleet locks in Redis")
HELP = Key("help", "question_mark", "help", "every key")
QUIT = Key("quit", "q", "quit", "leave the console; the healers go on")
BACK = Key("back", "escape", "back", "back to where you were")
FOLLOW = Key("follow", "f", "follow", "follow the end of the log, or pause")
JUMP = Key("jump", "j", "jump to time", "jump to a time")
COPY = Key("copy", "c", "copy", "copy the line to the clipboard of your terminal")
SETTLE = Key("settle", "s", "sort", "the worst first again")
GROUP = Key("group", "o", "group", "on a fleet: by host, by healer, or the worst of all first")
BREAK = Key("break", "b", "break", "in the locks: take a lock away from its holder")
REDRAW = Key("redraw", "ctrl+l", "redraw", "paint the whole screen again")
REPAIR = Key("repair", "F", "fix the cause", "demo only: repair what the bad deploy broke")

UP = Key("up", "up,k", "up", "a line up")
DOWN = Key("down", "down,j", "down", "a line down")
PAGE_UP = Key("page-up", "pageup", "page up", "a page up")
PAGE_DOWN = Key("page-down", "pagedown", "page down", "a page down")
FIRST = Key("first", "home,g", "first", "to the first line")
LAST = Key("last", "end,G", "last", "to the last line")
"""What each list binds for itself, so that its cursor moves."""

EVERYWHERE = (UNDO, APPROVE, AUDIT, LOCKS, HELP, QUIT)
ACTS = (TRIP, RESET, DRY_RUN, RUN)
ALL = (
    *ACTS, UNDO, APPROVE, MARK, FILTER, EXPLAIN, OPEN, AUDIT, LOCKS, HELP, QUIT, BACK,
    FOLLOW, JUMP, COPY, SETTLE, GROUP, BREAK, REDRAW, REPAIR,
)  # fmt: skip


def binding(key: Key, *, show: bool = True) -> Binding:
    """Return the binding of a key; its action has the key's name."""
    return Binding(key.keys, key.action, key.does, show=show, id=key.id)
