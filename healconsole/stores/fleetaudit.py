"""The audit events of all hosts, as they come from Redis, in the order of their times."""

from __future__ import annotations

import bisect
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from healconsole.core.auditline import AuditEvent, AuditLine, AuditTail, UnparsableLine
from healconsole.core.auditparse import LINE_MAX, parse_line
from healconsole.core.hostread import publishable
from healconsole.stores.picture import LINES_MAX

IDS_MAX: Final = 20_000
"""Events of which it is remembered that they came: one that comes again is the same."""

_ID: Final = re.compile(rb"[0-9a-f]{32}")
_MICRO: Final = 1_000_000
_AHEAD: Final = 5 * _MICRO
"""How far ahead of Redis' clock a host's may be."""


class FleetAudit:
    """Keeps the newest events. An event that came late is put where its time belongs.

    Offsets are times in microseconds, made unequal, so that they grow as in a log.
    """

    def __init__(self) -> None:
        self._lines: list[AuditLine] = []
        self._ids: deque[bytes] = deque()
        self._known: set[bytes] = set()
        self._generation = 0
        self._refused = 0
        self._tail: AuditTail | None = None

    def take(self, entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        """Take entries of the stream over, each with its id in the stream."""
        for number, entry in entries:
            self._take(number, entry)
        del self._lines[:-LINES_MAX]

    def tail(self) -> AuditTail:
        """Return the newest events, oldest first."""
        if self._tail is None:
            self._tail = AuditTail(
                path="the fleet's audit stream",
                generation=self._generation,
                size=self._lines[-1].offset + 1 if self._lines else 0,
                lines=tuple(self._lines),
                unparsable=self._refused,
            )
        return self._tail

    def _take(self, number: bytes, entry: Mapping[bytes, bytes]) -> None:
        host = publishable(entry.get(b"host"))
        key, line = entry.get(b"id"), entry.get(b"line")
        if host is None or key is None or not _ID.fullmatch(key) or line is None:
            self._refused += 1
            self._tail = None
            return
        # Of one host only: nobody keeps another's event away by coming first with its id.
        known = host.encode() + b" " + key
        if known in self._known:
            return
        self._remember(known)
        self._place(_event(line, host), _arrival(number))
        self._tail = None

    def _remember(self, known: bytes) -> None:
        self._known.add(known)
        self._ids.append(known)
        if len(self._ids) > IDS_MAX:
            self._known.discard(self._ids.popleft())

    def _place(self, event: AuditLine, arrived: int) -> None:
        if isinstance(event, UnparsableLine):
            self._refused += 1
        wanted = arrived
        if isinstance(event, AuditEvent) and event.ts is not None:
            # A time that is still to come would keep its event the newest for ever.
            wanted = min(max(int(event.ts * _MICRO), 1), arrived + _AHEAD)
        place = bisect.bisect_left(self._lines, wanted, key=_offset)
        while place < len(self._lines) and self._lines[place].offset == wanted:
            wanted, place = wanted + 1, place + 1
        if place < len(self._lines):
            self._generation += 1
        self._lines.insert(place, replace(event, offset=wanted, length=1))


def _offset(line: AuditLine) -> int:
    return line.offset


def _arrival(number: bytes) -> int:
    """When the stream took an entry in, in microseconds on the clock of Redis."""
    milliseconds = number.partition(b"-")[0]
    return int(milliseconds) * 1000 if milliseconds.isdigit() else 1


def _event(line: bytes, host: str) -> AuditLine:
    """The event of one line; whatever host it names, it was this one that published it."""
    parsed = parse_line(line[: LINE_MAX + 1], 0)
    if isinstance(parsed, UnparsableLine):
        return replace(parsed, why=f"{host}: {parsed.why}")
    return replace(parsed, host=host)
