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
CORES_FOUND = 5
"""Core files that lie there from before: more than the quota of the reaper."""
MAIL_FOUND = 6
"""Messages that lie there from before."""


def main(root: str) -> None:
    """Produce until killed: 40 jobs a second, a message a second, a core file every three."""
    site = Site(Path(root))
    for number in range(CORES_FOUND):
        _dump_core(site.cores / f"core.old-{number}")
    for number in range(MAIL_FOUND):
        _queue_mail(site.mailq / f"msg-old-{number}")
    queue = connect(site)
    for tick in itertools.count():
        queue.rpush(JOBS, *(f"job-{tick}-{i}" for i in range(JOBS_PER_SECOND // 4)))
        if tick % 4 == 0:
            _queue_mail(site.mailq / f"msg-{tick:06d}")
        if tick % 12 == 0:
            _dump_core(site.cores / f"core.{tick:06d}")
        time.sleep(0.25)


def _queue_mail(path: Path) -> None:
    path.write_bytes(b"From: demo\n")


def _dump_core(path: Path) -> None:
    path.write_bytes(b"\0" * CORE_BYTES)
    old = time.time() - WEEK
    os.utime(path, (old, old))


if __name__ == "__main__":
    main(sys.argv[1])
