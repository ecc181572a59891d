"""A console on real state directories and a real audit log, with a real desk."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import orjson
from textual.pilot import Pilot
from textual.widgets import Button, Input, Static

from healconsole.core.snapshot import Snapshot
from healconsole.engine.operators import Operator, OperatorDesk
from healconsole.stores.statedir import list_healers, read_healer
from healconsole.tui.app import ConsoleApp
from healconsole.tui.dialogs.base import ActDialog
from healconsole.tui.ports import View
from healconsole.tui.widgets.cellview import CellView

OPERATOR = Operator("ana", 1000, 1000, "tui", "pts/7")
HEALER = "worker-queue-healer"


class DirectFeed:
    """Reads the state directories whenever it is asked to; the screen sees what is on disk."""

    def __init__(self, root: Path, on_snapshot: Callable[[Snapshot], None]) -> None:
        self._root = root
        self._on_snapshot = on_snapshot

    def start(self) -> None:
        """Read them for the first time."""
        self.poke()

    def stop(self) -> None:
        """Nothing runs."""

    def look_at(self, name: str | None) -> None:
        """Markers are not what these tests are about."""

    def poke(self) -> None:
        """Read them."""
        names = list_healers(self._root)
        healers = tuple(read_healer(self._root, name, with_markers=False) for name in names)
        self._on_snapshot(Snapshot(host="web-07", taken_at=time.time(), healers=healers))


def make_site(place: Path) -> None:
    """One healer whose breaker is open, one that is well."""
    now = int(time.time())
    for name, breaker in ((HEALER, f"3 {now} 3 600 open {now + 600}\n"), ("disk-reaper", "")):
        for folder in ("keys", "rate", "cb", "claims"):
            (place / "state" / name / folder).mkdir(parents=True)
        (place / "state" / name / "rate" / "restart_worker").write_text(
            f"{now} 2.000000 0.016700 3\n"
        )
        if breaker:
            (place / "state" / name / "cb" / "restart_worker").write_text(breaker)


def console(
    site: Path,
    clock: Callable[[], float] = time.time,
    keymap: dict[str, str] | None = None,
) -> ConsoleApp:
    """The console on the site, with a real desk that has this clock."""
    desk = OperatorDesk(site / "state", site / "audit.jsonl", OPERATOR, clock, "web-07")
    return ConsoleApp(
        View(host="web-07", operator="ana", read_only=False, keymap=keymap or {}),
        lambda on_snapshot: DirectFeed(site / "state", on_snapshot),
        time.time,
        acts=desk,
    )


def events(site: Path) -> list[dict[str, object]]:
    """The audit log."""
    path = site / "audit.jsonl"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def breaker(site: Path) -> list[str]:
    """Fields of the breaker's file."""
    return (site / "state" / HEALER / "cb" / "restart_worker").read_text().split()


def in_dialog(app: ConsoleApp) -> bool:
    """Whether an act is being asked about."""
    return isinstance(app.screen, ActDialog)


async def settled(pilot: Pilot[int]) -> None:
    """Until no act is under way any more."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def hint(app: ConsoleApp) -> str:
    """The sentence above the buttons."""
    return str(app.screen.query_one("#hint", Static).content)


def facts(app: ConsoleApp) -> str:
    """The plan as the dialog shows it."""
    lines = app.screen.query_one("#plan", CellView).lines
    return " ".join("".join(piece.text for piece in line).strip() for line in lines)


def shown(app: ConsoleApp) -> str:
    """The facts of the undo dialog."""
    lines = app.screen.query_one("#plan", CellView).lines
    return "\n".join("".join(piece.text for piece in line) for line in lines)


async def type_into(pilot: Pilot[int], field: str, text: str) -> None:
    """Write a text into a field of the dialog."""
    pilot.app.screen.query_one(f"#{field}", Input).value = text
    await pilot.pause()


async def press_button(pilot: Pilot[int]) -> None:
    """Press enter on the button, and wait for what the act comes to."""
    pilot.app.screen.query_one("#act", Button).focus()
    await pilot.press("enter")
    await settled(pilot)
