"""A console on recorded snapshots, with a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from textual.pilot import Pilot

from healconsole.core.snapshot import Snapshot
from healconsole.engine.operators import Operator, OperatorDesk
from healconsole.tui.app import ConsoleApp
from healconsole.tui.ports import LogReader, View
from tests.tui.sceneparts import NOW

if TYPE_CHECKING:
    from tests.tui.farhost import Far

OPERATOR = Operator("ana", 1000, 1000, "tui", "10.0.0.7 pts/3")


class RecordedFeed:
    """Gives one snapshot when it is started, and others when a test says so."""

    def __init__(self, first: Snapshot, on_snapshot: Callable[[Snapshot], None]) -> None:
        self._first = first
        self.give = on_snapshot
        self.looked_at: list[str | None] = []
        self.stopped = False

    def start(self) -> None:
        """Give the first snapshot."""
        self.give(self._first)

    def stop(self) -> None:
        """Note that it was stopped."""
        self.stopped = True

    def look_at(self, name: str | None) -> None:
        """Note who is looked at."""
        self.looked_at.append(name)

    def poke(self) -> None:
        """Nothing changes by itself in a recording."""


class Recording:
    """An app on a recorded snapshot, with the feed that drives it and the hand of its clock."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        log: LogReader | None = None,
        repair: Callable[[], str] | None = None,
        **view: Any,  # noqa: ANN401
    ) -> None:
        self.now = NOW
        self.feeds: list[RecordedFeed] = []
        options = {"operator": "ana", "incident": "INC-4711", "read_only": False, **view}
        shown = View(**options)

        def feed(on_snapshot: Callable[[Snapshot], None]) -> RecordedFeed:
            self.feeds.append(RecordedFeed(snapshot, on_snapshot))
            return self.feeds[-1]

        nowhere = Path("/nonexistent")
        desk = OperatorDesk(nowhere, nowhere / "audit", OPERATOR, self.clock, "web-07")
        acts = None if shown.read_only or shown.wall else desk
        self.app = ConsoleApp(shown, feed, self.clock, acts=acts, log=log, repair=repair)

    def clock(self) -> float:
        """The time, which passes only when a test says so."""
        return self.now

    @property
    def feed(self) -> RecordedFeed:
        """The feed of the app."""
        return self.feeds[0]

    def text(self) -> str:
        """What the screen shows, as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def until(self, pilot: Pilot[int], wanted: str) -> None:
        """Wait until the screen shows ``wanted``, at most ten seconds."""
        deadline = time.monotonic() + 10
        while wanted not in self.text():
            assert time.monotonic() < deadline, f"never on the screen: {wanted!r}\n{self.text()}"
            await pilot.pause(0.02)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wish of the developer's terminal reaches a picture."""
    for name in ("NO_COLOR", "COLORTERM", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def sshd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A sshd of the tests' own, on a port of its own, with keys of its own."""
    from tests.tui.farhost import sshd

    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def far(sshd_server: tuple[Path, int], tmp_path: Path) -> Far:
    """A host named ``far``, whose key is known, and ``stranger``, the same with one that is not."""
    from tests.tui.farhost import reached

    return reached(sshd_server, tmp_path)
