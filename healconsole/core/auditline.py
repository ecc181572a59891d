"""Lines of the audit log as records."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from healconsole.core.ages import clock_time
from healconsole.core.frozen import Frozen, field

EMPTY_MAP: Mapping[str, Any] = MappingProxyType({})


class AuditEvent(Frozen):
    """One line of the audit log that parsed. Strings are exact, as the log has them."""

    offset: int
    """Byte offset of the line in its file; the event's identity while the file lives. Of an event
    of the fleet its place (``core.fleetplace``)."""
    length: int
    """Bytes of the line, newline included."""
    ts: float | None
    """Epoch seconds; None if ``ts_text`` is not a time."""
    ts_text: str = ""
    host: str = ""
    healer: str = ""
    intent: str = ""
    outcome: str = ""
    reason: str = ""
    fact: str = ""
    scope: str = ""
    key: str = ""
    guard: str = ""
    pid: int | None = None
    duration_ms: int | None = None
    dry_run: bool | None = None
    trigger: str = ""
    count: int = 1
    until: int | None = None
    """Of several that are told at once: epoch seconds of the last one."""
    operator: Mapping[str, Any] = field(default_factory=lambda: EMPTY_MAP)
    incident: str = ""
    before: str = ""
    after: str = ""
    cause: str = ""
    """Of `operator-undo`: what the event is (``core.unfinished``)."""
    raw: bytes = b""


class UnparsableLine(Frozen):
    """One line of the audit log that did not parse: shown and counted, never dropped."""

    offset: int
    length: int
    raw: bytes
    """At most 4,096 bytes of the line."""
    why: str


AuditLine = AuditEvent | UnparsableLine


class AuditTail(Frozen):
    """The end of the audit log. Offsets grow until ``generation`` changes."""

    path: str = ""
    generation: int = 0
    """Counts replacements and truncations of the file."""
    size: int = 0
    """Bytes; of the fleet how far its stream was read (``core.fleetplace.told_place``)."""
    lines: tuple[AuditLine, ...] = ()
    """The newest lines, oldest first; at most 500."""
    unparsable: int = 0
    """Unparsable lines seen since the start."""
    gap: str = ""
    """Said when lines may have been lost (copytruncate), else empty."""
    earlier: tuple[AuditLine, ...] = ()
    """The last lines of the generation before, oldest first, at most 100; their offsets lie in
    a file that was rotated away. So that a rotation does not empty the screen."""
    since: int = 0
    """Of the fleet: all that was told from this place of its stream on is in ``lines``."""


def repeated(event: AuditEvent, utc_offset_s: int) -> str:
    """How often it happened, and when last: the line is written after that, when the run ended.

    >>> repeated(AuditEvent(0, 0, None, count=38, until=1764000000), 0)
    'x38 until 16:00:00'
    >>> repeated(AuditEvent(0, 0, None, count=2), 0), repeated(AuditEvent(0, 0, None), 0)
    ('x2', '')
    """
    if event.count <= 1:
        return ""
    last = f" until {clock_time(event.until, utc_offset_s)}" if event.until else ""
    return f"x{event.count}{last}"
