"""Locks and stops as Redis has them, in a thread of its own: it may hang, and files do not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from healconsole.core.frozen import replace
from healconsole.core.snapshot import SourceHealth
from healconsole.core.words import SourceState
from healconsole.stores.fleethosts import read_hosts
from healconsole.stores.lockpush import LockPush
from healconsole.stores.lockwatch import LockWatch
from healconsole.stores.picture import FleetNews
from healconsole.stores.redislink import RedisLink, RedisUnknown
from healconsole.stores.stops import read_stops

TIMEOUT_S: Final = 1.0
"""With the pause, a Redis that hangs is known to within 2 s."""
_PAUSE_S: Final = 0.9
_LOAD: Final = 20
"""The pause is so many times the answer, or more: we are 5 % of Redis' load at most, the walks
over all keys aside, which keep to as much themselves."""
_HUNG_S: Final = 1.9
_FIRST_WALK_S: Final = 1.5
"""For so long the first walk over a large Redis is waited for before anything is said."""


class FleetPoll(threading.Thread):
    """Asks once a second, reads at once what is pushed, and hands out what was said.

    Args:
        url: address of the Redis.
        clock: epoch seconds.
        on_news: called in this thread.
        after: seconds before the first question. It imports redis-py, which is 0.2 s of work
            that a screen about to be drawn has a better use for.
        push: whether to be told of changes; for one look it is not worth its connections.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float],
        on_news: Callable[[FleetNews], None],
        after: float = 0.0,
        *,
        push: bool = True,
    ) -> None:
        super().__init__(name="redis", daemon=True)
        self._clock = clock
        self._on_news = on_news
        self._after = after
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._asked: float | None = None
        self._link = RedisLink(url, timeout=TIMEOUT_S)
        self._watch = LockWatch(self._link, clock)
        self._push = LockPush(url, self._changed, TIMEOUT_S) if push else None
        self._changes: SimpleQueue[frozenset[bytes] | None] = SimpleQueue()
        self._missed = True
        """Whether what is known may be old: nobody told us, or Redis was away."""
        self._news = FleetNews(SourceHealth(SourceState.STARTING))
        self._took = 0.0
        """Seconds of the last look that Redis took."""

    @property
    def hung(self) -> bool:
        """Whether a question waits for longer than any timeout."""
        asked = self._asked
        return asked is not None and time.monotonic() - asked > _HUNG_S

    def poke(self) -> None:
        """Ask now."""
        self._changed(None)

    def stop(self) -> None:
        """Ask the thread to end. It may hang in a question: it is not waited for."""
        self._stopping.set()
        if self._push is not None:
            self._push.stop()
        self._due.set()

    def run(self) -> None:
        """Ask until stopped."""
        self._due.wait(self._after)
        if self._push is not None and not self._stopping.is_set():
            self._push.start()
        began = time.monotonic()
        next_look = 0.0
        while not self._stopping.is_set():
            self._due.clear()
            changed = self._take_changes()
            asked = self._asked = time.monotonic()
            looks = self._missed or asked >= next_look or self._watch.walking
            news = self._ask(changed, looks=looks)
            self._asked = None
            if self._stopping.is_set():
                break
            first = not self._watch.complete and news.health.state is SourceState.STARTING
            if not first or time.monotonic() - began > _FIRST_WALK_S:
                self._on_news(news)
            if first or (self._watch.walking and news.health.state is SourceState.LIVE):
                next_look = 0.0
                continue
            if looks:
                pause = max(_PAUSE_S, self._took * _LOAD) if self._live(news) else _PAUSE_S
                next_look = time.monotonic() + pause
            self._due.wait(max(0.0, next_look - time.monotonic()))
        self._link.close()

    @staticmethod
    def _live(news: FleetNews) -> bool:
        return news.health.state is SourceState.LIVE

    def _changed(self, keys: frozenset[bytes] | None) -> None:
        """Called on the thread that is told."""
        self._changes.put(keys)
        self._due.set()

    def _take_changes(self) -> set[bytes]:
        changed: set[bytes] = set()
        try:
            while True:
                keys = self._changes.get_nowait()
                if keys is None:
                    self._missed = True
                else:
                    changed |= keys
        except Empty:
            return changed

    def _ask(self, changed: set[bytes], *, looks: bool) -> FleetNews:
        """Read what changed; and, when it is time, everything that is not told of."""
        try:
            self._watch.read(changed)
            if looks:
                self._news = self._look()
        except RedisUnknown as unknown:
            self._missed = True
            self._watch.walk_again()
            self._news = FleetNews(SourceHealth(SourceState.UNKNOWN, unknown.why))
        if not self._live(self._news):
            return self._news
        return replace(self._news, locks=self._watch.locks)

    def _look(self) -> FleetNews:
        if self._missed:  # imports redis-py and connects: not what Redis takes
            self._link.halt()
        began = time.monotonic()
        halt = self._link.halt()
        latency_ms = (time.monotonic() - began) * 1000
        halts, storms = read_stops(self._link)
        told = self._push is not None and bool(self._push.by)
        if self._missed:
            self._missed = False
            self._watch.walk_again()
            self._watch.look(pushed=False)
        else:
            self._watch.look(pushed=told)
        hosts = read_hosts(self._link, self._clock()) if self._watch.locks else ()
        self._took = time.monotonic() - began
        if not self._watch.complete:
            says = "walking over all keys: a lock may be held that is not shown"
            return FleetNews(SourceHealth(SourceState.STARTING, says))
        health = SourceHealth(
            SourceState.LIVE, self._link.where, latency_ms=latency_ms, last_ok=self._clock()
        )
        return FleetNews(health, (), halt, halts, storms, hosts)
