"""What comes for something that is not there any more: clicks, keys, new sizes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rich.style import Style
from textual.command import CommandList
from textual.events import Click, Key, MouseDown
from textual.widgets import Input

from healconsole.tui.dialogs.trip import TripDialog
from healconsole.tui.palette import VerbPalette
from tests.tui import scenes
from tests.tui.conftest import Recording

SIZE = (100, 30)
NO_KEYS = {"shift": False, "meta": False, "ctrl": False}

pytestmark = pytest.mark.asyncio


def mouse(x: int, y: int, style: Style | None = None) -> dict[str, Any]:
    """What every event of the left button there has."""
    at = {"x": x, "y": y, "screen_x": x, "screen_y": y}
    return {
        "widget": None,
        **at,
        "delta_x": 0,
        "delta_y": 0,
        "button": 1,
        **NO_KEYS,
        "style": style,
    }


async def test_a_click_that_comes_when_its_verb_is_listed_no_longer_is_for_none() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+p")
        listed = recording.app.screen.query_one(CommandList)
        while listed.option_count < 5:
            await pilot.pause(0.02)
        x, y = listed.region.offset
        style = recording.app.screen.get_style_at(x + 4, y + 4)
        assert style.meta["option"] > 0
        listed.clear_options()
        listed.post_message(Click(**mouse(x + 4, y + 4, style)))
        await pilot.pause()
        assert recording.app.is_running


async def test_a_click_where_the_window_is_no_more_is_for_none() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause()
        recording.app.screen.post_message(Click(**mouse(90, 40)))
        await pilot.pause()
        assert isinstance(recording.app.screen, VerbPalette)


async def test_a_dialog_that_is_resized_when_it_has_no_widgets_is_left_alone() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("t")
        await pilot.pause()
        dialog = recording.app.screen
        assert isinstance(dialog, TripDialog)
        await dialog.remove_children()
        dialog._is_mounted = False
        dialog.on_resize()
        await pilot.pause()
        assert recording.app.screen is dialog


async def test_a_press_is_no_beginning_of_a_selection() -> None:
    """Textual looks for where what was pressed stands, which may have gone by then."""
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("t")
        await pilot.pause()
        dialog = recording.app.screen
        x, y = dialog.query_one("#heading").region.offset
        recording.app.post_message(MouseDown(**mouse(x, y)))
        await pilot.pause()
        assert dialog._select_state is None


async def test_keys_behind_the_end_do_not_hold_it_up() -> None:
    """A widget of an app that closes never says that it has caught up."""
    recording = Recording(scenes.one_open())
    async with asyncio.timeout(10), recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("slash")
        await pilot.pause()
        assert isinstance(recording.app.focused, Input)
        recording.app._close_messages_no_wait()
        for key in ("left", "x", "right"):
            recording.app.post_message(Key(key, None))
