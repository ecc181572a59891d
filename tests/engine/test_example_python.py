"""The Python example, tested as its user would: decide alone, on facts of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from redis import Redis

from healconsole import Fact
from healconsole.examples.worker_queue_healer import WorkerQueueHealer, decide


@pytest.mark.parametrize(
    ("fact", "intent"),
    [
        ("queue_depth=12450,workers_alive=8,oldest_worker=77", "restart_worker pid=77"),
        ("queue_depth=10001,workers_alive=1,oldest_worker=77", "restart_worker pid=77"),
        ("queue_depth=10000,workers_alive=8,oldest_worker=77", None),
        ("queue_depth=0,workers_alive=8,oldest_worker=77", None),
        ("queue_depth=99999,workers_alive=0,oldest_worker=none", None),
        ("queue_depth=ERROR,workers_alive=8,oldest_worker=77", None),
        ("queue_depth=12450,workers_alive=ERROR,oldest_worker=77", None),
        ("queue_depth=$(reboot),workers_alive=8,oldest_worker=77", None),
        ("", None),
    ],
)
def test_decide(fact: str, intent: str | None) -> None:
    assert decide(Fact.parse(fact)) == intent


def test_its_limits_are_one_a_minute_three_at_once_and_three_failures() -> None:
    policy = WorkerQueueHealer().policy
    assert (policy.rate_micro, policy.burst) == (16_700, 3)
    assert (policy.max_failures, policy.cooldown) == (3, 600)


def test_detect_says_error_when_redis_is_down(tmp_path: Path) -> None:
    healer = WorkerQueueHealer()
    healer.redis_url = "redis://127.0.0.1:1/0"
    healer.pid_dir = tmp_path
    fact = healer.measure()
    assert fact["queue_depth"] == "ERROR"
    assert healer.consider(fact).intent == ""


def test_the_whole_of_it_on_a_real_queue(redis_url: str, tmp_path: Path) -> None:
    """A worker that is stuck is ended, and the queue that drains then verifies it."""
    healer = WorkerQueueHealer()
    healer.redis_url, healer.queue, healer.pid_dir = redis_url, "jobs", tmp_path
    with Redis.from_url(redis_url) as client:
        client.execute_command("RPUSH", "jobs", *range(THRESHOLD_AND_SOME))
        worker = subprocess.Popen(["sleep", "60"])
        drain = subprocess.Popen(
            [sys.executable, "-c", DRAIN, redis_url], env={**os.environ, "WATCH": str(worker.pid)}
        )
        try:
            (tmp_path / "0.pid").write_text(f"{worker.pid}\n")
            intent = healer.consider(healer.measure()).wanted(healer.policy)
            assert intent.text == f"restart_worker pid={worker.pid}"
            healer.act(intent)
            assert worker.wait(10) == -15
            deadline = time.monotonic() + 10
            while client.llen("jobs") == THRESHOLD_AND_SOME and time.monotonic() < deadline:
                time.sleep(0.01)
            assert healer.verify(intent)
        finally:
            worker.kill()
            drain.kill()
            worker.wait()
            drain.wait()


THRESHOLD_AND_SOME = 12_000
DRAIN = """
import os, sys, time
from redis import Redis
client = Redis.from_url(sys.argv[1])
while os.path.isdir("/proc/" + os.environ["WATCH"]):
    time.sleep(0.01)
while True:
    client.lpop("jobs", 10)
    time.sleep(0.005)
"""


def test_a_worker_that_ends_while_it_is_looked_at_is_no_error(tmp_path: Path) -> None:
    healer = WorkerQueueHealer()
    healer.pid_dir = tmp_path
    (tmp_path / "alive.pid").write_text(f"{os.getpid()}\n")
    # Listed and not there, as a file that was removed after the directory was read.
    (tmp_path / "gone.pid").symlink_to("removed")
    with subprocess.Popen(["true"]) as ended:
        (tmp_path / "ended.pid").write_text(f"{ended.pid}\n")
    assert healer.workers() == [os.getpid()]
