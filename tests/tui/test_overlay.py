"""What is seen around a window."""

from __future__ import annotations

import pytest
from textual.events import Resize
from textual.geometry import Region, Size

from tests.tui import scenes
from tests.tui.conftest import Recording


@pytest.mark.asyncio
async def test_without_colors_what_is_behind_a_window_is_grey_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tint that dims it has a color of its own."""
    monkeypatch.setenv("NO_COLOR", "1")
    recording = Recording(scenes.many(20))
    async with recording.app.run_test(size=(100, 30)) as pilot:
        await recording.until(pilot, "healer")
        await pilot.press("question_mark")
        await pilot.pause()
        screen = recording.app.screen
        assert len(recording.app.screen_stack) == 2
        strips = screen.render_lines(screen.region)
        assert any(strip.text.strip() for strip in strips), "what is below is seen"
        colors = {
            color.get_truecolor()
            for strip in strips
            for segment in strip
            if segment.style is not None
            for color in (segment.style.color, segment.style.bgcolor)
            if color is not None
        }
        assert colors
        assert all(color.red == color.green == color.blue for color in colors)


@pytest.mark.asyncio
async def test_a_window_is_drawn_while_what_is_below_it_is_resized_already() -> None:
    """In a storm of resizes the two screens, and the terminal, have each a size of their own."""
    recording = Recording(scenes.many(20))
    async with recording.app.run_test(size=(100, 30)) as pilot:
        await recording.until(pilot, "healer")
        await pilot.press("question_mark")
        await pilot.pause()
        app = recording.app
        below, window = app.screen_stack
        smaller = Size(60, 10)
        app._size = smaller
        below._screen_resized(smaller)
        assert window.size == below._compositor.size != window._compositor.size
        strips = window.render_lines(Region(0, 0, 100, 30))
        assert [strip.cell_length for strip in strips] == [100] * 30


@pytest.mark.asyncio
@pytest.mark.parametrize("key", ["question_mark", "r", "ctrl+p"])
async def test_no_screen_takes_a_size_that_the_terminal_no_longer_has(key: str) -> None:
    """Textual says again what a screen was laid out for, behind what the terminal said since."""
    recording = Recording(scenes.many(20))
    async with recording.app.run_test(size=(100, 30)) as pilot:
        await recording.until(pilot, "healer")
        await pilot.press(key)
        await pilot.pause()
        app = recording.app
        assert len(app.screen_stack) == 2
        for screen in app.screen_stack:
            for stale in (Size(60, 10), Size(130, 40)):
                screen.post_message(Resize(stale, stale))
                await pilot.pause()
                assert {each._compositor.size for each in app.screen_stack} == {app.size}
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert {each._compositor.size for each in app.screen_stack} == {Size(60, 20)}
