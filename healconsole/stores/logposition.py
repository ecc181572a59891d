"""Going on in the audit log where somebody left off, across rotation, compression and restarts.

A file is known by its first line, which it keeps when it is renamed, copied and truncated, or
compressed; its inode tells none of that.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from healconsole.core.auditparse import LINE_MAX
from healconsole.core.frozen import Frozen
from healconsole.stores.compressed import DAMAGED, Stream, plain_text
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.logfile import open_log
from healconsole.stores.rotated import rotations

FIRST_MAX: Final = 1_048_576
"""Bytes of the log that are taken when nothing of it was taken before."""

_HEAD: Final = 256
_BLOCK: Final = 262_144
_POSITION: Final = re.compile(r"([0-9a-f]{16}) (0|[1-9][0-9]{0,17})")


class Position(Frozen):
    """A place in the log: which file, and how many bytes of its plain text were taken."""

    mark: str
    """The first 16 hex digits of the SHA-256 of the first line's first 256 bytes."""
    offset: int

    def __str__(self) -> str:
        return f"{self.mark} {self.offset}"


class Entry(Frozen):
    """A whole line of the log, and where it was read."""

    line: bytes
    """Without its newline; at most 64 kB of it."""
    at: Position
    after: Position

    @property
    def id(self) -> str:
        """The same for the same line of the same file, whoever reads it and when: 32 hex digits.

        >>> Entry(b"{}", Position("0" * 16, 0), Position("0" * 16, 3)).id[:8]
        '891f3ac1'
        """
        return hashlib.sha256(b"%s %s" % (str(self.at).encode(), self.line)).hexdigest()[:32]


def parse_position(text: str) -> Position | None:
    """Return the position that `text` spells, None if it spells none.

    >>> parse_position("0123456789abcdef 42")
    Position(mark='0123456789abcdef', offset=42)
    >>> parse_position("0123456789abcdef -1") is None
    True
    """
    match = _POSITION.fullmatch(text)
    return None if match is None else Position(match[1], int(match[2]))


def entries_since(path: Path, position: Position | None) -> Iterator[Entry]:
    """Yield every whole line from `position` to the end of the log as it is now, oldest first.

    Without a position, those of the last `FIRST_MAX` bytes. Where the file of the position is
    gone from the disk, all of the log as it is now: what lay between was rotated away unread.

    Raises:
        Missing, Unreadable: the log or a rotated file cannot be opened.
    """
    with closing(os.fdopen(open_log(path), "rb")) as live:
        descriptor = live.fileno()
        mark = _mark(os.pread(descriptor, _HEAD, 0))
        if mark is None:
            return
        size = os.fstat(descriptor).st_size
        if position is None:
            start = _line_near(descriptor, size)
        elif position.mark == mark:
            start = position.offset
        else:
            start = 0
            yield from _rotated_since(path, position)
        yield from _live(descriptor, mark, start)


def _rotated_since(path: Path, position: Position) -> Iterator[Entry]:
    """Yield what follows `position` in the rotated files, if its file is among them."""
    newer: list[tuple[Path, str]] = []
    for rotated in rotations(path):
        mark = _mark_of(rotated)
        if mark is None:
            continue
        newer.append((rotated, mark))
        if mark == position.mark:
            break
    else:
        return
    offset = position.offset
    for rotated, mark in reversed(newer):
        with plain_text(rotated) as stream:
            yield from _lines(stream, mark, offset)
        offset = 0


def _mark_of(path: Path) -> str | None:
    """The mark of a rotated file; None if it has none, or cannot be read."""
    try:
        with plain_text(path) as stream:
            head = b""
            while len(head) < _HEAD and b"\n" not in head and (more := stream.read1(_HEAD)):
                head += more
            return _mark(head)
    except (Missing, Unreadable, *DAMAGED):
        return None


def _mark(head: bytes) -> str | None:
    """The mark of a file that begins so; None if its first line is not whole yet."""
    first, newline, _ = head[:_HEAD].partition(b"\n")
    if not newline and len(first) < _HEAD:
        return None
    return hashlib.sha256(first).hexdigest()[:16]


def _line_near(descriptor: int, size: int) -> int:
    """Where a line begins, at most `FIRST_MAX` bytes before the end."""
    begin = size - FIRST_MAX
    if begin <= 0:
        return 0
    newline = os.pread(descriptor, FIRST_MAX, begin - 1).find(b"\n")
    return size if newline < 0 else begin + newline


class _FromDescriptor:
    """The plain text of a file that others append to, from a place on."""

    def __init__(self, descriptor: int, offset: int) -> None:
        self._descriptor = descriptor
        self._offset = offset

    def read1(self, size: int, /) -> bytes:
        """What is there, at most ``size`` bytes."""
        data = os.pread(self._descriptor, size, self._offset)
        self._offset += len(data)
        return data


def _live(descriptor: int, mark: str, start: int) -> Iterator[Entry]:
    yield from _whole_lines(_FromDescriptor(descriptor, start), mark, start)


def _lines(stream: Stream, mark: str, start: int) -> Iterator[Entry]:
    left = start
    try:
        while left and (skipped := stream.read1(min(left, _BLOCK))):
            left -= len(skipped)
        if not left:
            yield from _whole_lines(stream, mark, start)
    except DAMAGED:
        return  # what can be read of it was; the history says what is wrong with the file


def _whole_lines(stream: Stream, mark: str, offset: int) -> Iterator[Entry]:
    kept = b""
    while data := stream.read1(_BLOCK):
        *lines, kept = (kept + data).split(b"\n")
        for line in lines:
            after = offset + len(line) + 1
            yield Entry(line[:LINE_MAX], Position(mark, offset), Position(mark, after))
            offset = after
