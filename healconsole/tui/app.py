"""The console: one snapshot, a few screens, and the operator's acts if it was given any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.filter import LineFilter
from textual.reactive import reactive
from textual.screen import Screen

from healconsole.core.snapshot import EMPTY, HealerState, Snapshot
from healconsole.core.text import visible
from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.messages import SnapshotTaken
from healconsole.tui.ports import Acts, Clock, Feed, FeedFactory, LogReader, View
from healconsole.tui.safetext import LastFilter
from healconsole.tui.screens.home import HomeScreen
from healconsole.tui.stylesheets import stylesheets
from healconsole.tui.themes import DARK, LIGHT, OWN_VARIABLES

SILENT_AFTER_S = 10.0
"""Seconds without a word from the feed after which the screen says so."""


class ConsoleApp(App[int]):
    """The application.

    ``snapshot`` is everything that it knows; screens watch it. It owns the feed: it starts it
    when the screen is up, and stops it before it ends.
    """

    TITLE = "healconsole"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *(keys.binding(key, show=False) for key in (*keys.EVERYWHERE,)),
    ]
    snapshot: reactive[Snapshot] = reactive(EMPTY, init=False, repaint=False)

    def __init__(
        self,
        view: View,
        feed_factory: FeedFactory,
        clock: Clock,
        *,
        acts: Acts | None = None,
        log: LogReader | None = None,
    ) -> None:
        self.last_filter = LastFilter()
        super().__init__(css_path=[str(path) for path in stylesheets()])
        self.view = view
        self.clock = clock
        self.acts = acts
        self.log_reader = log
        self._feed: Feed = feed_factory(self._taken)
        self._last_word = 0.0
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = view.theme
        self.animation_level = "none"
        if view.keymap:
            self.set_keymap(view.keymap)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return what our stylesheets need of a theme that is not ours."""
        return OWN_VARIABLES

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the filters of every line, ours last."""
        return [*super().get_line_filters(), self.last_filter]

    def get_default_screen(self) -> Screen[None]:
        """Return the screen that everything starts on."""
        return HomeScreen()

    def on_mount(self) -> None:
        """Start to look."""
        self._last_word = self.clock()
        self._feed.start()
        self.set_interval(1.0, self._tick, name="ages")

    def on_unmount(self) -> None:
        """Stop to look."""
        self._feed.stop()

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """Take the newest snapshot over."""
        self._last_word = self.clock()
        self.snapshot = message.snapshot

    def look_at(self, name: str | None) -> None:
        """Have the markers of this healer read too."""
        self._feed.look_at(name)

    @property
    def silent_s(self) -> float:
        """Seconds without a word from the feed, if that is too long; else 0."""
        silent = self.clock() - self._last_word
        return silent if silent > SILENT_AFTER_S else 0.0

    def healer(self, name: str | None) -> HealerState | None:
        """Return a healer of the snapshot."""
        return next((h for h in self.snapshot.healers if h.name == name), None)

    def keys_of(self, key: Key) -> str:
        """Return what a key is bound to, after the keymap of the configuration."""
        return self.view.keymap.get(key.id, key.keys)

    def why_not(self, key: Key, subject: HealerState | None) -> str:
        """Return why a key would not work now; empty if it would."""
        if key in keys.ACTS or key is keys.UNDO:
            if self.acts is None:
                return "this console is READ-ONLY: it was started without anything that can write"
            if key is not keys.UNDO and subject is None:
                return "there is no healer under the cursor"
        return ""

    def say(self, text: str, *, bad: bool = False) -> None:
        """Say a sentence at the edge of the screen. Data in it is shown, never obeyed."""
        self.notify(visible(text), severity="error" if bad else "information", markup=False)

    def _taken(self, snapshot: Snapshot) -> None:
        """Called on the feed's thread."""
        self.post_message(SnapshotTaken(snapshot))

    def _tick(self) -> None:
        screen = self.screen_stack[-1]
        tick = getattr(screen, "tick", None)
        if tick is not None:
            tick(self.clock())
