"""What the console says of acts that were done, and what ``u`` makes of those of before."""

from __future__ import annotations

import math
import time
from pathlib import Path

import orjson
import pytest
from textual.pilot import Pilot

from healconsole.stores.statedir import read_healer
from healconsole.tui.app import ConsoleApp
from healconsole.tui.dialogs.choice import Choice
from healconsole.tui.dialogs.session import Done
from healconsole.tui.widgets.healertable import HealerTable
from tests.tui.site import (
    HEALER,
    breaker,
    console,
    hint,
    make_site,
    press_button,
    shown,
    type_into,
)  # fmt: skip

pytestmark = pytest.mark.asyncio

SIZE = (80, 24)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """One healer whose breaker is open, one that is well."""
    make_site(tmp_path)
    return tmp_path


class Spoiling:
    """A clock for a desk: once the log has ``lines`` lines, no more can be written to it."""

    def __init__(self, site: Path) -> None:
        self.log = site / "audit.jsonl"
        self.lines = math.inf

    def __call__(self) -> float:
        """Tell the time, as it is asked for before each event."""
        if self.log.is_file() and len(self.log.read_bytes().splitlines()) >= self.lines:
            self.log.rename(self.log.with_name("before"))
            self.log.mkdir()
        return time.time()


def said(app: ConsoleApp) -> list[tuple[str, str]]:
    """What was told at the edge of the screen: how severe, and what."""
    return [(note.severity, note.message) for note in app._notifications]


async def act(pilot: Pilot[int], key: str, name: str = "") -> None:
    """Do an act from its key on."""
    await pilot.press(key)
    await pilot.pause()
    await type_into(pilot, "reason", "mended")
    if name:
        await type_into(pilot, "name", name)
    await press_button(pilot)


@pytest.mark.parametrize("key", ["t", "u"])
async def test_an_act_whose_result_is_not_in_the_log_is_told_as_done_and_as_that(
    site: Path, key: str
) -> None:
    clock = Spoiling(site)
    app = console(site, clock)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        if key == "u":
            await act(pilot, "t", HEALER)
        clock.lines = 3 if key == "u" else 1
        await act(pilot, key, HEALER if key == "t" else "")
        assert len(app.screen_stack) == 1
        announced = (site / "before").read_bytes().splitlines()[-1]
        assert orjson.loads(announced)["outcome"] == f"operator-{'trip' if key == 't' else 'undo'}"
        severity, told = said(app)[-1]
        assert severity == "error"
        told_of = f"{HEALER}: it was done, but its result is not in the log: {clock.log}: "
        assert told.startswith(told_of)
        assert said(app)[-2][0] == "information"
    assert (breaker(site)[4] == "forced-open") is (key == "t")


async def test_an_act_that_is_too_late_to_undo_is_not_in_the_way_of_those_before(
    site: Path,
) -> None:
    app = console(site)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await act(pilot, "d")
        await act(pilot, "r", HEALER)
        probed = f"0 {int(time.time())} 3 600 closed 0\n"
        await pilot.press("u", "escape")  # in time: it can be asked for again
        (site / f"state/{HEALER}/cb/restart_worker").write_text(probed)
        await pilot.press("u")
        await pilot.pause()
        assert "Undo reset" in str(app.screen.query_one("#heading").render())
        assert hint(app).startswith("it can no longer be taken back")
        await pilot.press("escape", "u")
        await pilot.pause()
        assert "Undo dry-run" in str(app.screen.query_one("#heading").render())
        await type_into(pilot, "reason", "no rehearsal")
        await press_button(pilot)
        assert app.session.done == []
    assert not (site / f"state/{HEALER}/dry-run").exists()
    assert " ".join(breaker(site)) == probed.strip()


async def test_an_act_on_what_cannot_be_read_now_may_be_taken_back_later(site: Path) -> None:
    app = console(site)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await act(pilot, "r", HEALER)
        file = site / f"state/{HEALER}/cb/restart_worker"
        aside = file.rename(site / "aside")
        file.symlink_to(aside)
        await pilot.press("u")
        await pilot.pause()
        assert hint(app).startswith("it cannot be taken back while what is now cannot be read")
        await pilot.press("escape")
        aside.replace(file)
        await act(pilot, "u")
        assert app.session.done == []
    assert breaker(site)[4] == "open"


async def test_however_much_changed_since_the_button_of_an_undo_stays_in_sight(site: Path) -> None:
    scopes = [f"restart_worker_{number:02}" for number in range(12)]
    circuits = site / f"state/{HEALER}/cb"
    now = int(time.time())
    for scope in scopes:
        (circuits / scope).write_text(f"3 {now} 3 600 open {now + 600}\n")
    app = console(site)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert app.acts is not None
        healer = read_healer(site / "state", HEALER, with_markers=False)
        applied = app.acts.apply(app.acts.plan_reset(healer), reason="mended")
        app.session.add(Done("reset", HEALER, "", applied.undo))
        for scope in scopes:
            (circuits / scope).write_text(f"0 {now} 3 600 closed 0\n")
        await pilot.press("u")
        await pilot.pause()
        assert shown(app).startswith("next      It can no longer be taken back")
        for part in ("#reason", "#incident", "#act"):
            assert not app.screen.query_one(part).region, "it asks for what it will not do"
        assert app.focused is None
        for part in ("#hint", "#cancel-hint"):
            region = app.screen.query_one(part).region
            assert region.height > 0, part
            assert app.screen.region.contains_region(region), part
        drawn = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "it left   cb/restart_worker_11" not in drawn
        await pilot.press(*["pagedown"] * 8)
        await pilot.pause()
        drawn = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert scopes[11] in drawn


@pytest.mark.parametrize(("way", "acts"), [((), True), ((), False), (("enter",), False)])
async def test_the_order_is_kept_after_an_act_and_is_not_by_looking(
    site: Path, way: tuple[str, ...], acts: bool
) -> None:
    # A second healer that is less bad than the open one, and worse than it once it is closed.
    now = int(time.time())
    (site / "state/disk-reaper/cb/restart_worker").write_text(f"2 {now} 3 600 closed 0\n")
    app = console(site)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        table = app.screen.query_one(HealerTable)
        assert table.order == (HEALER, "disk-reaper")
        await pilot.press(*way, "r")
        if acts:
            app.screen.query_one("#to", Choice).take("closed")
            await type_into(pilot, "reason", "mended")
            await type_into(pilot, "name", HEALER)
            await press_button(pilot)
        else:
            await pilot.press("escape")
            closed = f"0 {now} 3 600 closed 0\n"
            (site / f"state/{HEALER}/cb/restart_worker").write_text(closed)
        app.poke()
        await pilot.press(*["escape"] * len(way))
        await pilot.pause()
        assert app.board.order == ("disk-reaper", HEALER)
        assert table.selected == (HEALER if acts else "disk-reaper")
        told = "order kept since the act: s sorts"
        drawn = [strip.text for strip in app.screen._compositor.render_strips()]
        assert any(told in line for line in drawn) is acts
        await pilot.press("s")
        await pilot.pause()
        assert table.order == ("disk-reaper", HEALER)
        assert table.selected == "disk-reaper"
        drawn = [strip.text for strip in app.screen._compositor.render_strips()]
        assert not any(told in line for line in drawn)


async def test_an_order_that_was_held_before_a_look_stays_so(site: Path) -> None:
    app = console(site)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        table = app.screen.query_one(HealerTable)
        await pilot.press("down", "enter", "escape", "t", "escape")
        await pilot.pause()
        assert table.held
        assert table.selected == "disk-reaper"


async def test_an_act_that_was_refused_at_once_makes_no_later_look_hold_the_order(
    site: Path,
) -> None:
    app = console(site)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("space", "space", "x")
        await pilot.pause()
        assert "unmark the others" in said(app)[-1][1]
        await pilot.press("escape", "s", "t")
        await pilot.pause()
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert not app.screen.query_one(HealerTable).held
