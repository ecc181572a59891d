"""The load of the site: jobs for the queue, core files for the disk, mail for the spool."""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path

from healconsole.demo.layout import JOBS, Site
from healconsole.demo.link import connect

JOBS_PER_SECOND = 40
CORE_BYTES = 64 * 1024
WEEK = 7 * 86_400


def main(root: str) -> None:
    """Produce until killed: 40 jobs a second, a message a second, a core file every three."""
    site = Site(Path(root))
    queue = connect(site)
    for tick in itertools.count():
        queue.rpush(JOBS, *(f"job-{tick}-{i}" for i in range(JOBS_PER_SECOND // 4)))
        if tick % 4 == 0:
            (site.mailq / f"msg-{tick:06d}").write_bytes(b"From: demo\n")
        if tick % 12 == 0:
            core = site.cores / f"core.{tick:06d}"
            core.write_bytes(b"\0" * CORE_BYTES)
            old = time.time() - WEEK
            os.utime(core, (old, old))
        time.sleep(0.25)


if __name__ == "__main__":
    main(sys.argv[1])
