"""The whole audit log, looked into by byte offset: nothing is indexed, nothing is kept.

Any call reads the file that is at the path by then, a bounded part of it. Offsets that were
learned before a rotation mean nothing after it; `AuditTail.generation` tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from healconsole.core.auditline import AuditEvent, AuditLine, UnparsableLine
from healconsole.core.auditparse import RAW_MAX, READ_MAX, parse_line
from healconsole.core.frozen import Frozen
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.logfile import LineSplitter, open_log

_BLOCK: Final = 65_536

REACH: Final = 16 * 1_048_576
"""Bytes after which one call stops to look for the end of a line."""

BUDGET: Final = 262_144
"""Bytes that one step of a scan takes by default: about 10 ms."""


class ScanStep(Frozen):
    """What one step of a scan found."""

    lines: tuple[AuditLine, ...]
    """Matching lines, oldest first, whichever way the scan goes."""
    offset: int
    """Where the next step begins."""
    done: bool
    """The end of the log in that direction was reached."""


class Stretch(Frozen):
    """An unbroken part of a log."""

    lines: tuple[AuditLine, ...]
    """Oldest first."""
    start: int
    """Where it begins; 0 if nothing stands before it."""
    end: int
    at: int
    """Offset from which on the lines are of the time that was asked for, or later."""


class History:
    """Looks into one log; a log that is missing or unreadable reads as empty.

    Holds no descriptor between calls, so that a deleted log's space is not kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def size(self) -> int:
        """Bytes of the log."""
        with self._open() as log:
            return 0 if log is None else os.fstat(log).st_size

    def lines_before(self, offset: int, count: int) -> tuple[AuditLine, ...]:
        """Return the last `count` whole lines that end at or before `offset`, oldest first.

        Fewer at the beginning of the log, and where lines are so long that `REACH` is used up.
        """
        with self._open() as log:
            if log is None:
                return ()
            found: list[AuditLine] = []
            for begin, end in _backward(log, offset):
                if len(found) == count or (found and offset - begin > REACH):
                    break
                found.append(_line(log, begin, end))
            return tuple(reversed(found))

    def lines_after(self, offset: int, count: int) -> tuple[AuditLine, ...]:
        """Return the first `count` whole lines that begin at or after `offset`, oldest first."""
        with self._open() as log:
            if log is None:
                return ()
            found: list[AuditLine] = []
            for lines in _forward(log, offset):
                found += lines
                if len(found) >= count:
                    break
            return tuple(found[:count])

    def newer(self, offset: int, count: int) -> ScanStep:
        """Return at most ``count`` lines that follow ``offset``."""
        lines = self.lines_after(offset, count)
        return ScanStep(lines, _end_of(lines, offset), done=len(lines) < count)

    def around(self, ts: float, count: int) -> Stretch:
        """Return ``count`` lines before the epoch time `ts`, and as many from it on."""
        at = self.find_time(ts)
        lines = (*self.lines_before(at, count), *self.lines_after(at, count))
        return Stretch(lines, lines[0].offset if lines else 0, _end_of(lines, 0), at)

    def find_time(self, ts: float) -> int:
        """Return the offset of the first line at or after the epoch time `ts`, by bisection.

        Lines are taken to be in the order of their times; where writers' clocks differ, the
        answer is off by as much. The end of the last line if all are earlier. Where more than
        `REACH` bytes hold no time at all, it may be the beginning of those.
        """
        with self._open() as log:
            if log is None:
                return 0
            low, high = 0, os.fstat(log).st_size
            while high - low > _BLOCK:
                middle = (low + high) // 2
                probe = _first_timed(log, middle, high)
                if probe is None or (probe.ts or 0.0) >= ts:
                    high = middle
                else:
                    low = probe.offset + probe.length
            end = low
            for lines in _forward(log, low):
                for line in lines:
                    if isinstance(line, AuditEvent) and line.ts is not None and line.ts >= ts:
                        return line.offset
                    end = line.offset + line.length
                if end > high + REACH:
                    break
            return end

    def scan(
        self,
        matches: Callable[[AuditLine], bool],
        offset: int,
        direction: Literal["back", "on"] = "back",
        budget: int = BUDGET,
    ) -> ScanStep:
        """Take one bounded step through the log and return the lines that match.

        Call it again with the step's `offset` until it is done, with the screen's own work in
        between.

        Args:
            matches: the filter, `AuditFilter.matches` for one.
            offset: where to begin: that of a line, or the size of the log.
            direction: towards older or newer lines.
            budget: bytes to read, at least one line.
        """
        with self._open() as log:
            if log is None:
                return ScanStep((), offset, done=True)
            step = _scan_back if direction == "back" else _scan_on
            return step(log, matches, offset, budget)

    @contextmanager
    def _open(self) -> Iterator[int | None]:
        try:
            log = open_log(self.path)
        except (Missing, Unreadable):
            # The tail, which looks all the time, has the word on what is wrong.
            yield None
            return
        try:
            yield log
        finally:
            os.close(log)


def _end_of(lines: tuple[AuditLine, ...], otherwise: int) -> int:
    return lines[-1].offset + lines[-1].length if lines else otherwise


def _scan_back(
    log: int, matches: Callable[[AuditLine], bool], offset: int, budget: int
) -> ScanStep:
    found: list[AuditLine] = []
    reached = offset
    for begin, end in _backward(log, offset):
        if reached < offset and offset - begin > budget:
            break
        line = _line(log, begin, end)
        reached = begin
        if matches(line):
            found.append(line)
    else:
        reached = 0
    return ScanStep(tuple(reversed(found)), reached, done=reached == 0)


def _scan_on(log: int, matches: Callable[[AuditLine], bool], offset: int, budget: int) -> ScanStep:
    found: list[AuditLine] = []
    reached = offset
    for lines in _forward(log, offset):
        for line in lines:
            reached = line.offset + line.length
            if matches(line):
                found.append(line)
        if reached - offset >= budget:
            return ScanStep(tuple(found), reached, done=False)
    return ScanStep(tuple(found), reached, done=True)


def _backward(log: int, offset: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each whole line that ends at or before `offset`, newest first."""
    position = offset = min(offset, os.fstat(log).st_size)
    end: int | None = None
    while position > 0:
        begin = max(0, position - _BLOCK)
        data = os.pread(log, position - begin, begin)
        newline = data.rfind(b"\n")
        while newline >= 0:
            if end is not None:
                yield begin + newline + 1, end
            end = begin + newline + 1
            newline = data.rfind(b"\n", 0, newline)
        reached = offset if end is None else end
        if reached - begin > REACH:
            # A hole in the file, most likely: go on in pieces rather than through all of it.
            yield begin, reached
            end = begin
        position = begin
    if end:
        yield 0, end


def _forward(log: int, offset: int) -> Iterator[list[AuditLine]]:
    """The whole lines that begin at or after `offset`, block by block."""
    position = max(0, offset)
    if position and os.pread(log, 1, position - 1) not in {b"\n", b""}:
        position = _line_start(log, position)
    splitter = LineSplitter(position)
    while data := os.pread(log, _BLOCK, position):
        position += len(data)
        yield splitter.feed(data)
        if splitter.pending > REACH:
            endless = splitter.flush(f"more than {REACH} bytes long; its end was not looked for")
            yield [endless] if endless else []


def _line_start(log: int, offset: int) -> int:
    """Where the first line after `offset` begins, or how far it was looked for."""
    position = offset
    while position - offset < REACH and (data := os.pread(log, _BLOCK, position)):
        newline = data.find(b"\n")
        if newline >= 0:
            return position + newline + 1
        position += len(data)
    return position


def _first_timed(log: int, offset: int, limit: int) -> AuditEvent | None:
    """The first event with a time that begins from `offset` to `limit`, near by."""
    for lines in _forward(log, offset):
        for line in lines:
            if line.offset >= limit or line.offset - offset > REACH:
                return None
            if isinstance(line, AuditEvent) and line.ts is not None:
                return line
    return None


def _line(log: int, begin: int, end: int) -> AuditLine:
    length = end - begin
    if length > READ_MAX:
        why = f"{length} bytes long, more than {READ_MAX} are not read"
        return UnparsableLine(begin, length, os.pread(log, RAW_MAX, begin), why)
    return parse_line(os.pread(log, length, begin), begin)
