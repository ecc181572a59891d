"""The link to Redis against a real server that is stopped, frozen, locked and loading."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from healconsole.core.halt import HaltRecord
from healconsole.core.records import Policy
from healconsole.stores.fleetlook import Asker, FleetLink
from healconsole.stores.redislink import RedisLink, RedisUnknown, plain_client
from healconsole.stores.redisserver import RedisServer

NOW = 1_764_000_000.0


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    opened = RedisLink(redis_url)
    yield opened
    opened.close()


@contextmanager
def frozen(server: RedisServer) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_locks_are_read_with_owner_end_and_fence(link: RedisLink, redis_url: str) -> None:
    with plain_client(redis_url) as client:
        client.set("heal:lock:legacy", "b9a7", px=30_000)
        client.set("heal:lock:for ever", "x")
        client.set("other", "y")
    fence = link.acquire("broker", "web-07/healer/1/u", 60_000)
    assert fence is not None
    broker, endless, legacy = link.scan_locks(NOW)
    assert (endless.key, endless.owner, endless.expires_at) == ("for ever", "x", None)
    assert (broker.owner, broker.fence) == ("web-07/healer/1/u", fence)
    assert broker.expires_at == pytest.approx(NOW + 60, abs=1)
    assert (legacy.owner, legacy.fence) == ("b9a7", None)
    assert legacy.expires_at == pytest.approx(NOW + 30, abs=1)


def test_two_thousand_locks_and_odd_ones(link: RedisLink, redis_url: str) -> None:
    with plain_client(redis_url) as client:
        client.mset({f"heal:lock:{number}": "o" for number in range(2000)})
        client.hset("heal:lock:hash", "a", "b")
        client.set(b"heal:lock:\xff", b"\x1b[31m\xfe")
    found = {lock.key: lock for lock in link.scan_locks(NOW)}
    assert len(found) == 2002
    assert "WRONGTYPE" in found["hash"].owner
    assert found["\udcff"].owner == "\x1b[31m\udcfe"


def test_a_lock_is_held_renewed_and_released_by_its_owner_only(link: RedisLink) -> None:
    first = link.acquire("k", "a", 60_000)
    assert first is not None
    assert link.acquire("k", "b", 60_000) is None
    assert link.acquire("k", "a", 60_000) == first
    assert not link.renew("k", "b", 60_000)
    assert link.renew("k", "a", 90_000)
    assert not link.release("k", "b")
    assert link.release("k", "a")
    assert not link.release("k", "a")
    assert not link.renew("k", "a", 1)
    second = link.acquire("k", "b", 60_000)
    assert second is not None
    assert second > first


def test_break_takes_only_what_was_shown(link: RedisLink) -> None:
    link.acquire("k", "a", 60_000)
    assert not link.break_lock("k", "somebody else")
    assert link.break_lock("k", "a")
    assert link.scan_locks(NOW) == ()


def test_sixteen_racers_have_one_winner_and_rising_fences(redis_url: str) -> None:
    fences: dict[int, list[int]] = {turn: [] for turn in range(20)}
    barrier = threading.Barrier(16)

    def race(number: int) -> None:
        link = RedisLink(redis_url)
        for turn in range(20):
            barrier.wait()
            fence = link.acquire(f"k{turn}", f"owner {number}", 60_000)
            if fence is not None:
                fences[turn].append(fence)
        link.close()

    racers = [threading.Thread(target=race, args=(number,)) for number in range(16)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert {len(won) for won in fences.values()} == {1}


def test_halt(link: RedisLink, redis_url: str) -> None:
    assert link.halted(NOW) == ""
    with plain_client(redis_url) as client:
        client.set("heal:halt", f"{int(NOW)} {int(NOW) + 60} ana deploy 5121")
        assert link.halted(NOW) == "deploy 5121 (ana)"
        assert link.halted(NOW + 60) == ""
        assert link.halt() == HaltRecord(int(NOW), int(NOW) + 60, "ana", "deploy 5121")
        client.set("heal:halt", b"\xff")
        assert "corrupt" in link.halted(NOW)


def test_fleet_state(link: RedisLink) -> None:
    fleet = FleetLink(link)
    asker = Asker("h", "web-07", Policy(fleet_lock="k"), "fix")
    assert fleet.state(asker, NOW).lock_holder == ""
    link.acquire("k", "web-08/h/1/u", 60_000)
    state = fleet.state(asker, NOW)
    assert (state.unknown, state.halted, state.lock_holder) == ("", "", "web-08/h/1/u")
    assert state.lock_ttl == pytest.approx(60, abs=1)


def test_fencing_numbers_go_on_rising_when_redis_forgets(link: RedisLink, redis_url: str) -> None:
    """Flushed, restarted without persistence, or failed over to a replica that was behind."""
    fences: list[int] = []

    def take(owner: str) -> None:
        fence = link.acquire("k", owner, 60_000)
        assert fence is not None
        fences.append(fence)

    with plain_client(redis_url) as client:
        for loss in ("flush", "last number", "nothing"):
            take(f"a {loss}")
            if loss == "flush":
                client.flushall()
            elif loss == "last number":
                client.delete("heal:lock:k")
                client.set("heal:fence:k", 7)
            else:
                client.delete("heal:lock:k")
        take("last")
        ahead = 2**52
        client.set("heal:fence:k", ahead)
        client.delete("heal:lock:k")
    take("a clock that was set back")
    assert fences == sorted(set(fences))
    assert fences[-1] == ahead + 1


def test_refused_is_unknown(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url)
    assert link.scan_locks(NOW) == ()
    redis_server.stop()
    with pytest.raises(RedisUnknown, match="cannot be reached"):
        link.scan_locks(NOW)
    state = FleetLink(link).state(Asker("h", "web-07", Policy(), "fix"), NOW)
    assert "cannot be reached" in state.unknown
    redis_server.start()
    assert link.scan_locks(NOW) == ()
    link.close()


def test_a_frozen_server_is_unknown_in_time_and_comes_back(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url, timeout=0.4)
    link.acquire("k", "a", 60_000)
    with frozen(redis_server):
        began = time.monotonic()
        with pytest.raises(RedisUnknown, match=r"did not answer in 0\.4 s"):
            link.scan_locks(NOW)
        assert time.monotonic() - began < 3.0
    # The late answer of the call that was given up is not taken for that of the next.
    assert [lock.owner for lock in link.scan_locks(NOW)] == ["a"]
    link.close()


def test_a_lost_reply_is_resolved_by_reading_the_token(redis_server: RedisServer) -> None:
    """The server does what it was told, and its answer never arrives."""
    with _Proxy(redis_server.port) as proxy:
        url = f"redis://:{redis_server.password}@127.0.0.1:{proxy.port}/0"
        link = RedisLink(url, timeout=0.5)
        assert link.scan_locks(NOW) == ()
        proxy.swallow_replies()
        fence = link.acquire("k", "mine", 60_000)
        assert fence is not None
        link.close()
        with plain_client(redis_server.url) as client:
            assert client.get("heal:fence:k") == str(fence).encode()


def test_a_command_that_never_arrived_is_unknown_not_free(redis_server: RedisServer) -> None:
    with _Proxy(redis_server.port) as proxy:
        url = f"redis://:{redis_server.password}@127.0.0.1:{proxy.port}/0"
        link = RedisLink(url, timeout=0.5)
        assert link.scan_locks(NOW) == ()
        proxy.swallow_requests()
        with pytest.raises(RedisUnknown, match="did not answer"):
            link.acquire("k", "mine", 60_000)
        link.close()


def test_passwords(redis_server: RedisServer) -> None:
    for secret in ("", ":hunter2@"):
        link = RedisLink(f"redis://{secret}127.0.0.1:{redis_server.port}/0")
        with pytest.raises(RedisUnknown) as caught:
            link.scan_locks(NOW)
        assert "password" in caught.value.why
        assert "hunter2" not in f"{caught.value.why} {link!r}"
        link.close()


@pytest.mark.parametrize("url", ["", "http://:hunter2@h", "redis://:hunter2@h:port/0", "::"])
def test_bad_addresses_say_so_without_the_password(url: str) -> None:
    link = RedisLink(url)
    with pytest.raises(RedisUnknown) as caught:
        link.scan_locks(NOW)
    assert "hunter2" not in f"{caught.value.why} {link!r} {link.where}"


def test_an_address_cannot_lengthen_the_wait(redis_server: RedisServer) -> None:
    link = RedisLink(redis_server.url + "?socket_timeout=60&retry_on_timeout=yes", timeout=0.3)
    link.scan_locks(NOW)
    with frozen(redis_server):
        began = time.monotonic()
        with pytest.raises(RedisUnknown, match="did not answer"):
            link.halted(NOW)
        assert time.monotonic() - began < 3.0
    link.close()


def test_a_user_without_rights_is_unknown(redis_server: RedisServer) -> None:
    with plain_client(redis_server.url) as client:
        client.execute_command("ACL", "SETUSER", "viewer", "on", ">pw", "+ping", "~*")
    link = RedisLink(f"redis://viewer:pw@127.0.0.1:{redis_server.port}/0")
    with pytest.raises(RedisUnknown, match="refuses a command"):
        link.scan_locks(NOW)
    link.close()


def test_a_replica_is_unknown(redis_server: RedisServer) -> None:
    with plain_client(redis_server.url) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
    link = RedisLink(redis_server.url)
    with pytest.raises(RedisUnknown, match="replica"):
        link.scan_locks(NOW)
    with pytest.raises(RedisUnknown, match="read-only"):
        link.acquire("k", "a", 1000)
    link.close()


def test_loading_is_unknown(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", settings=["enable-debug-command yes"]) as server:
        with plain_client(server.url) as client:
            client.execute_command("DEBUG", "POPULATE", "300000")
            client.config_set("loading-process-events-interval-bytes", 1024)
            client.config_set("key-load-delay", 200)

        def reload() -> None:
            with plain_client(server.url) as other:
                other.execute_command("DEBUG", "RELOAD")

        reloading = threading.Thread(target=reload, daemon=True)
        reloading.start()
        link = RedisLink(server.url)
        seen = ""
        deadline = time.monotonic() + 20
        while "loading" not in seen and time.monotonic() < deadline:
            try:
                link.halted(NOW)
            except RedisUnknown as unknown:
                seen = unknown.why
        assert "still loading" in seen
        link.close()
        with plain_client(server.url) as client:
            client.config_set("key-load-delay", 0)
        reloading.join()


class _Proxy:
    """Stands between client and server, and loses what it is told to lose on one connection."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lost = ""
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def swallow_replies(self) -> None:
        self._lost = "replies"

    def swallow_requests(self) -> None:
        self._lost = "requests"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            # What is opened after the loss, to resolve it, works.
            self._lost = ""
            server = socket.create_connection(("127.0.0.1", self._upstream))
            self._sockets += [client, server]
            for source, sink, what in ((client, server, "requests"), (server, client, "replies")):
                thread = threading.Thread(target=self._pump, args=(source, sink, what))
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, what: str) -> None:
        try:
            while data := source.recv(65536):
                if self._lost == what:
                    # Wait for the client to give up and close, as a dead network would.
                    continue
                sink.sendall(data)
        except OSError:
            return

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            one.close()
