"""A host tells the fleet of itself: its healers as they are, and what its audit log says.

Plain commands in an order in which each may be the last: a reader never sees a change announced
that it cannot read. An event may come twice, with the same id; it never stays away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from healconsole.core.hostdoc import (
    DOC_MAX,
    HEALERS_MAX,
    header_line,
    healer_line,
    problems_of,
)
from healconsole.core.request import Request
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.stores.fleetkeys import (
    AUDIT,
    CHANGED,
    EVENTS_MAX,
    HOST,
    HOSTS,
    KEPT_S,
    LEASE_S,
    LEFT,
    LEFT_S,
    POSITION,
)
from healconsole.stores.logposition import Entry, entries_since, parse_position
from healconsole.stores.redislink import RedisLink, milliseconds

if TYPE_CHECKING:
    from redis import Redis

HEADER_MAX: Final = 262_144
"""Bytes that are left to the first line of a document."""
BATCH: Final = 200
"""Events in one exchange with Redis."""


class Publisher:
    """Puts one host in Redis. Every method raises `RedisUnknown` where it cannot.

    Args:
        link: to the Redis.
        host: this host's name; the caller has checked it (``core.hostdoc.is_host_name``).
        audit: the audit log.
        lease_s: for how many seconds each word is good.
    """

    def __init__(self, link: RedisLink, host: str, audit: Path, lease_s: float = LEASE_S) -> None:
        self._link = link
        self._host = host
        self._audit = audit
        self._lease_ms = int(lease_s * 1000)
        self._lines: dict[str, tuple[HealerState, bytes]] = {}
        self._told: tuple[bytes, tuple[str, ...], tuple[Request, ...]] | None = None

    def tell(self, snapshot: Snapshot, now: float) -> bool:
        """Publish `snapshot`, and say that this host lives; return whether anything was new.

        Args:
            snapshot: this host's.
            now: epoch seconds on this host's clock.
        """
        body, number, left_off = self._body(snapshot.healers, now)
        problems = problems_of(snapshot)
        waiting = tuple(request for request in snapshot.requests if request.until > now)
        told = (body, problems, waiting)
        new = self._told != told
        document = header_line(self._host, now, number, problems, left_off, waiting) + body
        self._told = None  # until it is known to be there
        fresh = self._link.ask(lambda client: self._put(client, document, new=new))
        self._told = told
        return fresh

    def tell_events(self) -> int:
        """Publish what the audit log has that was not published yet; return how many events.

        Where it left off stands in Redis, so that a Redis that lost its last seconds, or
        everything, is told again what it lost.

        Raises:
            Missing, Unreadable: the log cannot be read.
        """
        said: Any = self._link.ask(lambda client: client.get(POSITION + self._host))
        position = None if said is None else parse_position(said.decode("ascii", "replace"))
        total = 0
        for batch in _batches(entries_since(self._audit, position)):
            self._link.ask(lambda client, batch=batch: self._append(client, batch))  # type: ignore[misc]
            total += len(batch)
        return total

    def leave(self) -> None:
        """Take this host off the fleet: it is gone on purpose, and not lost."""

        def forget(client: Redis) -> None:
            with client.pipeline(transaction=False) as pipe:
                pipe.zrem(CHANGED, self._host)
                pipe.zrem(HOSTS, self._host)
                pipe.set(HOST + self._host, LEFT, ex=LEFT_S)
                pipe.delete(POSITION + self._host)
                pipe.execute()

        self._link.ask(forget)
        self._told = None

    def _body(self, healers: Iterable[HealerState], now: float) -> tuple[bytes, int, int]:
        """The lines of the healers; only those that changed are written anew."""
        lines: dict[str, tuple[HealerState, bytes]] = {}
        size = left_off = 0
        for healer in healers:
            kept = self._lines.get(healer.name)
            same = kept is not None and kept[0] is healer
            line = kept[1] if same and kept is not None else healer_line(healer, now)
            if len(lines) == HEALERS_MAX or size + len(line) > DOC_MAX - HEADER_MAX:
                left_off += 1
                continue
            size += len(line)
            lines[healer.name] = (healer, line)
        self._lines = lines
        return b"".join(line for _, line in lines.values()), len(lines), left_off

    def _put(self, client: Redis, document: bytes, *, new: bool) -> bool:
        now_ms = int(milliseconds(self._link.clock(client, HOSTS)))
        key = HOST + self._host
        # A Redis that came back empty, or was failed over, has not what it was told.
        there: Any = 0 if new else client.expire(key, KEPT_S)
        with client.pipeline(transaction=False) as pipe:
            if not there:
                pipe.set(key, document, ex=KEPT_S)
                if self._link.clustered:
                    pipe.execute()  # the rest may lie on another node, which would be ahead
                pipe.zadd(CHANGED, {self._host: now_ms})
            pipe.expire(POSITION + self._host, KEPT_S)
            pipe.zadd(HOSTS, {self._host: now_ms + self._lease_ms})
            for index in (HOSTS, CHANGED):
                pipe.zremrangebyscore(index, "-inf", now_ms - KEPT_S * 1000)
            pipe.execute()
        return not there

    def _append(self, client: Redis, batch: list[Entry]) -> None:
        with client.pipeline(transaction=False) as pipe:
            for entry in batch:
                event: dict[Any, Any] = {"host": self._host, "id": entry.id, "line": entry.line}
                pipe.xadd(AUDIT, event, maxlen=EVENTS_MAX, approximate=True)
            pipe.execute()
        # After the events: what comes between is told twice, and not left out.
        client.set(POSITION + self._host, str(batch[-1].after), ex=KEPT_S)


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while batch := list(islice(entries, BATCH)):
        yield batch
