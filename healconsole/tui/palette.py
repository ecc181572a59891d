"""The verbs of the console by name, in the command palette."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from healconsole.tui.keys import Key
from healconsole.tui.screens.base import ConsoleScreen


class VerbProvider(Provider):
    """Offers what the keys of the screen below do, with the key beside each verb."""

    async def discover(self) -> Hits:
        """Offer every verb."""
        for key in self._keys():
            yield DiscoveryHit(key.does, self._runner(key), help=self._help(key))

    async def search(self, query: str) -> Hits:
        """Offer the verbs that match."""
        matcher = self.matcher(query)
        for key in self._keys():
            score = matcher.match(f"{key.does} {key.help}")
            if score > 0:
                shown = matcher.highlight(key.does)
                yield Hit(score, shown, self._runner(key), help=self._help(key))

    def _keys(self) -> Iterator[Key]:
        if isinstance(self.screen, ConsoleScreen):
            yield from self.screen.SHOWN_KEYS

    def _help(self, key: Key) -> str:
        screen = cast("ConsoleScreen", self.screen)
        why = screen.why_not(key)
        return f"{key.help} (not now: {why})" if why else key.help

    def _runner(self, key: Key) -> Callable[[], None]:
        app = cast("ConsoleScreen", self.screen).console_app

        def run() -> None:
            app.simulate_key(app.key_name(key))

        return run
