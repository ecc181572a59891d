"""The console in a process of its own, on recorded snapshots that follow orders.

Started by ``test_terminal.py`` with a scene and the descriptor of a pipe of orders: ``line``
appends an audit event, ``crash`` lets the app fail as a bug would.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace

from healconsole.core.snapshot import Snapshot
from healconsole.tui.app import ConsoleApp
from healconsole.tui.ports import View
from tests.tui import scenes


class OrderedFeed:
    """Gives what it is told to give."""

    def __init__(self, first: Snapshot, on_snapshot: Callable[[Snapshot], None]) -> None:
        self._now = first
        self._give = on_snapshot
        self._lines = 0

    def start(self) -> None:
        self._give(self._now)
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
                elif order == "crash\n":
                    raise_in_app()

    def _append(self) -> None:
        self._lines += 1
        event = scenes.event(
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


def raise_in_app() -> None:
    """Let the app fail as a bug would make it fail."""
    secret = "redis://:hunter2@localhost\x1b[31m"
    app.call_later(_fail, secret)


def _fail(secret: str) -> None:
    del secret
    raise RuntimeError("a bug \x1b]0;owned\x07")


if __name__ == "__main__":
    scene = getattr(scenes, sys.argv[1])()
    app = ConsoleApp(
        View(operator="ana", incident="INC-4711", read_only=True),
        lambda on_snapshot: OrderedFeed(scene, on_snapshot),
        lambda: scenes.NOW,
    )
    app.run()
    sys.exit(app.return_code or 0)
