"""The part of the audit log that is held in memory while somebody reads it.

Lines are told apart by their byte offset, which stays true while the log grows. The window is
one unbroken stretch of the log, from which a filter may leave lines out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from healconsole.core.auditfilter import AuditFilter
from healconsole.core.auditline import AuditLine, AuditTail

MOST_LINES = 5000
"""Lines kept; what is furthest from the reader is let go."""


class LogWindow:
    """A stretch of the log, from byte ``start`` to byte ``end``."""

    def __init__(self) -> None:
        self.lines: list[AuditLine] = []
        self.start = 0
        self.end = 0
        self.filter: AuditFilter | None = None
        self._generation = -1
        self._tail: AuditTail = AuditTail()

    @property
    def live(self) -> bool:
        """Whether the stretch reaches the end of the log as last seen."""
        return not self._tail.lines or self.end >= _end_of(self._tail.lines)

    @property
    def at_start(self) -> bool:
        """Whether the stretch begins with the log."""
        return self.start <= 0

    def take_tail(self, tail: AuditTail, *, follow: bool) -> int:
        """Take the newest lines in, and return how many of them the last tail had not.

        A log that was replaced begins a new window. One that grew by more than a tail while
        somebody reads further up leaves the window where it is.
        """
        replaced = tail.generation != self._generation
        seen = 0 if replaced else _end_of(self._tail.lines)
        was_live = self.live
        self._tail, self._generation = tail, tail.generation
        if not tail.lines:
            if replaced:
                self._become(())
            return 0
        if replaced or not self.end:
            self._become(tail.lines)
            return len(self.lines)
        new = [line for line in tail.lines if line.offset >= self.end]
        if not new:
            return 0
        if follow and not (was_live and tail.lines[0].offset <= self.end):
            self._become(tail.lines)
        elif was_live and tail.lines[0].offset <= self.end:
            self.after(new, _end_of(new))
        return len(self._matching(line for line in new if line.offset >= seen))

    def follow(self) -> None:
        """Go to the end of the log."""
        if not self.live:
            self._become(self._tail.lines)

    def before(self, lines: Sequence[AuditLine], start: int) -> None:
        """Add what stands before the window; ``start`` is how far back it was looked."""
        self.start = start
        self.lines[:0] = self._matching(lines)
        if len(self.lines) > MOST_LINES:
            del self.lines[MOST_LINES:]
            self.end = _end_of(self.lines)

    def after(self, lines: Sequence[AuditLine], end: int) -> None:
        """Add what stands behind the window; ``end`` is how far on it was looked."""
        self.end = max(self.end, end)
        self.lines.extend(self._matching(lines))
        if len(self.lines) > MOST_LINES:
            del self.lines[: len(self.lines) - MOST_LINES]
            self.start = self.lines[0].offset

    def jump(self, lines: Sequence[AuditLine], start: int, end: int) -> None:
        """Become another stretch of the log."""
        self.lines = self._matching(lines)
        self.start, self.end = start, end

    def set_filter(self, chosen: AuditFilter | None) -> None:
        """Leave out what does not match, from the end of the log backwards."""
        self.filter = chosen
        self._become(self._tail.lines)

    def _become(self, lines: Sequence[AuditLine]) -> None:
        self.lines = self._matching(lines)
        self.start = lines[0].offset if lines else 0
        self.end = _end_of(lines)

    def _matching(self, lines: Iterable[AuditLine]) -> list[AuditLine]:
        if self.filter is None:
            return list(lines)
        return [line for line in lines if self.filter.matches(line)]


def _end_of(lines: Sequence[AuditLine]) -> int:
    return lines[-1].offset + lines[-1].length if lines else 0
