"""The part of the fleet's audit stream that is held in memory while somebody reads it.

It is one unbroken stretch of what was told, in the order in which it happened: what is read next
goes by the place in the stream, and is put where its time belongs.
"""

from __future__ import annotations

from collections.abc import Sequence

from healconsole.core.auditline import AuditLine, AuditTail
from healconsole.core.fleetplace import in_order, told
from healconsole.tui import logwindow
from healconsole.tui.logwindow import LogWindow


class FleetWindow(LogWindow):
    """What was told from place ``start`` to place ``end`` of the stream, both included."""

    @property
    def live(self) -> bool:
        """Whether the stretch reaches the end of the stream as last seen."""
        return not self._tail.lines or self.end >= self._tail.size

    def take_tail(self, tail: AuditTail, *, follow: bool) -> int:
        """Take the newest events in, and return how many of them the last tail had not.

        Where somebody reads further up, a full window stays as it is, and so does one that the
        tail does not touch.
        """
        seen, self._tail = self._tail.size, tail
        if tail.size < seen:  # another stream, or the clock of Redis was set back
            self._become(tail.lines)
            return 0
        new = [line for line in tail.lines if told(line.offset) > self.end]
        if not new:
            return 0
        matching = self._matching(new)
        full = len(self.lines) + len(matching) > logwindow.MOST_LINES
        touches = self.end > 0 and tail.since <= self.end + 1
        if follow or not self.end:
            if touches:
                self._add(new, tail.size)
            else:
                self._become(tail.lines)
        elif touches and not full:
            self._add(new, tail.size)
        return sum(told(line.offset) > seen for line in matching)

    def before(self, lines: Sequence[AuditLine], start: int) -> None:
        """Add what was told before the window; ``start`` is how far back it was looked."""
        self.start = start
        self.lines = in_order([*self._matching(lines), *self.lines])
        dropped = self.lines[logwindow.MOST_LINES :]
        if dropped:
            del self.lines[logwindow.MOST_LINES :]
            self.end = min(told(line.offset) for line in dropped) - 1

    def after(self, lines: Sequence[AuditLine], end: int) -> None:
        """Add what was told behind the window; ``end`` is how far on it was looked."""
        self._add(lines, end)

    def _add(self, lines: Sequence[AuditLine], end: int) -> None:
        self.end = max(self.end, end)
        self.lines = in_order([*self.lines, *self._matching(lines)])
        dropped = self.lines[: -logwindow.MOST_LINES]
        if dropped:
            del self.lines[: -logwindow.MOST_LINES]
            self.start = max(self.start, *(told(line.offset) + 1 for line in dropped))

    def _become(self, lines: Sequence[AuditLine]) -> None:
        """Hold the tail, and nothing else."""
        self.lines = self._matching(lines)
        self.start, self.end = self._tail.since, self._tail.size
