"""Hosts that publish, the fleet that is read back, and its locks: in a Cluster, over Sentinels."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from healconsole.core.fleetplace import told_at
from healconsole.core.snapshot import Snapshot
from healconsole.core.view import healer_row
from healconsole.core.words import SourceState
from healconsole.stores import fleetpoll
from healconsole.stores.fleetfeed import FleetFeed, FleetReader
from healconsole.stores.fleethistory import FleetHistory
from healconsole.stores.lockwatch import LockWatch
from healconsole.stores.publish import Publisher
from healconsole.stores.redisclock import redis_skew
from healconsole.stores.redislink import RedisLink, RedisUnknown
from healconsole.stores.redisserver import RedisServer
from tests.nodes import LOGIN, client, until
from tests.stores.test_publish import append
from tests.tui import sceneparts, scenes


def publish(url: str, log: Path, *hosts: str) -> None:
    """Hosts tell the fleet of themselves and of the same log."""
    with closing(RedisLink(url)) as link:
        for host in hosts:
            publisher = Publisher(link, host, log, 60.0)
            publisher.tell(scenes.one_open(), time.time())
            publisher.tell_events()


def look(url: str) -> FleetReader:
    with closing(RedisLink(url)) as link:
        reader = FleetReader(link, time.time)
        reader.look()
        return reader


class Watcher:
    """A feed of the fleet, and the last thing that it said."""

    def __init__(self, url: str) -> None:
        self.said = Snapshot()
        self.feed = FleetFeed(url, time.time, self._take)

    def _take(self, snapshot: Snapshot) -> None:
        self.said = snapshot

    def until(self, true: Callable[[Snapshot], bool]) -> None:
        until(lambda: true(self.said))


def live(snapshot: Snapshot) -> bool:
    healths = (snapshot.state_health, snapshot.audit_health, snapshot.redis_health)
    return {health.state for health in healths} == {SourceState.LIVE}


def nobody_answers(url: str, log: Path) -> None:
    """Every question to a Redis that is gone comes to nothing, in one way."""
    with closing(RedisLink(url)) as link:
        with pytest.raises(RedisUnknown, match="cannot be reached"):
            link.halt()
        with pytest.raises(RedisUnknown):
            Publisher(link, "web-01", log).tell(scenes.healthy(), time.time())
    with pytest.raises(RedisUnknown):
        redis_skew(url, time.time)


def test_a_cluster_holds_the_fleet(
    cluster: tuple[RedisServer, RedisServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = cluster
    url = f"redis+cluster://:{LOGIN}@127.0.0.1:{one.port},127.0.0.1:{two.port}"
    log = tmp_path / "audit.jsonl"
    append(log, *range(20))
    names = [f"web-{number:02d}" for number in range(12)]
    publish(url, log, *names)
    with client(one) as first, client(two) as second:
        assert first.keys("heal:host:*"), "its documents lie on both nodes"
        assert second.keys("heal:host:*")
    reader = look(url)
    assert {host.name for host in reader.hosts.hosts} == set(names)
    assert len(reader.hosts.healers) == 4 * len(names)
    assert len(reader.audit.tail().lines) == 20 * len(names)
    history = FleetHistory(url)
    assert len(history.scan(lambda _: True, told_at(time.time() + 60)).lines) == 20 * len(names)
    assert abs(redis_skew(url, time.time)) < 5

    # Whatever node a lock is on, its change is pushed: nobody asks by himself.
    monkeypatch.setattr(fleetpoll, "_PAUSE_S", 300.0)
    watcher = Watcher(url)
    watcher.feed.start()
    try:
        watcher.until(live)
        push = watcher.feed._poll._push
        assert push is not None
        until(lambda: push.by == "tracking")
        with closing(RedisLink(url)) as link:
            for number in range(6):
                link.acquire(f"lock{number}", "db1/h/1/u", 60_000)
            watcher.until(lambda said: len(said.locks) == 6)
            with client(one) as first, client(two) as second:
                assert first.keys("heal:lock:*"), "its locks lie on both nodes"
                assert second.keys("heal:lock:*")
            watch = LockWatch(link, time.time)
            while not watch.complete:
                watch.look(pushed=False)
            assert len(watch.locks) == 6
            assert all(lock.fence for lock in watch.locks)
            assert link.break_lock("{lock0}", "db1/h/1/u")
            watcher.until(lambda said: len(said.locks) == 5)
        two.stop()
        watcher.feed.poke()
        watcher.until(lambda said: said.redis_health.state is SourceState.UNKNOWN)
        watcher.until(lambda said: said.state_health.state is SourceState.UNKNOWN)
        assert len(watcher.said.healers) == 4 * len(names), "what was known is not forgotten"
    finally:
        watcher.feed.stop()
    one.stop()
    nobody_answers(url, log)


def test_the_fleet_is_told_again_after_a_failover(
    sentinel: tuple[str, RedisServer, RedisServer], tmp_path: Path
) -> None:
    url, primary, replica = sentinel
    log = tmp_path / "audit.jsonl"
    append(log, *range(20))
    link = RedisLink(url)
    publisher = Publisher(link, "web-07", log, 60.0)
    publisher.tell(scenes.one_open(), time.time())
    assert publisher.tell_events() == 20
    watcher = Watcher(url)
    watcher.feed.start()
    try:
        watcher.until(live)
        primary.stop()
        watcher.until(lambda said: said.state_health.state is SourceState.UNKNOWN)
        with client(replica) as one:
            until(lambda: one.info("replication")["role"] == "master")
        append(log, 21)

        def told() -> bool:
            try:
                publisher.tell(scenes.healthy(), time.time())
                publisher.tell_events()
            except RedisUnknown:
                return False
            return True

        until(told)
        watcher.until(
            lambda said: live(said) and {healer_row(h, sceneparts.NOW).word for h in said.healers}
            == {"ok"}
        )  # fmt: skip
        watcher.until(lambda said: len(said.audit.lines) >= 21)
        with closing(RedisLink(url)) as other:
            other.acquire("broker", "db1/h/1/u", 60_000)
        watcher.until(lambda said: [lock.key for lock in said.locks] == ["broker"])
    finally:
        watcher.feed.stop()
        link.close()
