"""The console in a process of its own, on recorded snapshots that follow orders.

Started with a scene and, perhaps, the descriptor of a pipe of orders: ``line``
appends an audit event, ``crash`` lets the app fail as a bug would: in a callback, in a worker
(``crash worker``), in a task (``crash task``) or in the feed's thread (``crash thread``).
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

from healconsole.cli.session import show
from healconsole.core.snapshot import Snapshot
from healconsole.tui.app import ConsoleApp
from healconsole.tui.ports import View
from tests.tui import sceneparts, scenes


class OrderedFeed:
    """Gives what it is told to give."""

    def __init__(self, first: Snapshot, on_snapshot: Callable[[Snapshot], None]) -> None:
        self._now = first
        self._give = on_snapshot
        self._lines = 0

    def start(self) -> None:
        self._give(self._now)
        if len(sys.argv) > 2:
            threading.Thread(target=self._obey, daemon=True).start()

    def stop(self) -> None:
        """The thread ends with the process."""

    def look_at(self, name: str | None) -> None:
        """Markers are in the recording."""

    def poke(self) -> None:
        """Nothing changes by itself."""

    def _obey(self) -> None:
        with os.fdopen(int(sys.argv[2]), "r", encoding="ascii") as orders:
            for order in orders:
                if order == "line\n":
                    self._append()
                elif order == "crash thread\n":
                    _fail(SECRET)
                elif order.startswith("crash"):
                    app.call_later(HOW[order.removeprefix("crash").strip()], SECRET)

    def _append(self) -> None:
        self._lines += 1
        event = sceneparts.event(
            -self._lines,
            "worker-queue-healer",
            "success" if self._lines % 3 else "verify-failed",
            f"restart_worker pid={12_000 + 37 * self._lines}",
            fact=f"queue_depth={13_000 + self._lines}",
            reason="queue did not drain within 5 s",
        )
        event = replace(event, offset=30_000_000 + 300 * self._lines)
        audit = replace(self._now.audit, lines=(*self._now.audit.lines, event)[-500:])
        self._now = replace(self._now, audit=audit)
        self._give(self._now)


SECRET = "redis://:hunter2@localhost\x1b[31m"


def _fail(secret: str) -> None:
    local = secret
    raise RuntimeError(f"a bug \x1b]0;owned\x07 at {local}, password=hunter2")


def _in_worker(secret: str) -> None:
    app.run_worker(lambda: _fail(secret), thread=True)


def _in_task(secret: str) -> None:
    asyncio.get_running_loop().call_soon(_fail, secret)


HOW = {"": _fail, "worker": _in_worker, "task": _in_task}
"""Where the app fails."""


if __name__ == "__main__":
    scene = getattr(scenes, sys.argv[1])()
    app = ConsoleApp(
        View(operator="ana", incident="INC-4711", read_only=True),
        lambda on_snapshot: OrderedFeed(scene, on_snapshot),
        lambda: sceneparts.NOW,
    )
    sys.exit(show(app))
