"""``publish``: this host tells the fleet of itself, until it is ended."""

from __future__ import annotations

import argparse
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

from healconsole.cli.errors import DONE, RefusedError, UsageError
from healconsole.cli.output import complain, show
from healconsole.cli.settings import fleet_redis, look, settings
from healconsole.core.hostdoc import is_host_name
from healconsole.core.snapshot import Snapshot
from healconsole.core.unread import unread
from healconsole.stores.config import Config
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.fleetkeys import LEASE_MAX_S
from healconsole.stores.publish import Publisher
from healconsole.stores.redislink import RedisLink, RedisUnknown

LEAST_S: Final = 0.5
"""Between two words: what changes meanwhile is told with the next one."""


def run(args: argparse.Namespace) -> int:
    """Publish once, or until SIGTERM; or take the host off the fleet.

    Raises:
        UsageError: no Redis is configured, or this host has no name to publish under.
        RefusedError: Redis cannot be told, once.
    """
    config = settings(args)
    if not is_host_name(config.host):
        raise UsageError(
            f"{config.host!r} is not the name of a host (letters, digits, '.', '_' and '-'): "
            "set host in the configuration"
        )
    if not 1 <= args.lease <= LEASE_MAX_S:
        raise UsageError(f"--lease: from 1 s to {LEASE_MAX_S:.0f} s, not {args.lease:g} s")
    link = RedisLink(fleet_redis(config))
    publisher = Publisher(link, config.host, config.audit, args.lease)
    try:
        if not (args.once or args.leave):
            return _serve(config, publisher, args.lease)
        if args.leave:
            publisher.leave()
            show(f"{config.host} is off the fleet")
        else:
            _once(config, publisher)
    except RedisUnknown as unknown:
        raise RefusedError(f"Redis unknown: {unknown.why}") from unknown
    finally:
        link.close()
    return DONE


def _once(config: Config, publisher: Publisher) -> None:
    snapshot = look(config)
    publisher.tell(snapshot, time.time())
    events = _tell_events(publisher, complain)
    show(f"{config.host}: {len(snapshot.healers)} healers and {events} new events published")


def _serve(config: Config, publisher: Publisher, lease: float) -> int:
    from healconsole.stores.feed import Feed

    service = Service(publisher, lease)
    feed = Feed(config, time.time, service.take)
    ended: list[int] = []

    def end(number: int, _frame: object) -> None:
        ended.append(number)
        service.end()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    feed.start()
    try:
        service.run()
    finally:
        feed.stop()
    return DONE if ended[:1] == [signal.SIGTERM] else 128 + (ended or [0])[0]


class Service:
    """Tells each change, and that this host lives, as long as it runs; Redis may come and go.

    Args:
        publisher: tells one thing.
        lease: for how many seconds each word is good.
        say: where it is told that Redis does not listen, and that it does again.
    """

    def __init__(
        self, publisher: Publisher, lease: float, say: Callable[[str], None] = complain
    ) -> None:
        self._publisher = publisher
        self._pause = lease / 3
        self._say = say
        self._news = threading.Event()
        self._ending = threading.Event()
        self._snapshot: Snapshot | None = None
        self._problem = ""

    def take(self, snapshot: Snapshot) -> None:
        """Take the newest snapshot; called on the feed's thread."""
        changed = self._snapshot is None or snapshot != self._snapshot
        self._snapshot = snapshot
        if changed:
            self._news.set()

    def end(self) -> None:
        """Ask `run` to return."""
        self._ending.set()
        self._news.set()

    def run(self) -> None:
        """Tell until asked to end."""
        while not self._ending.is_set():
            self._news.wait(self._pause)
            self._news.clear()
            if self._snapshot is not None and not self._ending.is_set():
                self._tell(self._snapshot)
                self._ending.wait(LEAST_S)

    def _tell(self, snapshot: Snapshot) -> None:
        try:
            self._publisher.tell(snapshot, time.time())
            _tell_events(self._publisher, self._note)
        except RedisUnknown as unknown:
            self._note(f"Redis unknown: {unknown.why}; trying on")
        else:
            if self._problem.startswith("Redis"):
                self._note("Redis is told again")

    def _note(self, problem: str) -> None:
        """Say what is wrong when it begins, and not again and again."""
        if problem != self._problem:
            self._problem = problem
            self._say(problem)


def _tell_events(publisher: Publisher, say: Callable[[str], None]) -> int:
    try:
        return publisher.tell_events()
    except Missing:
        return 0  # nothing was audited yet
    except Unreadable as error:
        say(unread("the audit log", error.why))
        return 0
