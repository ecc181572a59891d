"""The queue worker: takes jobs from Redis, and hangs for real when it is given reason to.

It has two honest bugs. A poison job makes it wait for an answer that never comes; and
a release whose configuration says ``pool_size=0`` makes each job wait for a connection
from an empty pool. Either way the process lives, and the queue grows.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from healconsole.demo.layout import BUSY, DONE, JOBS, POISON, Site
from healconsole.demo.link import connect


def pool_size(site: Site) -> int:
    """Connections that the deployed release allows itself."""
    text = (site.deploy / site.release() / "worker.conf").read_text(encoding="ascii")
    return int(text.partition("=")[2])


def main(root: str, warm_up: float) -> None:
    """Consume the queue until killed.

    Args:
        root: root of the site.
        warm_up: seconds that the worker needs before it takes its first job.
    """
    site = Site(Path(root))
    pool = threading.Semaphore(pool_size(site))
    queue = connect(site)
    temporary = site.run / f"worker.pid.{os.getpid()}"
    temporary.write_text(f"{os.getpid()}\n", encoding="ascii")
    temporary.replace(site.worker_pid)
    time.sleep(warm_up)
    while True:
        popped = queue.blpop([JOBS], timeout=1)
        if popped is None:
            continue
        with pool:
            if popped[1] == POISON.encode():
                threading.Event().wait()
            time.sleep(0.002)
        queue.incr(DONE)
        queue.set(BUSY, 1, px=1000)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
