"""Whatever Redis does: unknown, in time, no act, audited, nothing spent. Bash and Python alike."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from healconsole.stores.redisserver import RedisServer
from tests.engine.fleets import LIBRARIES, Host
from tests.engine.netfaults import Proxy
from tests.engine.sites import OPEN_POLICY

POLICY = replace(
    OPEN_POLICY, fleet_lock="l", fleet_slots="g", fleet_rate_micro=1, fleet_burst=9, fleet_storm="9"
)
SOON = 2.0 + 2.5
"""Seconds for a cycle: two for Redis, and the rest for processes on a machine that has others."""


def refuses(host: Host, *, within: float = SOON) -> str:
    """One act that Redis' silence denies; its reason."""
    began = time.monotonic()
    outcome, reason = host.act(POLICY)
    took = time.monotonic() - began
    assert outcome == "denied", reason
    assert reason.startswith("Redis unknown: ")
    assert took < within
    [event] = host.events()
    assert (event["outcome"], event["guard"], event["reason"]) == ("denied", "fleet", reason)
    assert not (host.root / "acted").exists()
    assert not (host.root / "h" / "rate" / "fix").exists()
    return reason


def host(root: Path, library: str, url: str) -> Host:
    path = root / library
    path.mkdir(exist_ok=True)
    return Host(f"web-{library}", library, path, url)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("fault", ["drop", "lose", "trickle", "reset"])
def test_a_bad_network(tmp_path: Path, redis_url: str, library: str, fault: str) -> None:
    with Proxy(redis_url, fault) as proxy:
        refuses(host(tmp_path, library, proxy.url))
    with Redis.from_url(redis_url) as client:
        assert not client.exists("heal:lock:l", "heal:tokens:fix")


@contextmanager
def frozen(server: RedisServer) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_bad_server(tmp_path: Path, redis_server: RedisServer, library: str) -> None:
    url = redis_server.url

    def told(case: str, address: str = url) -> str:
        (tmp_path / case).mkdir()
        return refuses(host(tmp_path / case, library, address))

    with frozen(redis_server):
        assert "did not answer in 2 s" in told("hanging")
    assert "refuses the password" in told("noauth", url.replace(redis_server.password, "x"))
    assert "refuses the password" in told("open", url.replace(f":{redis_server.password}@", ""))
    with Redis.from_url(url) as client:
        client.execute_command("ACL", "SETUSER", "viewer", "on", ">pw", "+get", "+hget", "~*")
        viewer = url.replace(f":{redis_server.password}@", "viewer:pw@")
        assert "refuses a command to this user" in told("noperm", viewer)
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        assert "read-only replica" in told("readonly")
    redis_server.stop()
    assert "cannot be reached" in told("refused")
    redis_server.start()
    (tmp_path / "back").mkdir()
    assert host(tmp_path / "back", library, url).act(POLICY)[0] == "success"


def test_a_server_that_loads(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", settings=["enable-debug-command yes"]) as server:
        with Redis.from_url(server.url) as client:
            client.execute_command("DEBUG", "POPULATE", "60000")
            client.config_set("loading-process-events-interval-bytes", 1024)
            client.config_set("key-load-delay", 200)

        def reload() -> None:
            with Redis.from_url(server.url) as other:
                other.execute_command("DEBUG", "RELOAD")

        reloading = threading.Thread(target=reload, daemon=True)
        reloading.start()
        deadline = time.monotonic() + 30
        for library in LIBRARIES:
            reason = ""
            while "is still loading its data" not in reason:
                assert time.monotonic() < deadline
                path = tmp_path / f"{time.monotonic()}"
                path.mkdir()
                reason = host(path, library, server.url).act(POLICY)[1]
        with Redis.from_url(server.url) as client:
            client.config_set("key-load-delay", 0)
        reloading.join()
