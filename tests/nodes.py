"""Real Sentinels and a real Cluster, with a password."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis import Redis

from healconsole.stores.redisserver import RedisServer, find_binary

PASSWORD = "of@the:nodes/x"
LOGIN = quote(PASSWORD, "")


def until(said: Callable[[], bool], within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def server(stack: ExitStack, root: Path, *settings: str) -> RedisServer:
    made = RedisServer(root, settings=settings)
    made.password = PASSWORD
    return stack.enter_context(made)


def client(of: RedisServer) -> Redis:
    return Redis(port=of.port, password=PASSWORD, decode_responses=True)


@contextmanager
def sentinels(tmp_path: Path) -> Iterator[tuple[str, RedisServer, RedisServer]]:
    """A primary, its replica, and a Sentinel that watches them: address, primary, replica."""
    with ExitStack() as stack:
        primary = server(stack, tmp_path / "primary", f"masterauth {PASSWORD}")
        replica = server(
            stack,
            tmp_path / "replica",
            f"masterauth {PASSWORD}",
            f"replicaof 127.0.0.1 {primary.port}",
            "repl-diskless-sync-delay 0",
        )
        with client(replica) as one:
            until(lambda: one.info("replication")["master_link_status"] == "up")
        conf = tmp_path / "sentinel.conf"
        probe = RedisServer(tmp_path / "probe")
        with probe:
            port = probe.port
        conf.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
            f"sentinel monitor heal 127.0.0.1 {primary.port} 1\n"
            f"sentinel auth-pass heal {PASSWORD}\n"
            "sentinel down-after-milliseconds heal 300\nsentinel failover-timeout heal 2000\n"
        )
        process = subprocess.Popen(
            [find_binary(), conf, "--sentinel"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with Redis(port=port, decode_responses=True) as link:
                until(lambda: _answers(link))
                until(lambda: len(link.sentinel_slaves("heal")) == 1)
            # One that nobody listens at comes first.
            url = f"redis+sentinel://:{LOGIN}@127.0.0.1:1,127.0.0.1:{port}/heal"
            yield url, primary, replica
        finally:
            process.kill()
            process.wait()


def _answers(link: Redis) -> bool:
    try:
        return bool(link.ping())
    except OSError:
        return False
    except Exception as error:
        if "refused" in str(error):
            return False
        raise


@contextmanager
def cluster_of_two(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two nodes with half of the slots each."""
    with ExitStack() as stack:
        nodes = []
        for name in ("one", "two"):
            probe = RedisServer(tmp_path / f"probe-{name}")
            with probe:
                bus = probe.port
            made = server(
                stack,
                tmp_path / name,
                "cluster-enabled yes",
                f"cluster-port {bus}",
                "cluster-node-timeout 5000",
            )
            nodes.append((made, bus))
        (one, _), (two, bus) = nodes
        with client(one) as first, client(two) as second:
            first.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
            second.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
            first.execute_command("CLUSTER", "MEET", "127.0.0.1", two.port, bus)
            until(lambda: _whole(first) and _whole(second))
        yield one, two


def _whole(node: Any) -> bool:  # noqa: ANN401 - redis-py leaves this untyped
    said = str(node.execute_command("CLUSTER", "INFO"))
    return "cluster_state:ok" in said and "slots_assigned:16384" in said
