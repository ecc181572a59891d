"""The live picture of the fleet: what all hosts publish in Redis, given out as whole snapshots."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from healconsole.core.fleetplace import told_place
from healconsole.core.frozen import Frozen, replace
from healconsole.core.hostdoc import DOC_MAX
from healconsole.core.snapshot import Snapshot, SourceHealth
from healconsole.core.words import SourceState
from healconsole.stores.fleetaudit import Entry, FleetAudit
from healconsole.stores.fleethosts import HOSTS_MAX, FleetHosts
from healconsole.stores.fleetkeys import AUDIT, CHANGED, HOST, HOSTS
from healconsole.stores.fleetpoll import TIMEOUT_S, FleetPoll
from healconsole.stores.picture import LINES_MAX, SILENT, FleetNews
from healconsole.stores.redislink import RedisLink, RedisUnknown, milliseconds

if TYPE_CHECKING:
    from redis import Redis

LOOK_S: Final = 0.5
"""Between two looks at the hosts and the events."""
_AT_ONCE: Final = 32
"""Documents in one exchange with Redis."""
_EVENTS_AT_ONCE: Final = 500
_OVERLAP_MS: Final = 2_000
"""Changes are asked for from so long before the last look: their clock is Redis', and may wait."""
_ANOMALIES_MAX: Final = 3


class _Index(Frozen):
    """What one question to Redis brought; an exception where one of its parts was refused."""

    now_ms: float
    leases: Any
    changes: Any
    events: Any


class FleetReader:
    """Reads hosts and events out of Redis. For one thread; writes nothing.

    Args:
        link: to the Redis.
        clock: epoch seconds.
    """

    def __init__(self, link: RedisLink, clock: Callable[[], float]) -> None:
        self._link = link
        self._clock = clock
        self.hosts = FleetHosts()
        self.audit = FleetAudit()
        self.state_health = SourceHealth(SourceState.STARTING)
        self.audit_health = SourceHealth(SourceState.STARTING)
        self._since_ms = 0.0
        self._last_event = b""
        self._redis_ms = 0.0
        self._asked = 0.0

    def look(self, on_part: Callable[[], None] = lambda: None) -> None:
        """Read what is new. Where Redis does not say, the healths say so, and hosts get lost.

        Args:
            on_part: called when a part of the documents was read.
        """
        try:
            index = self._link.ask(self._index)
            self._redis_ms, self._asked = index.now_ms, time.monotonic()
            self._take_events(index.events)
            self._take_hosts(index, on_part)
        except RedisUnknown as unknown:
            self._say_unknown(unknown.why)
        self._judge()

    def _index(self, client: Redis) -> _Index:
        since = self._since_ms - _OVERLAP_MS if self._since_ms else "-inf"
        with client.pipeline(transaction=False) as pipe:
            self._link.clock(pipe, HOSTS)
            pipe.zrange(HOSTS, 0, HOSTS_MAX - 1, withscores=True)
            pipe.zrangebyscore(CHANGED, since, "+inf", withscores=True)
            if self._last_event:
                pipe.xrange(AUDIT, min=b"(" + self._last_event, count=_EVENTS_AT_ONCE)
            else:
                pipe.xrevrange(AUDIT, count=LINES_MAX)
            pipe.xrevrange(AUDIT, count=1)
            now, leases, changes, events, newest = pipe.execute(raise_on_error=False)
        if isinstance(now, Exception):
            raise now
        if (
            isinstance(newest, list)
            and newest
            and told_place(newest[0][0]) < told_place(self._last_event)
        ):
            # Another stream, or the clock of Redis went back: the next look reads it anew.
            self._last_event, events = b"", []
        return _Index(milliseconds(now), leases, changes, events)

    def _take_events(self, events: list[Entry] | Exception) -> None:
        if isinstance(events, Exception):
            self.audit_health = SourceHealth(SourceState.UNKNOWN, f"{AUDIT}: {events}")
            return
        entries = events if self._last_event else events[::-1]
        self.audit.take(entries, anew=not self._last_event)
        if entries:
            self._last_event = entries[-1][0]
        self.audit_health = SourceHealth(SourceState.LIVE, AUDIT, last_ok=self._clock())

    def _take_hosts(self, index: _Index, on_part: Callable[[], None]) -> None:
        for key, reply in ((HOSTS, index.leases), (CHANGED, index.changes)):
            if isinstance(reply, Exception):
                self.state_health = SourceHealth(SourceState.UNKNOWN, f"{key}: {reply}")
                return
        due = self.hosts.take_index(dict(index.leases), dict(index.changes))
        for first in range(0, len(due), _AT_ONCE):
            names = due[first : first + _AT_ONCE]
            for name, raw in zip(names, self._documents(names), strict=True):
                self.hosts.take_document(name, raw)
            if first + _AT_ONCE < len(due):
                self._judge()
                on_part()
        self._since_ms = index.now_ms
        self.state_health = SourceHealth(SourceState.LIVE, HOSTS, last_ok=self._clock())

    def _documents(self, names: list[str]) -> Iterable[bytes]:
        def ask(client: Redis) -> list[Any]:
            with client.pipeline(transaction=False) as pipe:
                for name in names:
                    # However long a value a host wrote, this much of it comes.
                    pipe.getrange(HOST + name, 0, DOC_MAX)
                return pipe.execute(raise_on_error=False)

        found = self._link.ask(ask)
        return [raw if isinstance(raw, bytes) else b"not a text\n" for raw in found]

    def _judge(self) -> None:
        """Leases run out also while Redis is silent."""
        if self._asked:
            passed = (time.monotonic() - self._asked) * 1000
            self.hosts.judge(self._redis_ms + passed, self._clock())

    def _say_unknown(self, why: str) -> None:
        for name in ("state_health", "audit_health"):
            last_ok = getattr(self, name).last_ok
            setattr(self, name, SourceHealth(SourceState.UNKNOWN, why, last_ok=last_ok))


class FleetFeed:
    """Looks at the fleet, and calls back with a snapshot when something changed.

    Also once a second when nothing did, so that silence means that the feed is dead. Looking
    changes nothing in Redis.

    Args:
        url: address of the Redis.
        clock: epoch seconds.
        on_snapshot: called from the feed's own thread, never from two at a time.
        once: it is only asked for `once`.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float],
        on_snapshot: Callable[[Snapshot], None],
        *,
        once: bool = False,
    ) -> None:
        self._clock = clock
        self._on_snapshot = on_snapshot
        self._link = RedisLink(url, timeout=TIMEOUT_S)
        self._reader = FleetReader(self._link, clock)
        self._locks = FleetNews(SourceHealth(SourceState.STARTING))
        self._poll = FleetPoll(url, clock, self._fleet_said, push=not once)
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self._published: Snapshot | None = None
        self._told_at = 0.0
        self._poked = False

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._poll.start()
        self._thread.start()

    def stop(self) -> None:
        """End; a question to Redis that is under way is not waited for longer than its time."""
        self._stopping.set()
        self._due.set()
        self._poll.stop()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def look_at(self, name: str | None) -> None:
        """Nothing more is to be had of one healer: its host publishes what there is."""

    def poke(self) -> None:
        """Look now rather than at the next turn."""
        self._poked = True
        self._due.set()
        self._poll.poke()

    def once(self) -> Snapshot:
        """Look once, without a thread that goes on."""
        self._poll.start()
        self._reader.look()
        end = time.monotonic() + 2.0
        while self._locks.health.state is SourceState.STARTING and time.monotonic() < end:
            self._due.wait(0.02)
            self._due.clear()
        if self._locks.health.state is SourceState.STARTING:
            self._locks = SILENT
        self._poll.stop()
        self._link.close()
        return self._snapshot()

    def _run(self) -> None:
        next_look = 0.0
        while not self._stopping.is_set():
            self._due.clear()
            if self._poked or time.monotonic() >= next_look:
                self._poked = False
                self._reader.look(self._tell)
                next_look = time.monotonic() + LOOK_S
            self._tell()
            self._due.wait(max(0.0, next_look - time.monotonic()))
        self._link.close()

    def _fleet_said(self, news: FleetNews) -> None:
        if news.health.state is not SourceState.LIVE:
            news = replace(self._locks, health=news.health)
        self._locks = news
        self._due.set()

    def _tell(self) -> None:
        snapshot = self._snapshot()
        silent = time.monotonic() - self._told_at > 1.0
        if (silent or snapshot != self._published) and not self._stopping.is_set():
            self._published = snapshot
            self._told_at = time.monotonic()
            self._on_snapshot(snapshot)

    def _snapshot(self) -> Snapshot:
        reader, locks, now = self._reader, self._locks, self._clock()
        hosts = reader.hosts.hosts
        found = reader.hosts.anomalies
        more = len(found) - _ANOMALIES_MAX
        anomalies = found[:_ANOMALIES_MAX] + ((f"and {more} more",) if more > 0 else ())
        return Snapshot(
            host=_fleet_name(len(hosts)),
            taken_at=now,
            healers=reader.hosts.healers,
            hosts=hosts,
            fleet=True,
            requests=reader.hosts.requests(now),
            locks=locks.locks,
            halt=locks.halt,
            halts=locks.halts,
            storms=locks.storms,
            audit=reader.audit.tail(),
            audit_health=reader.audit_health,
            state_health=reader.state_health,
            redis_health=locks.health,
            anomalies=anomalies,
        )


def _fleet_name(hosts: int) -> str:
    """What stands in the place of a host's name.

    >>> _fleet_name(1), _fleet_name(1000)
    ('fleet, 1 host', 'fleet, 1000 hosts')
    """
    return f"fleet, {hosts} host{'' if hosts == 1 else 's'}"
