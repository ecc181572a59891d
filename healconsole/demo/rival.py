"""The second host of the site: it competes for the fleet lock of the broker."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import uuid
from pathlib import Path

from healconsole.demo.layout import Site
from healconsole.stores.redislink import RedisLink

HOST = "web-08"
KEY = "broker"
HELD = 6.0
"""Seconds for which the rival keeps the lock each time."""
FREE = 5.0
"""Seconds for which it leaves the lock alone."""


def main(root: str) -> None:
    """Take and give back the lock until told to stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    site = Site(Path(root))
    link = RedisLink(site.redis_url_file.read_text(encoding="ascii").strip())
    for _ in itertools.count():
        owner = f"{HOST}/broker-restarter/{os.getpid()}/{uuid.uuid4()}"
        held = link.acquire(KEY, owner, int(HELD * 1000) + 2000) is not None
        if stop.wait(HELD if held else 0.5):
            return
        if held:
            link.release(KEY, owner)
            if stop.wait(FREE):
                return


if __name__ == "__main__":
    main(sys.argv[1])
