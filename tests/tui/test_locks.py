"""The locks: who is gone, and a lock that is taken from whom was shown, and from nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from healconsole.core.holding import ghosts
from healconsole.core.snapshot import Host, Lock, Snapshot, SourceHealth
from healconsole.core.words import SourceState
from healconsole.engine.halting import FleetDesk
from healconsole.engine.operators import OperatorDesk
from healconsole.stores.redislink import RedisLink
from healconsole.tui.dialogs.breaklock import BreakDialog
from healconsole.tui.screens.locks import LocksScreen
from healconsole.tui.widgets.locktable import LockTable
from healconsole.tui.widgets.rule import Rule
from tests.tui import scenes
from tests.tui.conftest import OPERATOR, Recording
from tests.tui.sceneparts import NOW
from tests.tui.site import facts

pytestmark = pytest.mark.asyncio

SIZE = (100, 30)
GHOST = "web-19/broker-restarter/4211/8d1f6f0e"


@pytest.fixture
def desk(tmp_path: Path, redis_url: str) -> Iterator[FleetDesk]:
    """A real log and a real Redis, with a lock of a host that is gone."""
    link = RedisLink(redis_url)
    link.acquire("broker", GHOST, 600_000)
    office = OperatorDesk(tmp_path, tmp_path / "audit.jsonl", OPERATOR, lambda: NOW, "web-07")
    yield FleetDesk(office, link)
    link.close()


def snapshot() -> Snapshot:
    return replace(
        scenes.one_open(),
        hosts=(Host("web-19", NOW - 240),),
        locks=(Lock("a-lock", "9f1b", NOW + 7), Lock("broker", GHOST, NOW + 600, 118)),
    )


async def test_a_silent_redis_is_unknown_and_holds_no_number_of_locks() -> None:
    silent = SourceHealth(SourceState.UNKNOWN, "Error 111: Connection refused.")
    recording = Recording(replace(snapshot(), redis_health=silent, locks=()))
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("l")
        await pilot.pause()
        screen = pilot.app.screen
        title, text = (
            " ".join("".join(piece.text for piece in line) for line in view.lines)
            for view in (screen.query_one("#locks-rule", Rule), screen.query_one(LockTable))
        )
    assert "unknown" in title
    assert "held" not in title
    assert "Connection refused" in text
    assert ".." not in text


def opened(desk: FleetDesk | None) -> Recording:
    recording = Recording(snapshot())
    recording.app.lock_acts = desk
    return recording


async def test_a_ghost_is_named_and_its_lock_broken_with_a_reason(
    desk: FleetDesk, tmp_path: Path
) -> None:
    recording = opened(desk)
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("l")
        await pilot.pause()
        text = recording.text()
        assert "2 held, 1 of ghosts" in text
        assert "GHOST: web-19 tells no more, for 4m" in text
        assert "opaque token 9f1b" in text
        await pilot.press("down", "b")
        await pilot.pause()
        dialog = recording.app.screen
        assert isinstance(dialog, BreakDialog)
        assert "GHOST: web-19 tells no more, for 4m" in recording.text()
        recording.now += 60
        recording.app._tick()
        await recording.until(pilot, "GHOST: web-19 tells no more, for 5m")
        drawn = recording.text().splitlines()
        after = next(at for at, line in enumerate(drawn) if "after     free: the next" in line)
        assert drawn[after + 1].startswith(f"│ {' ' * 10}")  # folded with its indent, not torn
        assert "when it finds out." in f"{drawn[after + 1]}{drawn[after + 2]}"
        dialog.query_one("#reason", Input).value = "web-19 burnt down"
        await pilot.pause()
        assert "type broker to confirm" in recording.text()
        dialog.query_one("#name", Input).value = "broker"
        await pilot.click("#act")
        while isinstance(recording.app.screen, BreakDialog):
            await pilot.pause(0.02)
        assert isinstance(recording.app.screen, LocksScreen)
    assert desk.link.scan_locks(NOW) == ()
    event, done = map(json.loads, (tmp_path / "audit.jsonl").read_text().splitlines())
    assert (event["outcome"], event["healer"]) == ("operator-break", "broker-restarter")
    assert (done["outcome"], done["reason"]) == ("operator-done", "break: done")
    assert (event["reason"], event["operator"]["user"]) == ("web-19 burnt down", "ana")
    assert event["before"] == f"lock broker: held by {GHOST}"


async def test_what_the_lock_has_left_counts_on_behind_the_dialog_that_breaks_it() -> None:
    token = f"{GHOST}-{'t' * 300}"
    shown = replace(snapshot(), locks=(Lock("broker", token, NOW + 600),))
    recording = Recording(shown)
    office = OperatorDesk(Path("/nonexistent"), Path("/nonexistent/audit"), OPERATOR, lambda: NOW)
    recording.app.lock_acts = FleetDesk(office, RedisLink("redis://127.0.0.1:1"))
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("l", "b")
        await recording.until(pilot, ", 10m00s")
        recording.now += 8
        recording.app._tick()
        await recording.until(pilot, ", 9m52s")
        recording.feed.give(replace(shown, locks=(Lock("broker", token, NOW + 900),)))
        await pilot.pause()
        recording.app._tick()
        await recording.until(pilot, ", 14m52s")
        recording.now += 900
        recording.app._tick()
        await recording.until(pilot, "ended")
        taken = (Lock("broker", "web-19/broker-restarter/7/u", NOW + 3600),)
        recording.feed.give(replace(shown, locks=taken))
        await pilot.pause()
        assert "broker" in ghosts(recording.app.snapshot, recording.now)  # of the other holder
        recording.app._tick()
        await recording.until(pilot, "who has it no more")
        assert "GHOST" not in facts(recording.app)
        assert "it may be acting now" not in facts(recording.app)
        screen = recording.app.screen
        for part in ("#reason", "#name", "#hint", "#buttons"):
            assert screen.region.contains_region(screen.query_one(part).region), part


async def test_a_lock_that_somebody_else_has_by_now_stays_theirs(
    desk: FleetDesk, tmp_path: Path
) -> None:
    desk.link.release("broker", GHOST)
    desk.link.acquire("broker", "web-20/other/1/u", 600_000)
    recording = opened(desk)
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("l", "down", "b")
        await pilot.pause()
        dialog = recording.app.screen
        dialog.query_one("#reason", Input).value = "web-19 burnt down"
        dialog.query_one("#name", Input).value = "broker"
        await pilot.click("#act")
        while "changed underneath" not in recording.text():
            await pilot.pause(0.02)
    assert [lock.owner for lock in desk.link.scan_locks(NOW)] == ["web-20/other/1/u"]
    lines = (tmp_path / "audit.jsonl").read_text().splitlines()
    outcomes = [json.loads(line)["outcome"] for line in lines]
    assert outcomes == ["operator-break", "operator-undo"]


async def test_a_read_only_console_breaks_nothing_and_says_so() -> None:
    recording = opened(None)
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("l", "b")
        await pilot.pause()
        assert isinstance(recording.app.screen, LocksScreen)
        said = [notification.message for notification in recording.app._notifications]
        assert any("READ-ONLY" in text for text in said)
