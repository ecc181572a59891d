"""Locks among many other keys: pushed where that is to be had, looked for where it is not."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from healconsole.core.snapshot import Lock
from healconsole.core.words import SourceState
from healconsole.stores import fleetpoll, lockwatch
from healconsole.stores.fleetkeys import HOSTS
from healconsole.stores.fleetpoll import FleetPoll
from healconsole.stores.lockwatch import LockWatch
from healconsole.stores.picture import FleetNews
from healconsole.stores.redislink import LOCKS, RedisLink, RedisUnknown, plain_client
from healconsole.stores.redisserver import RedisServer

OWNER = "web-07/worker/7/uuid"


class Listener:
    """A poll and what it said."""

    def __init__(self, url: str) -> None:
        self.said: queue.SimpleQueue[FleetNews] = queue.SimpleQueue()
        self.poll = FleetPoll(url, time.time, self.said.put)

    def until(self, true: Callable[[FleetNews], bool], timeout: float = 15.0) -> FleetNews:
        """The first news of which this is true."""
        deadline = time.monotonic() + timeout
        while True:
            news = self.said.get(timeout=max(0.01, deadline - time.monotonic()))
            if true(news):
                return news

    def until_told_by(self, means: str) -> None:
        assert self.poll._push is not None
        deadline = time.monotonic() + 15
        while self.poll._push.by != means:
            assert time.monotonic() < deadline, f"told by {self.poll._push.by!r}"
            time.sleep(0.01)


@contextmanager
def listening(url: str) -> Iterator[Listener]:
    listener = Listener(url)
    listener.poll.start()
    try:
        yield listener
    finally:
        listener.poll.stop()
        listener.poll.join(10)


def holds(key: str, owner: str = OWNER) -> Callable[[FleetNews], bool]:
    return lambda news: (key, owner) in {(lock.key, lock.owner) for lock in news.locks}


def live(news: FleetNews) -> bool:
    return news.health.state is SourceState.LIVE


@pytest.fixture
def only_pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks by himself for a long time: what is seen was pushed."""
    monkeypatch.setattr(fleetpoll, "_PAUSE_S", 300.0)


def fill(url: str, count: int) -> None:
    with plain_client(url) as client:
        client.mset({f"other:{number}": "x" for number in range(count)})


@pytest.mark.usefixtures("only_pushed")
def test_a_lock_that_is_taken_and_given_back_is_pushed(redis_url: str) -> None:
    fill(redis_url, 20_000)
    with plain_client(redis_url) as client, listening(redis_url) as listener:
        client.set("heal:lock:old", "b9a7")
        listener.until(lambda news: live(news) and holds("old", "b9a7")(news))
        listener.until_told_by("tracking")
        link = RedisLink(redis_url)
        link.acquire("broker", OWNER, 60_000)
        assert listener.until(holds("broker")).locks[0].fence
        client.set("heal:lock:legacy", "6f1c", px=80)  # and nobody gives it back
        listener.until(holds("legacy", "6f1c"))
        listener.until(lambda news: not holds("legacy", "6f1c")(news))
        link.release("broker", OWNER)
        listener.until(lambda news: not holds("broker")(news))
        client.flushall()
        listener.until(lambda news: live(news) and not news.locks)
        link.close()


@pytest.mark.usefixtures("only_pushed")
def test_keyspace_events_tell_where_tracking_is_refused(redis_server: RedisServer) -> None:
    with plain_client(redis_server.url) as client:
        client.execute_command("ACL", "SETUSER", "viewer", "on", ">pw", "~*", "&*", "+@all",
                               "-client|tracking")  # fmt: skip
        client.config_set("notify-keyspace-events", "KA")
        url = f"redis://viewer:pw@127.0.0.1:{redis_server.port}/0"
        with listening(url) as listener:
            listener.until(live)
            listener.until_told_by("events")
            client.set("heal:lock:a", OWNER, px=60_000)
            listener.until(holds("a"))
            client.delete("heal:lock:a")
            listener.until(lambda news: not holds("a")(news))


def test_where_nothing_is_pushed_locks_are_looked_for(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockwatch, "WALK_S", 0.1)
    monkeypatch.setattr(fleetpoll, "_PAUSE_S", 0.05)
    with plain_client(redis_server.url) as client:
        client.execute_command(
            *("ACL", "SETUSER", "old", "on", ">pw", "~heal:lock:*", "~heal:fence:*", "~heal:halt*"),
            *("~heal:storms", "+get", "+pttl", "+scan", "+multi", "+exec", "+hgetall"),
        )
        with listening(f"redis://old:pw@127.0.0.1:{redis_server.port}/0") as listener:
            listener.until(live)
            client.set("heal:lock:foreign", "b9a7", px=60_000)
            listener.until(holds("foreign", "b9a7"))
            client.set("heal:lock:foreign", OWNER, px=60_000)
            listener.until(holds("foreign"))
            client.delete("heal:lock:foreign")
            listener.until(lambda news: live(news) and not news.locks)


def test_it_is_told_again_after_redis_came_back(redis_server: RedisServer) -> None:
    with listening(redis_server.url) as listener:
        listener.until(live)
        listener.until_told_by("tracking")
        redis_server.stop()
        listener.until(lambda news: news.health.state is SourceState.UNKNOWN)
        redis_server.start()
        listener.until(live)
        listener.until_told_by("tracking")
        with plain_client(redis_server.url) as client:
            client.set("heal:lock:a", OWNER)
            listener.until(holds("a"))


def test_our_own_locks_are_in_an_index_and_found_in_it_without_a_walk(redis_url: str) -> None:
    link = RedisLink(redis_url)
    watch = LockWatch(link, time.time)
    while not watch.complete:
        watch.look(pushed=True)
    link.acquire("broker", OWNER, 60_000)
    with plain_client(redis_url) as client:
        client.set("heal:lock:foreign", "b9a7")
        watch.look(pushed=True)
        assert [lock.key for lock in watch.locks] == ["broker"]
        ends = client.zscore(LOCKS, "heal:lock:broker")
        assert link.renew("broker", OWNER, 90_000)
        assert client.zscore(LOCKS, "heal:lock:broker") > ends
        assert link.release("broker", OWNER)
        assert client.zcard(LOCKS) == 0
    watch.walk_again()
    while watch.walking:
        watch.look(pushed=False)
    assert [lock.key for lock in watch.locks] == ["foreign"]
    link.close()


def test_a_walk_goes_in_slices_and_what_changes_meanwhile_is_read(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockwatch, "_SLICE_S", 0.0)
    fill(redis_url, 5_000)
    link = RedisLink(redis_url)
    watch = LockWatch(link, time.time)
    looks = 0
    with plain_client(redis_url) as client:
        client.mset({f"heal:lock:{number}": "o" for number in range(50)})
        while not watch.complete:
            watch.look(pushed=True)
            looks += 1
            if looks == 2:
                client.delete("heal:lock:1")
                client.set("heal:lock:new", "n")
                watch.read({b"heal:lock:1", b"heal:lock:new"})
    assert looks > 3
    assert {lock.key for lock in watch.locks} == {*(str(n) for n in range(50)), "new"} - {"1"}
    link.close()


def test_more_locks_than_a_fleet_has_are_unknown(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockwatch, "LOCKS_MAX", 10)
    link = RedisLink(redis_url)
    with plain_client(redis_url) as client:
        client.mset({f"heal:lock:{number}": "o" for number in range(50)})
    with pytest.raises(RedisUnknown, match="more than 10 locks"):
        LockWatch(link, time.time).look(pushed=False)
    link.close()


def test_the_holders_host_is_known_to_be_lost(redis_url: str) -> None:
    with plain_client(redis_url) as client, listening(redis_url) as listener:
        client.zadd(HOSTS, {"web-07": 1.0, "web-08": time.time() * 1000 + 60_000, "a/b": 1.0})
        client.set("heal:lock:a", OWNER)
        hosts = listener.until(lambda news: bool(news.hosts)).hosts
        assert [(host.name, host.lost_since is None) for host in hosts] == [
            ("web-07", False),
            ("web-08", True),
        ]


def test_a_lock_is_the_same_until_it_changes(redis_url: str) -> None:
    link = RedisLink(redis_url)
    link.acquire("a", OWNER, 60_000)
    (lock,) = link.scan_locks(time.time())
    assert isinstance(lock, Lock)
    assert not link.break_lock("a", "somebody/else/1/u")
    assert link.break_lock("a", OWNER)
    assert link.scan_locks(time.time()) == ()
    link.close()
