"""The end of the audit log, followed: cheap to open at any size, and nothing lost unsaid."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from healconsole.core.auditline import AuditLine, UnparsableLine
from healconsole.core.auditparse import READ_MAX
from healconsole.core.frozen import Frozen
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.logfile import LineSplitter, open_log

WINDOW: Final = 65_536
"""Bytes read backwards when a log is opened, whatever its size."""

STEP: Final = 1_048_576
"""Most bytes read in one poll, so that a burst does not keep other news waiting."""

CATCH_UP: Final = 8 * STEP
"""When further behind than this, the middle is left to the history, and that is said."""

_PRINT: Final = 256
"""Bytes before our position that must still be there: else the file was truncated and regrew."""


class TailStep(Frozen):
    """What one poll found."""

    lines: tuple[AuditLine, ...] = ()
    """New lines, oldest first."""
    former: int = 0
    """How many of them, at the beginning, belong to the generation before."""
    generation: int = 0
    """Counts replacements and truncations; offsets grow until it changes."""
    size: int = 0
    """Bytes of the file."""
    unparsable: int = 0
    """Unparsable lines since the start."""
    unfinished: int = 0
    """Bytes of a last line that has no newline yet."""
    gap: str = ""
    """Why lines may have been lost in this generation; empty if none were."""
    missing: bool = False
    """There is no file."""
    problem: str = ""
    """Why the file cannot be read, with its mend; empty if it can."""
    more: bool = False
    """More is there to read at once: poll again."""


class Tail:
    """Follows one log through appends, rotation, copytruncate and absence.

    Never waits, never writes; a poll that finds nothing new costs two stats. Not for use by
    several threads at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._identity = (0, 0)
        self._stamp = (-1, -1)
        self._position = 0
        self._print = b""
        self._splitter = LineSplitter()
        self._retired: tuple[int, int] | None = None
        self._generation = 0
        self._first_look = True
        self._unparsable = 0
        self._gap = ""

    def poll(self) -> TailStep:
        """Return what is new since the last poll; the first returns the end of the log."""
        missing, problem = False, ""
        lines: list[AuditLine] = []
        former = 0
        try:
            found = os.lstat(self.path)
            if self._descriptor is not None and (found.st_dev, found.st_ino) != self._identity:
                lines += self._leave()
            if self._descriptor is None:
                self._open()
                former = len(lines)
            self._check_retired()
        except FileNotFoundError:
            missing = True
        except Missing:
            missing = True
        except Unreadable as error:
            problem = error.why
        except OSError as error:
            problem = f"cannot be looked at ({(error.strerror or str(error)).lower()})"
        if missing and self._descriptor is not None:
            lines += self._leave()
        if self._descriptor is not None:
            try:
                lines += self._follow(self._descriptor)
            except OSError as error:
                problem = f"cannot be read ({(error.strerror or str(error)).lower()})"
        self._first_look = False
        self._unparsable += sum(isinstance(line, UnparsableLine) for line in lines)
        return TailStep(
            lines=tuple(lines),
            former=former,
            generation=self._generation,
            size=max(self._stamp[0], 0),
            unparsable=self._unparsable,
            unfinished=self._splitter.pending,
            gap=self._gap,
            missing=missing,
            problem=problem,
            more=self._descriptor is not None and self._position < self._stamp[0],
        )

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (self._descriptor, self._retired and self._retired[0]):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self._retired = None

    def _open(self) -> None:
        descriptor = open_log(self.path)
        info = os.fstat(descriptor)
        self._descriptor = descriptor
        if self._first_look:
            self._identity = (info.st_dev, info.st_ino)
            self._start(descriptor, info.st_size, whole=False)
            return
        # Everything in a file that appeared while we looked is news.
        self._generation += 1
        self._gap = self._gap_of_rotation()
        self._identity = (info.st_dev, info.st_ino)
        self._start(descriptor, info.st_size, whole=info.st_size <= CATCH_UP)

    def _gap_of_rotation(self) -> str:
        """Say so when another file came and went since the last look (the console was stopped)."""
        if self._identity == (0, 0):
            return ""
        try:
            latest = os.lstat(f"{self.path}.1")
        except OSError:
            return ""
        if (latest.st_dev, latest.st_ino) == self._identity:
            return ""
        return "the log was rotated more than once since the last look: see the rotated files"

    def _start(self, descriptor: int, size: int, *, whole: bool) -> None:
        """Take up position at the beginning, or at the first whole line near the end."""
        begin, headless = (0, False) if whole else _near_end(descriptor, size)
        self._position = begin
        self._splitter = LineSplitter(begin, headless=headless)
        self._print = b""
        self._stamp = (-1, -1)

    def _leave(self) -> list[AuditLine]:
        """Read the rest of a file that lost its name; let go of it when nothing is left."""
        descriptor = self._descriptor
        if descriptor is None:
            return []
        lines = self._follow(descriptor)
        if self._position < self._stamp[0]:
            return lines
        torn = self._splitter.flush("unfinished when the log was rotated")
        if torn is not None:
            lines.append(torn)
        self._retire(descriptor)
        self._descriptor = None
        self._stamp = (-1, -1)
        return lines

    def _retire(self, descriptor: int) -> None:
        if self._retired is not None:
            os.close(self._retired[0])
        self._retired = (descriptor, self._position)

    def _check_retired(self) -> None:
        """Say so when a writer goes on in the rotated file; drop a deleted one, it takes space."""
        if self._retired is None:
            return
        descriptor, size = self._retired
        info = os.fstat(descriptor)
        if info.st_size > size:
            self._gap = "a writer goes on in the rotated file: look there for its lines"
        if info.st_size > size or info.st_nlink == 0:
            os.close(descriptor)
            self._retired = None

    def _follow(self, descriptor: int) -> list[AuditLine]:
        info = os.fstat(descriptor)
        stamp = (info.st_size, info.st_mtime_ns)
        if stamp == self._stamp and self._position == info.st_size:
            return []
        if info.st_size < self._position:
            self._truncated(descriptor, info.st_size)
        elif info.st_size - self._position > CATCH_UP:
            self._skip(descriptor, info.st_size)
        wanted = min(info.st_size - self._position, STEP)
        # One read for the fingerprint and the news: nothing can change in between.
        data = os.pread(descriptor, len(self._print) + wanted, self._position - len(self._print))
        if not data.startswith(self._print):
            self._truncated(descriptor, os.fstat(descriptor).st_size)
            return self._follow(descriptor)
        self._stamp = stamp
        news = data[len(self._print) :]
        self._print = data[-_PRINT:]
        self._position += len(news)
        return self._splitter.feed(news)

    def _truncated(self, descriptor: int, size: int) -> None:
        self._generation += 1
        self._gap = "the log was truncated: lines written just before that may be lost"
        self._start(descriptor, size, whole=size <= CATCH_UP)

    def _skip(self, descriptor: int, size: int) -> None:
        before = self._position
        self._start(descriptor, size, whole=False)
        self._gap = f"{self._position - before} bytes came at once and were not read here"


def _near_end(descriptor: int, size: int) -> tuple[int, bool]:
    """Where a whole line begins in the last 64 kB, and whether it had to be inside of one.

    The window grows while no whole line is in it, up to the longest line that is parsed.
    """
    window = WINDOW
    while window < size:
        begin = size - window
        # One byte more: a newline right before the window means that it begins with a line.
        data = os.pread(descriptor, window + 1, begin - 1)
        newline = data.find(b"\n")
        if newline >= 0 and data.find(b"\n", newline + 1) >= 0:
            return begin + newline, False
        if window > READ_MAX:
            return begin, True
        window *= 4
    return 0, False
