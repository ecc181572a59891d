"""Asking Redis again and again, in a thread of its own: it may hang, and files do not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from healconsole.core.snapshot import SourceHealth
from healconsole.core.words import SourceState
from healconsole.stores.picture import FleetNews
from healconsole.stores.redislink import RedisLink, RedisUnknown
from healconsole.stores.stops import read_stops

TIMEOUT_S: Final = 1.0
"""With the pause, a Redis that hangs is known to within 2 s."""
_PAUSE_S: Final = 0.9
_LOAD: Final = 20
"""The pause is so many times the answer, or more: we are 5 % of Redis' load at most."""
_HUNG_S: Final = 1.9

SILENT: Final = FleetNews(
    SourceHealth(SourceState.UNKNOWN, "Redis has not answered for 2 s (or its name server)")
)
"""The news when not even a refusal came: a name server knows no timeout."""


class FleetPoll(threading.Thread):
    """Asks once a second, and hands out what was said.

    Args:
        url: address of the Redis.
        clock: epoch seconds.
        on_news: called in this thread.
        after: seconds before the first question. It imports redis-py, which is 0.2 s of work
            that a screen about to be drawn has a better use for.
    """

    def __init__(
        self,
        url: str,
        clock: Callable[[], float],
        on_news: Callable[[FleetNews], None],
        after: float = 0.0,
    ) -> None:
        super().__init__(name="redis", daemon=True)
        self._url = url
        self._clock = clock
        self._on_news = on_news
        self._after = after
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._asked: float | None = None
        self._connected = False

    @property
    def hung(self) -> bool:
        """Whether a question waits for longer than any timeout."""
        asked = self._asked
        return asked is not None and time.monotonic() - asked > _HUNG_S

    def poke(self) -> None:
        """Ask now."""
        self._due.set()

    def stop(self) -> None:
        """Ask the thread to end. It may hang in a question: it is not waited for."""
        self._stopping.set()
        self._due.set()

    def run(self) -> None:
        """Ask until stopped."""
        link = RedisLink(self._url, timeout=TIMEOUT_S)
        self._due.wait(self._after)
        while not self._stopping.is_set():
            self._due.clear()
            self._asked = time.monotonic()
            news, took = self._ask(link)
            self._asked = None
            if self._stopping.is_set():
                break
            self._on_news(news)
            answered = news.health.state is SourceState.LIVE
            self._due.wait(max(_PAUSE_S, took * _LOAD) if answered else _PAUSE_S)
        link.close()

    def _ask(self, link: RedisLink) -> tuple[FleetNews, float]:
        """The news, and how many seconds of it Redis took."""
        try:
            if not self._connected:  # imports redis-py and connects: not what Redis takes
                link.halt()
                self._connected = True
            began = time.monotonic()
            halt = link.halt()
            latency_ms = (time.monotonic() - began) * 1000
            halts, storms = read_stops(link)
            locks = link.scan_locks(self._clock())
        except RedisUnknown as unknown:
            self._connected = False
            return FleetNews(SourceHealth(SourceState.UNKNOWN, unknown.why)), 0.0
        health = SourceHealth(
            SourceState.LIVE, link.where, latency_ms=latency_ms, last_ok=self._clock()
        )
        news = FleetNews(health, locks, halt, halts, storms)
        return news, time.monotonic() - began
