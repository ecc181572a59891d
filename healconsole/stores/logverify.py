"""The files of an audit log, its rotations included, given to a walk of its chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from healconsole.core.auditline import AuditEvent
from healconsole.core.auditparse import READ_MAX, parse_line
from healconsole.core.auditwalk import ChainWalk, Place
from healconsole.core.frozen import Frozen, field
from healconsole.core.unfinished import Unfinished
from healconsole.stores.compressed import DAMAGED, plain_text
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.rotated import log_of, rotations

_BLOCK: Final = 65_536
_OPERATORS: Final = b'"outcome":"operator-'


class Verified(Frozen):
    """One log, walked."""

    files: tuple[Path, ...]
    """Oldest first; the places of ``walk`` number them."""
    walk: ChainWalk
    unread: tuple[tuple[Path, str], ...] = ()
    """Files that cannot be read, or not to their end, and why."""
    unfinished: Unfinished[Place] = field(default_factory=Unfinished)
    """Acts of operators that were announced, and of which no result is told."""


def logs_of(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Part ``files`` by the logs that they are of; the files of each, oldest first.

    A log that is named itself comes with all its rotations; of one of which only rotated
    files are named, those.
    """
    named: dict[Path, list[Path]] = {}
    for file in files:
        log = log_of(file)
        of_log = log is not None and file in rotations(log)
        named.setdefault(log if log is not None and of_log else file, []).append(file)
    parted = []
    for log, chosen in named.items():
        ordered = (*reversed(rotations(log)), log)
        parted.append(
            ordered if log in chosen else tuple(file for file in ordered if file in chosen)
        )
    return parted


def verify(files: Sequence[Path]) -> Verified:
    """Walk the chain through the ``files`` of one log, oldest first, in bounded memory."""
    walk = ChainWalk()
    unfinished: Unfinished[Place] = Unfinished()
    unread = []
    for number, file in enumerate(files):
        try:
            for place, raw in _lines(file, number):
                walk.feed(raw, place)
                if _OPERATORS in raw:
                    event = parse_line(raw, place.offset)
                    if isinstance(event, AuditEvent):
                        unfinished.take(event, place)
        except Missing:
            unread.append((file, "is not there"))
        except Unreadable as error:
            unread.append((file, error.why))
        except DAMAGED as error:
            unread.append((file, f"is damaged ({error})"))
    return Verified(tuple(files), walk, tuple(unread), unfinished)


def _lines(file: Path, number: int) -> Iterator[tuple[Place, bytes]]:
    """The lines of one file. Of one longer than any event of ours, only the beginning."""
    line, offset, kept, passed = 1, 0, bytearray(), 0
    with plain_text(file) as stream:
        while data := stream.read1(_BLOCK):
            for part in _parts(data):
                kept += part[: READ_MAX - len(kept)]
                passed += len(part)
                if part.endswith(b"\n"):
                    yield Place(number, line, offset), bytes(kept)
                    offset += passed
                    line, passed = line + 1, 0
                    kept.clear()
    if kept:
        yield Place(number, line, offset), bytes(kept)


def _parts(data: bytes) -> Iterator[bytes]:
    """``data`` cut behind each newline, and only there."""
    begin = 0
    while (end := data.find(b"\n", begin) + 1) > 0:
        yield data[begin:end]
        begin = end
    if begin < len(data):
        yield data[begin:]
