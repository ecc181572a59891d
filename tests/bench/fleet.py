"""The fleet on one screen: a real Redis, simulated publishers, a pty. See README.md here."""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from healconsole.core.snapshot import HealerState, Heartbeat, Snapshot
from healconsole.stores.fleetfeed import FleetReader
from healconsole.stores.fleetpoll import FleetPoll
from healconsole.stores.healerdir import read_healer
from healconsole.stores.lockwatch import LockWatch
from healconsole.stores.picture import FleetNews
from healconsole.stores.publish import Publisher
from healconsole.stores.redislink import RedisLink, plain_client
from healconsole.stores.redisserver import RedisServer
from tests.bench.console import REPOSITORY, Figure, environment, resident, settle
from tests.bench.files import event, write_healers
from tests.terminal import Terminal

BEAT_S = 60.0
"""Each healer of the simulated hosts has a cycle so often."""
LEASE_S = 120.0
KEYS = 60
OWNER = "web-0001/healer-0000/7/uuid"


class SimulatedHost:
    """A host whose healers are as real ones, and live by the clock alone."""

    def __init__(self, link: RedisLink, number: int, healers: Sequence[HealerState]) -> None:
        self.name = f"web-{number:04d}"
        self.log = Path("/nonexistent")
        self._publisher = Publisher(link, self.name, self.log, LEASE_S)
        self._healers = list(healers)
        self._next = number % len(healers)

    def tell(self, now: float) -> None:
        """Tell of one more cycle of one healer."""
        healer = self._healers[self._next]
        self._healers[self._next] = replace(healer, heartbeat=Heartbeat(now, "cycle.json"))
        self._next = (self._next + 1) % len(self._healers)
        self._publisher.tell(Snapshot(host=self.name, healers=tuple(self._healers)), now)


def hosts_of(link: RedisLink, hosts: int, healers: int) -> list[SimulatedHost]:
    """So many hosts, each with so many healers, which were read from a real directory."""
    with tempfile.TemporaryDirectory(prefix="healconsole-bench-") as name:
        root = Path(name)
        write_healers(root, healers)
        read = [
            read_healer(root, f"healer-{number:04d}", with_markers=False)
            for number in range(healers)
        ]
    return [SimulatedHost(link, number, read) for number in range(hosts)]


def publish(url: str, hosts: int, healers: int) -> None:
    """Publish for all hosts until killed: each healer once in `BEAT_S`; and an event a second."""
    link = RedisLink(url)
    every = hosts_of(link, hosts, healers)
    for host in every:
        host.tell(time.time())
    print("published", flush=True)
    pause = BEAT_S / (hosts * healers)
    log = Path(tempfile.mkdtemp(prefix="healconsole-bench-")) / "audit.jsonl"
    teller = Publisher(link, "web-0000", log, LEASE_S)
    turn, due = 0, time.monotonic()
    while True:
        every[turn % hosts].tell(time.time())
        if turn % max(1, int(1 / pause)) == 0:
            with log.open("ab") as file:
                file.write(event(time.time(), turn))
            teller.tell_events()
        turn += 1
        due += pause
        time.sleep(max(0.0, due - time.monotonic()))


@contextmanager
def publishing(url: str, hosts: int, healers: int) -> Iterator[None]:
    """Simulated publishers in a process of their own; all have told once when this yields."""
    words = ("--publish", "--hosts", str(hosts), "--healers", str(healers))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.fleet", *words],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "HEAL_REDIS_URL": url},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "published\n"
        yield
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def refresh(url: str, hosts: int, healers: int) -> Iterator[Figure]:
    """Everything from Redis, and then only what changed."""
    link = RedisLink(url)
    link.halt()
    reader = FleetReader(link, time.time)
    began = time.perf_counter()
    reader.look()
    taken = time.perf_counter() - began
    assert len(reader.hosts.healers) == hosts * healers
    yield Figure(f"full refresh, {hosts:,} x {healers}", "interactive", f"{taken:.2f} s")
    looks = []
    for _ in range(10):
        time.sleep(0.5)
        began = time.perf_counter()
        reader.look()
        assert len(reader.hosts.healers) == hosts * healers
        looks.append(time.perf_counter() - began)
    yield Figure("look at what changed in 0.5 s", "", f"{statistics.median(looks) * 1000:.0f} ms")
    link.close()


def screen(url: str, hosts: int, healers: int) -> Iterator[Figure]:
    """The console of the fleet on a pty, while all hosts go on publishing."""
    argv = (sys.executable, "-m", "healconsole", "--fleet", "--read-only")
    variables = {**environment(), "HEAL_REDIS_URL": url}
    began = time.perf_counter()
    with Terminal(argv, variables, columns=120, rows=40, cwd=str(REPOSITORY)) as terminal:
        terminal.wait_for(f"{hosts * healers} healers", 120)
        yield Figure("start to all healers", "", f"{time.perf_counter() - began:.2f} s")
        settle(terminal, 4)
        terminal.replay = False
        frames = []
        for turn in range(KEYS):
            settle(terminal, 0.15)
            seen = len(terminal.received)
            began = time.perf_counter()
            terminal.send("\x1b[B" if turn % 4 else "\x1b[6~")
            while len(terminal.received) == seen:
                terminal.read(1)
            frames.append(time.perf_counter() - began)
        frames.sort()
        p50, p95 = statistics.median(frames) * 1000, frames[int(KEYS * 0.95)] * 1000
        yield Figure("keypress to frame, p50 / p95", "100 ms", f"{p50:.0f} / {p95:.0f} ms")
        before = resident(terminal.pid)
        settle(terminal, 15)
        after = resident(terminal.pid)
        yield Figure(
            "memory, and 15 s later", "bounded", f"{before / 2**20:.0f}, {after / 2**20:.0f} MiB"
        )


def locks(url: str, others: Sequence[int]) -> Iterator[Figure]:
    """Locks beside other keys: the first walk, a refresh, and a change until it is known."""
    have = 0
    for number in others:
        with plain_client(url) as client:
            for first in range(have, number, 50_000):
                client.mset({f"other:{n}": "x" for n in range(first, min(first + 50_000, number))})
            have = number
        link = RedisLink(url)
        for n in range(50):
            link.acquire(f"lock-{n}", OWNER, 600_000)
        watch = LockWatch(link, time.time)
        began = time.perf_counter()
        while not watch.complete:
            watch.look(pushed=True)
        walk = time.perf_counter() - began
        looks = []
        for _ in range(50):
            began = time.perf_counter()
            watch.look(pushed=True)
            looks.append(time.perf_counter() - began)
        refreshed = statistics.median(looks) * 1000
        beside = f"beside {number:,} other keys"
        yield Figure(f"first walk {beside}", "once", f"{walk * 1000:.0f} ms")
        yield Figure(f"refresh {beside}", "5 ms, flat", f"{refreshed:.2f} ms")
        told = statistics.median(_changes(url, link)) * 1000
        yield Figure(f"change to news {beside}", "100 ms", f"{told:.1f} ms")
        link.close()


def _changes(url: str, link: RedisLink) -> list[float]:
    """Seconds from the end of an acquire until a poll has told of it."""
    said: queue.SimpleQueue[FleetNews] = queue.SimpleQueue()
    poll = FleetPoll(url, time.time, said.put)
    poll.start()
    while poll._push is None or not poll._push.by or not poll._watch.complete:
        time.sleep(0.05)
    time.sleep(1.0)
    taken = []
    for turn in range(20):
        key = f"news-{turn}"
        began = time.perf_counter()
        link.acquire(key, OWNER, 60_000)
        while key not in {lock.key for lock in said.get(timeout=30).locks}:
            pass
        taken.append(time.perf_counter() - began)
        time.sleep(0.1)
    poll.stop()
    return taken


def main() -> None:
    """Print each figure as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1_000)
    parser.add_argument("--healers", type=int, default=10)
    parser.add_argument("--keys", type=int, default=1_000_000, help="other keys beside the locks")
    parser.add_argument(
        "--publish", action="store_true", help="only publish in HEAL_REDIS_URL, until killed"
    )
    args = parser.parse_args()
    if args.publish:
        publish(os.environ["HEAL_REDIS_URL"], args.hosts, args.healers)
        return
    with RedisServer() as server:
        with publishing(server.url, args.hosts, args.healers):
            for measure in (refresh, screen):
                for figure in measure(server.url, args.hosts, args.healers):
                    print(figure.line(), flush=True)
        for figure in locks(server.url, (0, args.keys)):
            print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
