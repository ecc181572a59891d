"""Where an event of the fleet stands: in the order of the times at which things happened, with
where Redis' stream has it beside.

A place is one whole number: the time of the event in microseconds, 64 bits that tell the event
from all others, and 64 bits for its entry in the stream. So places sort by time, an event that was
told twice has the same first two parts, and from where on the stream was read can be had back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from healconsole.core.auditline import AuditLine

AHEAD_US: Final = 5_000_000
"""How far ahead of Redis' clock a host's may be, in microseconds."""

_BITS: Final = 64
_SEQ_BITS: Final = 20
_SEQ_MAX: Final = (1 << _SEQ_BITS) - 1
_MS_MAX: Final = (1 << (_BITS - _SEQ_BITS)) - 1
_MASK: Final = (1 << _BITS) - 1


def told_place(stream_id: bytes) -> int:
    """The place in the stream of an entry, 1 where its id is none.

    >>> told_place(b"5-3") == (5 << 20) + 3
    True
    >>> told_place(b"nonsense"), told_place(b"9" * 20) < 1 << 64
    (1, True)
    """
    milliseconds, _, number = stream_id.partition(b"-")
    if not milliseconds.isdigit() or not (number or b"0").isdigit():
        return 1
    at = min(int(milliseconds[:20]), _MS_MAX)
    return max(1, at << _SEQ_BITS | min(int(number[:20] or 0), _SEQ_MAX))


def stream_id(told: int) -> bytes:
    """The reverse of :func:`told_place`.

    >>> stream_id(told_place(b"1764000000123-7"))
    b'1764000000123-7'
    """
    return b"%d-%d" % (told >> _SEQ_BITS, told & _SEQ_MAX)


def told_at(epoch: float) -> int:
    """The first place in the stream at this time of Redis' clock (epoch seconds)."""
    return max(1, int(epoch * 1000) << _SEQ_BITS)


def told_time(told: int) -> float:
    """When a place in the stream was, in epoch seconds.

    >>> told_time(told_at(1764000000.5))
    1764000000.5
    """
    return (told >> _SEQ_BITS) / 1000


def place(ts: float | None, told: int, host: str, event: bytes) -> int:
    """The place of an event.

    Args:
        ts: when it happened, epoch seconds; None = when it was told. A time that is still to come
            would keep its event the newest for ever, and is taken for soon.
        told: where the stream has it.
        host: who published it; nobody else's event is the same.
        event: the id that its host gave it.

    >>> first, again = (place(9.0, told, "a", b"x") for told in (told_at(9.5), told_at(11)))
    >>> same(first) == same(again), same(first) == same(place(9.0, 1, "b", b"x"))
    (True, False)
    >>> place(9.0, told_at(20), "a", b"x") < place(10.0, told_at(19), "a", b"y")
    True
    """
    arrived = (told >> _SEQ_BITS) * 1000
    happened = arrived if ts is None else min(max(int(ts * 1_000_000), 1), arrived + AHEAD_US)
    digest = hashlib.sha256(host.encode() + b" " + event).digest()
    return happened << 2 * _BITS | int.from_bytes(digest[:8], "big") << _BITS | told


def happened_at(epoch: float) -> int:
    """The first place of what happened at this time (epoch seconds) or later.

    >>> happened_at(9.0) <= place(9.0, told_at(9.5), "a", b"x") < happened_at(9.1)
    True
    """
    return int(epoch * 1_000_000) << 2 * _BITS


def same(where: int) -> int:
    """What all places of one event have in common."""
    return where >> _BITS


def told(where: int) -> int:
    """Where the stream has what stands at a place."""
    return where & _MASK


def in_order(lines: Iterable[AuditLine]) -> list[AuditLine]:
    """Events in the order of their times, each once however often it was told."""
    found: list[AuditLine] = []
    for line in sorted(lines, key=lambda line: line.offset):
        if not found or same(found[-1].offset) != same(line.offset):
            found.append(line)
    return found
