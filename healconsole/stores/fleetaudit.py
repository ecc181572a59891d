"""The audit events of all hosts, as they come from Redis, in the order of their times."""

from __future__ import annotations

import bisect
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from healconsole.core.auditline import AuditEvent, AuditLine, AuditTail, UnparsableLine
from healconsole.core.auditparse import LINE_MAX, parse_line
from healconsole.core.fleetplace import place, told, told_place
from healconsole.core.frozen import replace
from healconsole.core.hostread import publishable
from healconsole.stores.picture import LINES_MAX

IDS_MAX: Final = 20_000
"""Events of which it is remembered that they came: one that comes again is the same."""

_ID: Final = re.compile(rb"[0-9a-f]{32}")

Entry = tuple[bytes, Mapping[bytes, bytes]]
"""An entry of the stream: its id there, and its fields."""


class FleetAudit:
    """Keeps the newest events. An event that came late is put where its time belongs.

    Offsets are places (``core.fleetplace``), so that they grow as in a log.
    """

    def __init__(self) -> None:
        self._lines: list[AuditLine] = []
        self._ids: deque[bytes] = deque()
        self._known: set[bytes] = set()
        self._generation = 0
        self._refused = 0
        self._since = 0
        self._read = 0
        self._tail: AuditTail | None = None

    def take(self, entries: Sequence[Entry], *, anew: bool = False) -> None:
        """Take entries of the stream over, each with its id in the stream, oldest first.

        Args:
            entries: as they follow one another in the stream.
            anew: they do not follow those of the last time.
        """
        if not entries:
            return
        if anew:
            self._since = told_place(entries[0][0])
        for number, entry in entries:
            self._take(number, entry)
        self._read = told_place(entries[-1][0])
        for line in self._lines[:-LINES_MAX]:
            self._since = max(self._since, told(line.offset) + 1)
        del self._lines[:-LINES_MAX]
        self._tail = None

    def tail(self) -> AuditTail:
        """Return the newest events, oldest first."""
        if self._tail is None:
            self._tail = AuditTail(
                path="the fleet's audit stream",
                generation=self._generation,
                size=self._read,
                lines=tuple(self._lines),
                unparsable=self._refused,
                since=self._since,
            )
        return self._tail

    def _take(self, number: bytes, entry: Mapping[bytes, bytes]) -> None:
        line = event_of(number, entry)
        if line is None:
            self._refused += 1
            return
        # Of one host only: nobody keeps another's event away by coming first with its id.
        known = entry[b"host"] + b" " + entry[b"id"]
        if known in self._known:
            return
        self._remember(known)
        if isinstance(line, UnparsableLine):
            self._refused += 1
        where = bisect.bisect_left(self._lines, line.offset, key=_offset)
        if where < len(self._lines):
            self._generation += 1
        self._lines.insert(where, line)

    def _remember(self, known: bytes) -> None:
        self._known.add(known)
        self._ids.append(known)
        if len(self._ids) > IDS_MAX:
            self._known.discard(self._ids.popleft())


def event_of(number: bytes, entry: Mapping[bytes, bytes]) -> AuditLine | None:
    """The event of an entry of the stream; None where it is none of ours.

    Whatever host its line names, it was this one that published it.
    """
    host = publishable(entry.get(b"host"))
    key, line = entry.get(b"id"), entry.get(b"line")
    if host is None or key is None or not _ID.fullmatch(key) or line is None:
        return None
    parsed = parse_line(line[: LINE_MAX + 1], 0)
    ts = parsed.ts if isinstance(parsed, AuditEvent) else None
    where = place(ts, told_place(number), host, key)
    if isinstance(parsed, UnparsableLine):
        return replace(parsed, offset=where, length=1, why=f"{host}: {parsed.why}")
    return replace(parsed, offset=where, length=1, host=host)


def _offset(line: AuditLine) -> int:
    return line.offset
