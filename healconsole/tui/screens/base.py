"""What every screen of the console shares: the snapshot, the tick, and the keys in sight."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, cast

from textual._time import get_time
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.events import ScreenResume
from textual.screen import Screen

from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.sizes import AsLargeAsTheTerminal
from healconsole.tui.spans import SpanCompositor
from healconsole.tui.widgets.cells import TONE_CLASSES
from healconsole.tui.widgets.keybar import KeyBar, KeyHint
from healconsole.tui.widgets.statusline import Status, StatusLine

if TYPE_CHECKING:
    from healconsole.tui.app import ConsoleApp


def key_hint(app: ConsoleApp, key: Key, *, works: bool) -> KeyHint:
    """Return what the key bar shows of a key, as it is bound now."""
    return KeyHint(app.key_display(key), key.does, works, app.key_name(key))


BELOW_S = 0.25
"""Between two snapshots that a screen shows while a window is in front of it."""


class ConsoleScreen(AsLargeAsTheTerminal, Screen[None]):
    """A screen that shows the app's snapshot.

    ``show`` is called with each new snapshot, and once a second for what only time changes.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES
    SHOWN_KEYS: ClassVar[tuple[Key, ...]] = ()
    """The keys of the key bar, in order."""
    BINDINGS: ClassVar[list[BindingType]] = []
    _resumed = False

    def __init__(self) -> None:
        super().__init__()
        self._compositor = SpanCompositor()
        self._shown_at = 0.0
        self._keys_shown: tuple[tuple[Key, bool], ...] = ()

    @property
    def console_app(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    def on_mount(self) -> None:
        """Show what is known, and everything that comes."""
        self.watch(self.app, "snapshot", self._snapshot_changed)

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Draw what is known at ``now``."""

    def tick(self, now: float) -> None:
        """Draw what only time changes."""
        self._show(self.console_app.snapshot, now)

    def names_in_sight(self) -> Iterable[str]:
        """Return the healers whose rows are in sight."""
        return ()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Catch up with what happened while another screen was on top."""
        if not self._resumed:  # every widget has just got its styles, and what it shows
            self._resumed = True
            event.refresh_styles = False
            return
        self.refresh_keys()
        self.tick(self.console_app.clock())

    def on_resize(self) -> None:
        """Draw again once every widget has its new size."""
        self.call_after_refresh(self._redraw)

    def show_status(self, snapshot: Snapshot, now: float) -> None:
        """Draw the status line."""
        app = self.console_app
        works = app.acts is not None
        approve_key = key_hint(app, keys.APPROVE, works=True).key if works else ""
        self.query_one(StatusLine).show(
            Status(snapshot, app.board.counts, now, app.view, approve_key, app.silent_s)
        )

    def why_not(self, key: Key) -> str:
        """Return why a key would not work now; empty if it would."""
        return self.console_app.why_not(key, self.subject())

    def subject(self) -> HealerState | None:
        """Return the healer that an act would be about."""
        return None

    def refresh_keys(self) -> None:
        """Show the keys as they work now."""
        keys_now = (*self.SHOWN_KEYS, *self.console_app.more_keys)
        shown = tuple((key, not self.why_not(key)) for key in keys_now)
        if shown == self._keys_shown:
            return
        for bar in self.query(KeyBar):
            bar.show(key_hint(self.console_app, key, works=works) for key, works in shown)
            self._keys_shown = shown

    def _snapshot_changed(self, snapshot: Snapshot) -> None:
        # Below a window every change costs a picture of the whole screen, dimmed; there the tick
        # shows what is left out here.
        if not self.is_current and get_time() - self._shown_at < BELOW_S:
            return
        self._shown_at = get_time()
        self._show(snapshot, self.console_app.clock())
        self.refresh_keys()

    def _show(self, snapshot: Snapshot, now: float) -> None:
        try:
            self.show(snapshot, now)
        except NoMatches:
            # A screen is in the stack before its widgets are there, and one that is taken down
            # loses them first; a tick may come in between.
            if self.console_app.is_whole(self):
                raise

    def _redraw(self) -> None:
        if self.is_attached:
            self.tick(self.console_app.clock())
