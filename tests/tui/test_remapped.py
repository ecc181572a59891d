"""What is written of a key is how it is bound, after the keymap of the configuration."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core.keymap import whole_keymap
from healconsole.core.snapshot import Host, Lock
from healconsole.tui.screens.help import HelpScreen
from tests.tui import scenes
from tests.tui.conftest import Recording
from tests.tui.sceneparts import NOW
from tests.tui.site import HEALER, breaker, console, make_site, press_button, type_into

pytestmark = pytest.mark.asyncio

SIZE = (80, 24)
KEYMAP = whole_keymap(
    {
        "undo": "f2", "audit": "f4", "break": "f3", "help": "f1", "settle": "f5", "up": "w,up",
        "down": "n", "first": "ctrl+home", "page-down": "pagedown,ctrl+d",
    }
)  # fmt: skip


async def test_after_an_act_the_key_that_takes_it_back_is_named_and_not_too_much_told(
    tmp_path: Path,
) -> None:
    make_site(tmp_path)
    now = int(time.time())
    for number in range(20):
        circuit = tmp_path / f"state/{HEALER}/cb/restart_worker_{number:02}"
        circuit.write_text(f"0 {now} 3 600 closed 0\n")
    app = console(tmp_path, keymap=KEYMAP)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("t")
        await type_into(pilot, "reason", "not while we look")
        await type_into(pilot, "name", HEALER)
        await press_button(pilot)
        (note,) = app._notifications
        assert note.message.startswith(f"trip {HEALER}: ")
        assert note.message.endswith("…   (f2 takes it back)")
        assert len(note.message) < 300
        assert "order kept since the act: f5 sorts" in "\n".join(
            strip.text for strip in app.screen._compositor.render_strips()
        )
    assert breaker(tmp_path)[4] == "forced-open"


async def test_the_locks_and_a_healer_name_the_keys_as_they_are_bound() -> None:
    ghost = replace(
        scenes.one_open(),
        hosts=(Host("web-19", NOW - 240),),
        locks=(Lock("broker", "web-19/broker-restarter/7/u", NOW + 600),),
    )
    ghost = replace(ghost, audit=replace(ghost.audit, lines=()))
    recording = Recording(ghost, keymap=KEYMAP)
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("l")
        await recording.until(pilot, "; f3 breaks it")
        await pilot.press("escape", "enter")
        await recording.until(pilot, "f4 shows the whole log")


async def test_the_help_names_what_moves_as_it_is_bound_and_its_own_key_closes_it() -> None:
    recording = Recording(scenes.one_open(), keymap=KEYMAP)
    async with recording.app.run_test(size=(80, 60)) as pilot:
        await pilot.pause()
        await pilot.press("f1")
        await recording.until(pilot, "w n  ↑")
        assert "move; by pages: pgup pgdn or ctrl+d; to the first," in recording.text()
        assert "ctrl+home end or G" in recording.text()
        assert "w n scroll" in recording.text()
        await pilot.press("f1")
        assert not isinstance(recording.app.screen, HelpScreen)
