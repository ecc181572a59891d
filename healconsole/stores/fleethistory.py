"""The fleet's audit stream, read back page by page: nothing is indexed, nothing is kept.

Places are those of the stream (``core.fleetplace.told_place``): what is read next goes by when
an event was told, what is shown by when it happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from healconsole.core.auditline import AuditLine
from healconsole.core.fleetplace import happened_at, in_order, stream_id, told_at, told_place
from healconsole.stores.fleetaudit import Entry, event_of
from healconsole.stores.fleetkeys import AUDIT
from healconsole.stores.history import ScanStep, Stretch
from healconsole.stores.redislink import RedisLink

if TYPE_CHECKING:
    from redis import Redis

PAGE: Final = 500
"""Entries in one question to Redis: about 400 kB, and 20 ms of work."""


class FleetHistory:
    """Looks into the stream; for any thread. Writes nothing.

    Every method asks once, and raises `RedisUnknown` where there is no answer: what was read
    before is still true.
    """

    def __init__(self, url: str) -> None:
        self._link = RedisLink(url)

    def scan(self, matches: Callable[[AuditLine], bool], offset: int) -> ScanStep:
        """Take one page back from a place, and return the lines that match."""
        found = self._back(offset, PAGE)
        begin = told_place(found[0][0]) if len(found) == PAGE else 0
        return ScanStep(_lines(found, matches), begin, done=begin == 0)

    def newer(self, offset: int, count: int) -> ScanStep:
        """Return at most ``count`` events that were told after a place."""
        found = self._on(b"(" + stream_id(offset), count)
        end = told_place(found[-1][0]) if found else offset
        return ScanStep(_lines(found), end, done=len(found) < count)

    def around(self, ts: float, count: int) -> Stretch:
        """Return ``count`` events that were told before a time, and as many after it."""
        begin = told_at(ts)
        before = self._back(begin, count)
        after = self._on(stream_id(begin), count)
        found = [*before, *after]
        return Stretch(
            _lines(found),
            told_place(found[0][0]) if len(before) == count else 0,
            told_place(found[-1][0]) if found else begin,
            happened_at(ts),
        )

    def _back(self, before: int, count: int) -> list[Entry]:
        """The last entries ahead of a place, oldest first."""

        def ask(client: Redis) -> Any:  # noqa: ANN401 - redis-py leaves this untyped
            return client.xrevrange(AUDIT, max=b"(" + stream_id(before), count=count)

        found: list[Entry] = self._link.ask(ask)
        return found[::-1]

    def _on(self, first: bytes, count: int) -> list[Entry]:
        def ask(client: Redis) -> Any:  # noqa: ANN401
            return client.xrange(AUDIT, min=first, count=count)

        found: list[Entry] = self._link.ask(ask)
        return found


def _any_line(line: AuditLine) -> bool:
    del line
    return True


def _lines(
    entries: list[Entry], matches: Callable[[AuditLine], bool] = _any_line
) -> tuple[AuditLine, ...]:
    events = (event_of(number, entry) for number, entry in entries)
    return tuple(in_order(event for event in events if event is not None and matches(event)))
