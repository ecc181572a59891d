"""Restart a stuck worker when a queue grows though its workers are alive.

    QUEUE_REDIS=redis://127.0.0.1/0 python -m healconsole.examples.worker_queue_healer --plan

A queue over the threshold with no worker alive is not this healer's case: then the service is
down, and starting it is its supervisor's business. What was not measured is not acted on.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from healconsole import Fact, Healer, Intent, Policy

THRESHOLD = 10_000
"""Jobs in the queue above which it is stuck rather than busy."""

DRAIN_SECONDS = 2.0
"""How long the queue is watched to see whether it drains."""


def decide(fact: Fact) -> str | None:
    """Restart the oldest worker if the queue is over the threshold and workers are alive."""
    depth, alive = fact.number("queue_depth"), fact.number("workers_alive")
    if depth is None or alive is None:
        return None  # ERROR: Redis is down, and what it holds is not known
    if depth <= THRESHOLD or alive < 1 or fact.number("oldest_worker") is None:
        return None
    return f"restart_worker pid={fact['oldest_worker']}"


class WorkerQueueHealer(Healer):
    """Restarts the oldest worker of a queue that does not drain."""

    name = "worker-queue-healer"
    interval = 60.0
    policy = Policy(
        rate_micro=16_700,  # one restart a minute
        burst=3,
        max_failures=3,
        cooldown=600,
    )

    redis_url = os.environ.get("QUEUE_REDIS", "redis://127.0.0.1:6379/0")
    queue = os.environ.get("QUEUE", "jobs")
    pid_dir = Path(os.environ.get("WORKER_PID_DIR", "/run/workers"))

    def detect(self) -> Fact:
        """Depth of the queue, living workers, and the one that has lived longest."""
        workers = self.workers()
        return Fact(
            queue_depth=self.depth(),
            workers_alive=len(workers),
            oldest_worker=workers[0] if workers else "none",
        )

    def decide(self, fact: Fact) -> str | None:
        """See :func:`decide`, which a test calls with facts of its own."""
        return decide(fact)

    def act(self, intent: Intent) -> None:
        """Ask the worker to end; its supervisor starts a new one."""
        pid = int(intent.text.rpartition("pid=")[2])
        if pid not in self.workers():
            raise LookupError(f"pid {pid} is no worker any more")
        os.kill(pid, signal.SIGTERM)

    def verify(self, intent: Intent) -> bool:
        """Whether the queue drains: the exit of a worker alone proves nothing."""
        del intent
        before = self.depth()
        if not isinstance(before, int):
            return False
        time.sleep(DRAIN_SECONDS)
        after = self.depth()
        return isinstance(after, int) and (after <= THRESHOLD or after < before)

    def depth(self) -> int | str:
        """Jobs in the queue, or ERROR."""
        from redis import Redis, RedisError

        try:
            with Redis.from_url(self.redis_url, socket_timeout=2) as client:
                return int(client.execute_command("LLEN", self.queue))
        except (RedisError, OSError):
            return "ERROR"

    def workers(self) -> list[int]:
        """Pids of the living workers, by their pid files, the oldest first."""
        found: list[tuple[float, int]] = []
        for file in self.pid_dir.glob("*.pid"):
            # One that ends between two of these calls is no worker any more, and no error.
            with suppress(FileNotFoundError):
                text = file.read_text(encoding="ascii", errors="replace").strip()
                if text.isascii() and text.isdigit():
                    found.append((Path(f"/proc/{text}").stat().st_ctime, int(text)))
        return [pid for _, pid in sorted(found)]


if __name__ == "__main__":
    sys.exit(WorkerQueueHealer().main())
