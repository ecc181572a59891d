"""The verbs of the console by name, in the command palette."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import cast

from rich.text import Text
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.errors import NoWidget
from textual.events import Click

from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.safetext import plain
from healconsole.tui.screens.base import ConsoleScreen
from healconsole.tui.sizes import AsLargeAsTheTerminal


class VerbPalette(AsLargeAsTheTerminal, CommandPalette):
    """The command palette, for hands that are faster than it.

    Textual's fails on a key that moves while it lists nothing, on a second choice that comes
    before the first has closed it, and on a click at what is there no more.
    """

    def compose(self) -> ComposeResult:
        """Compose Textual's, with a list for quick hands in it."""
        for widget in super().compose():
            yield _Options() if isinstance(widget, CommandList) else widget

    def _on_click(self, event: Click) -> None:  # type: ignore[override] # as Textual's is
        try:
            self.get_widget_at(event.screen_x, event.screen_y)
        except NoWidget:  # the window is smaller by now, or this has closed
            event.prevent_default()

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close, once."""
        if self is not self.app.screen:
            return AwaitComplete()
        return super().dismiss(result)

    def _action_command_list(self, action: str) -> None:
        with suppress(KeyError, IndexError):
            super()._action_command_list(action)


class _Options(CommandList):
    """Takes no click for a verb that it listed when the button was pressed, and no longer does."""

    async def _on_click(self, event: Click) -> None:
        option = event.style.meta.get("option")
        if isinstance(option, int) and option >= self.option_count:
            event.prevent_default()


class VerbProvider(Provider):
    """Offers what the keys of the screen below do, with the key beside each verb."""

    async def discover(self) -> Hits:
        """Offer every verb."""
        for key in self._keys():
            yield DiscoveryHit(self._shown(key), self._runner(key), text=key.does, help=key.help)

    async def search(self, query: str) -> Hits:
        """Offer the verbs that match."""
        matcher, typed = self.matcher(query), query.strip().lower()
        for key in self._keys():
            score = matcher.match(f"{key.does} {key.help}")
            if key.does.startswith(typed):
                score *= 2  # the verb itself comes before those whose help names it
            if score > 0:
                yield Hit(score, self._shown(key), self._runner(key), text=key.does, help=key.help)

    def _keys(self) -> Iterator[Key]:
        if isinstance(self.screen, ConsoleScreen):
            more = (*self.screen.console_app.more_keys, keys.APPROVE)
            yield from dict.fromkeys((*self.screen.SHOWN_KEYS, *more))

    def _shown(self, key: Key) -> Text:
        """The verb, and why it would not work now. (The palette reads its help as markup.)"""
        screen = cast("ConsoleScreen", self.screen)
        why = screen.why_not(key)
        return plain(f"{key.does} (not now: {why})" if why else key.does)

    def _runner(self, key: Key) -> Callable[[], None]:
        app = cast("ConsoleScreen", self.screen).console_app

        def run() -> None:
            app.simulate_key(app.key_name(key))

        return run
