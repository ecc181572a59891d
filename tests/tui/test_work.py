"""What a key, a second and a change cost: counted in rows and lines, not in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen

from healconsole.core.snapshot import Snapshot
from healconsole.tui import board
from healconsole.tui.app import ConsoleApp
from healconsole.tui.board import Board
from healconsole.tui.frugal import Terminal, frugal
from healconsole.tui.screens import home
from healconsole.tui.widgets import healertable
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.keybar import KeyBar
from tests.tui import sceneparts, scenes
from tests.tui.conftest import Recording

pytestmark = pytest.mark.asyncio

SIZE = (120, 40)
MANY = 1_000
TICK = ConsoleApp._tick


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each of the costly steps was taken; to be cleared before what is counted."""
    done: Counter[str] = Counter()

    def count(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def counted(*args: Any, **named: Any) -> Any:  # noqa: ANN401
            done[name] += 1
            return real(*args, **named)

        monkeypatch.setattr(owner, name, counted)

    count(board, "healer_row")
    count(healertable, "healer_line")
    count(CellView, "_strip")
    count(KeyBar, "_flow")
    count(healertable.HealerTable, "_arrange")
    # A second that passes on a busy machine is not what is counted.
    monkeypatch.setattr(ConsoleApp, "_tick", lambda _: None)
    return done


def with_a_beat(snapshot: Snapshot, index: int, ago: float) -> Snapshot:
    """The snapshot with another heartbeat of one healer; all others are the very same."""
    healers = list(snapshot.healers)
    healers[index] = replace(healers[index], heartbeat=sceneparts.beat(ago))
    return replace(snapshot, healers=tuple(healers))


async def painted(pilot: Pilot[int], done: Callable[[], bool]) -> None:
    """Wait until something is as it shall be, and painted."""
    for _ in range(200):
        if done():
            break
        await pilot.pause(0.01)
    assert done()
    await pilot.pause()


async def test_a_key_draws_two_rows_however_many_there_are(work: Counter[str]) -> None:
    recording = Recording(scenes.many(MANY))
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        table = recording.app.screen.query_one(healertable.HealerTable)
        await pilot.press("down")
        await pilot.pause()
        work.clear()
        await pilot.press("down")
        await painted(pilot, lambda: table.selected == table.order[2])
        await painted(pilot, lambda: recording.feed.looked_at[-1] == table.selected)
        assert work["healer_line"] == 2
        assert work["_strip"] < 2 + 30  # and those of the answer
        assert not work["healer_row"] + work["_flow"] + work["_arrange"]


async def test_who_is_passed_is_not_read_and_who_is_reached_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording = Recording(scenes.many(MANY))
    looked_at = recording.feed.looked_at
    async with recording.app.run_test(size=SIZE) as pilot:
        await painted(pilot, lambda: bool(looked_at))
        asked = len(looked_at)
        monkeypatch.setattr(home, "RESTS_S", 3600.0)  # no machine is too busy for that
        await pilot.press("down", "down", "down")
        await recording.until(pilot, f"Would {recording.app.board.order[3]} act now?")
        assert len(looked_at) == asked
        monkeypatch.setattr(home, "RESTS_S", 0.05)
        await pilot.press("down")
        await painted(pilot, lambda: looked_at[-1] == recording.app.board.order[4])


async def test_a_key_is_on_the_screen_before_anything_is_said_of_it(
    work: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def display(app: ConsoleApp, _: Screen[object], update: RenderableType | None) -> None:
        made: object = frugal(update, app._terminal)
        if isinstance(made, CompositorUpdate):
            sent.append(made.render_segments(app.console))

    monkeypatch.setattr(ConsoleApp, "_display", display)
    recording = Recording(scenes.many(MANY))
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        sent.clear()
        work.clear()
        asked = len(recording.feed.looked_at)
        await recording.app.on_event(Key("down", None))
        assert len(sent) == 1
        assert "▌" in sent[0]
        assert work["_strip"] == 2
        assert len(recording.feed.looked_at) == asked
        await recording.until(pilot, f"Would {recording.app.board.order[1]} act now?")


async def test_a_window_is_styled_once_and_painted_whole_at_once(
    work: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    styled: list[Screen[object]] = []

    def update_node_styles(screen: Screen[object], *, animate: bool = True) -> None:
        del animate
        styled.append(screen)

    monkeypatch.setattr(Screen, "update_node_styles", update_node_styles)
    recording = Recording(scenes.many(MANY))
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert styled == []
        work.clear()
        await pilot.press("question_mark")
        await recording.until(pilot, "Act on the healer")
        assert {"-wide", "-high"} <= recording.app.screen.classes
        assert styled == []
        assert work["_strip"] < SIZE[1] + 30  # its own lines; the screen below has drawn its own
        await pilot.press("question_mark")
        await painted(pilot, lambda: len(recording.app.screen_stack) == 1)
        assert styled == []


async def test_a_change_of_one_of_many_costs_that_one(work: Counter[str]) -> None:
    recording = Recording(scenes.many(MANY))
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        for index, lines in ((3, 1), (MANY - 1, 0)):  # in sight, and out of sight
            given = with_a_beat(recording.app.snapshot, index, 5.0)
            work.clear()
            recording.feed.give(given)
            await painted(pilot, lambda: work["healer_row"] > 0)
            assert work["healer_row"] == 1
            assert work["healer_line"] == lines
            assert work["_strip"] <= lines + 2
            assert not work["_flow"] + work["_arrange"]


async def test_a_second_costs_what_is_in_sight(work: Counter[str]) -> None:
    recording = Recording(scenes.many(MANY))
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        table = recording.app.screen.query_one(healertable.HealerTable)
        seen = len(table.visible_names())
        work.clear()
        recording.now += 1
        TICK(recording.app)
        await pilot.pause()
        assert seen <= work["healer_row"] <= seen + board.SLICE
        assert work["healer_line"] <= seen
        assert work["_strip"] <= seen + 30
        assert not work["_flow"] + work["_arrange"]


async def test_what_is_sent_in_pieces_is_the_screen_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = Counter[str]()

    def display(app: ConsoleApp, _: Screen[object], update: RenderableType | None) -> None:
        made: object = frugal(update, app._terminal)
        if isinstance(made, CompositorUpdate):
            sent[type(update).__name__] += 1
            made.render_segments(app.console)

    monkeypatch.setattr(ConsoleApp, "_display", display)
    snapshot = scenes.many(60)
    recording = Recording(snapshot, read_only=False)
    async with recording.app.run_test(size=SIZE) as pilot:

        async def check() -> None:
            await pilot.pause()
            await pilot.pause()
            whole = recording.app.screen._compositor.render_strips()
            pieces = [(0, y, strip) for y, strip in enumerate(whole)]
            colors = recording.app.console._color_system
            assert colors is not None
            afresh = Terminal()
            afresh.render(pieces, colors)
            # That the bytes lead there is what the tests of the frugal terminal are about.
            assert recording.app._terminal._rows == afresh._rows

        await check()
        for keys in ("down", "end", "pageup", "space", "slash", "h"):
            await pilot.press(keys)
            await check()
        await pilot.press("0", "1", "enter")
        await check()
        await pilot.press("escape", "question_mark")  # a window over what goes on below
        await check()
        for second in range(3):
            recording.now += 1
            recording.feed.give(with_a_beat(snapshot, second, -second))
            recording.app._tick()
            await check()
        recording.app.say("a note that covers some of it")
        await check()
        await pilot.press("escape", "t")
        await check()
        await pilot.press("escape")
        await check()
    assert set(sent) == {"SpansUpdate"}  # none of those that draw what is behind others


async def test_rows_go_to_their_places_one_by_one(work: Counter[str]) -> None:
    snapshot = scenes.many(100)
    rows = Board(Recording(snapshot).app.view.thresholds)
    rows.take(snapshot, sceneparts.NOW)
    for step in range(40):
        index = step * 37 % 100
        snapshot = with_a_beat(snapshot, index, 10_000.0 * (step % 3))
        if step % 10 == 9:  # one comes, one goes
            more = replace(snapshot.healers[index], name=f"healer-{step:03d}-new")
            kept = [h for n, h in enumerate(snapshot.healers) if n != 2 * step % 90]
            snapshot = replace(snapshot, healers=tuple(sorted([*kept, more], key=lambda h: h.id)))
        work.clear()
        rows.take(snapshot, sceneparts.NOW)
        assert work["healer_row"] == (2 if step % 10 == 9 else 1)
        afresh = Board(Recording(snapshot).app.view.thresholds)
        afresh.take(snapshot, sceneparts.NOW)
        assert rows.order == afresh.order
        assert rows.rows == afresh.rows
        assert rows.counts == afresh.counts
        assert [rows.by_name[name] for name in rows.order] == list(rows.rows)
