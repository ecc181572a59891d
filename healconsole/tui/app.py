"""The console: one snapshot, a few screens, and the operator's acts if it was given any."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from rich.console import RenderableType
from textual import work
from textual._time import get_time
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.events import Event, InputEvent, Paste
from textual.events import Key as KeyPressed
from textual.filter import LineFilter
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import AwaitMount

from healconsole.core.request import Request
from healconsole.core.snapshot import EMPTY, HealerState, Snapshot
from healconsole.core.text import visible
from healconsole.tui import keys, sizes, ways
from healconsole.tui.board import Board
from healconsole.tui.dialogs.session import ActSession
from healconsole.tui.driver import ConsoleDriver
from healconsole.tui.frugal import Terminal, frugal
from healconsole.tui.keyorder import OrderedApp
from healconsole.tui.keys import Key
from healconsole.tui.messages import SnapshotTaken
from healconsole.tui.ports import (
    Acts,
    Clock,
    Feed,
    FeedFactory,
    Guarded,
    LockActs,
    LogReader,
    Ticking,
    View,
)
from healconsole.tui.safetext import LastFilter
from healconsole.tui.screens.home import HomeScreen
from healconsole.tui.stylesheets import stylesheets
from healconsole.tui.themes import DARK, LIGHT, own_variables
from healconsole.tui.widgets.cellview import CellView

if TYPE_CHECKING:  # a read-only console never loads what can write
    from healconsole.engine.remote import RemoteDesk

GROWN = 1.2
"""How many times as many healers are a reason to spare them from the garbage collector."""

FRAME_S = 1 / 60
"""Between two frames: keys that come faster share one."""

SILENT_AFTER_S = 10.0
"""Seconds without a word from the feed after which the screen says so."""


def _verbs() -> type[Provider]:
    """Return what the command palette asks, when it is opened first."""
    from healconsole.tui.palette import VerbProvider

    return VerbProvider


class ConsoleApp(OrderedApp):
    """The application. A screen that is not the first is imported when it is opened.

    ``snapshot`` is everything that it knows; screens watch it. It owns the feed: it starts it
    when the screen is up, and stops it before it ends.
    """

    ALLOW_SELECT = False
    """Lines of cells know no selection, and Textual's fails on a press at what has just gone."""

    TITLE = "healconsole"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_verbs}
    BINDINGS: ClassVar[list[BindingType]] = [
        *(keys.binding(key, show=False) for key in (*keys.EVERYWHERE, keys.REPAIR, keys.REDRAW)),
    ]
    HORIZONTAL_BREAKPOINTS = sizes.WIDTHS
    VERTICAL_BREAKPOINTS = sizes.HEIGHTS
    snapshot: reactive[Snapshot] = reactive(EMPTY, init=False, repaint=False)

    def __init__(
        self,
        view: View,
        feed_factory: FeedFactory,
        clock: Clock,
        *,
        acts: Acts | None = None,
        lock_acts: LockActs | None = None,
        remote_acts: RemoteDesk | None = None,
        log: LogReader | None = None,
        repair: Callable[[], str] | None = None,
        first: Snapshot = EMPTY,
    ) -> None:
        self.last_filter = LastFilter()
        self._terminal = Terminal()
        first_styles, self._later_styles = stylesheets(wall=view.wall)
        super().__init__(driver_class=ConsoleDriver, css_path=[*first_styles])
        self.view = view
        self.clock = clock
        self.acts = acts
        self.lock_acts = lock_acts
        self.remote_acts = remote_acts
        """On a fleet: the acts on other hosts."""
        self.log_reader = log
        self._repair = repair
        self.session = ActSession(view.incident)
        self.board = Board(view.thresholds)
        self._feed: Feed = feed_factory(self._taken)
        self._last_word = 0.0
        self._frame_at = 0.0
        self._displays: dict[str, str] = {}
        self._spared = 100
        """Healers that were there when the garbage collector was last told to leave them alone."""
        if first != EMPTY:
            self.board.take(first, clock())
            self.set_reactive(ConsoleApp.snapshot, first)
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        if view.theme in self.available_themes:
            self.theme = view.theme
        else:
            self.theme = DARK.name
        self.animation_level = "none"
        self.set_class(self.no_color, "-no-color")
        if view.keymap:
            self.set_keymap(view.keymap)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return what our stylesheets need of a theme that is not ours."""
        return own_variables(self.current_theme)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the filters of every line, ours last."""
        return [*super().get_line_filters(), self.last_filter]

    def get_default_screen(self) -> Screen[None]:
        """Return the screen that everything starts on."""
        screen: Screen[None]
        if not self.view.wall:
            screen = HomeScreen()
        else:
            from healconsole.tui.screens.wall import WallScreen

            screen = WallScreen()
        sizes.fit(screen, self.size)
        return screen

    def refresh_css(self, animate: bool = True) -> None:
        """Take the theme over; before the first screen nothing need be parsed and styled anew."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())

    def on_mount(self) -> None:
        """Start to look."""
        self._last_word = self.clock()
        if self.view.theme not in self.available_themes:
            known = ", ".join(sorted(self.available_themes))
            self.say(f"there is no theme {self.view.theme!r}; there are: {known}", bad=True)
        self.app_resume_signal.subscribe(self, self._resumed)
        if self.snapshot.healers:  # the next look must not delay the frame that shows the first
            self.call_after_refresh(self._feed.start)
        else:
            self._feed.start()
        self.set_interval(1.0, self._tick, name="ages")
        self.call_after_refresh(self._shown)

    def _shown(self) -> None:
        """The first frame is out: do now what would have delayed it."""
        self._read_later_styles()
        _collect_again()

    def _read_later_styles(self) -> None:
        paths, self._later_styles = self._later_styles, []
        if paths:
            self.stylesheet.read_all(paths)
            self.stylesheet.parse()

    def _get_screen(self, screen: Screen[Any] | str) -> tuple[Screen[Any], AwaitMount]:
        """Have all that styles a screen before it is opened; a key may be quicker than `_shown`."""
        if isinstance(screen, Screen) and not screen.is_running:
            self._read_later_styles()
            sizes.fit(screen, self.size)
        return super()._get_screen(screen)  # Textual has no public place for this

    def on_unmount(self) -> None:
        """Stop to look."""
        self._feed.stop()

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        """Take the newest snapshot over."""
        self._last_word = self.clock()
        if message.snapshot != self.snapshot:
            self.board.take(message.snapshot, self._last_word)
            self.snapshot = message.snapshot
            if len(message.snapshot.healers) > self._spared * GROWN:
                # To look through ten thousand healers for garbage again and again is a pause
                # that a key would have to wait for.
                self._spared = len(message.snapshot.healers)
                self.call_after_refresh(_collect_again)

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Send an update through the frugal terminal; Textual has no public place for this."""
        if isinstance(screen, Guarded):
            screen.painted(get_time())
        self._frame_at = get_time()
        super()._display(screen, frugal(renderable, self._terminal))

    async def on_event(self, event: Event) -> None:
        """Leave out what was typed, clicked or pasted for a dialog that was not there yet.

        A key that the screen below was given comes by here too, on its way to the bindings of
        the screen that is now on top. Escape is not left out: it only leaves things as they are.
        What comes behind the end is: no widget answers any more, and to wait for one has no end.
        """
        if isinstance(event, InputEvent | Paste) and (self._exit or self._closing):
            return
        if (
            not (isinstance(event, KeyPressed) and event.key == "escape")
            and isinstance(event, InputEvent | Paste)
            and isinstance(self.screen, Guarded)
            and not self.screen.was_seen_at(event.time)
        ):
            return
        await super().on_event(event)

    def paint_at_once(self, view: CellView) -> None:
        """Show what a key changed in these lines, unless a frame was sent just now."""
        screen = self.screen
        if view.is_attached and view.screen is screen and get_time() - self._frame_at > FRAME_S:
            screen._dirty_widgets.add(view)
            view._repaint_required = False
            screen._on_timer_update()

    def action_redraw(self) -> None:
        """Paint everything again: something else may have written to the terminal."""
        self._terminal.forget()
        self.refresh(layout=True)

    def on_resize(self) -> None:
        """A terminal that was resized may show anything."""
        self._terminal.forget()

    def look_at(self, name: str | None) -> None:
        """Have the markers of this healer read too."""
        self._feed.look_at(name)

    def poke(self) -> None:
        """Have the feed look now: something was done whose effect shall be seen."""
        self._feed.poke()

    @property
    def silent_s(self) -> float:
        """Seconds without a word from the feed, if that is too long; else 0."""
        silent = self.clock() - self._last_word
        return silent if silent > SILENT_AFTER_S else 0.0

    def healer(self, name: str | None) -> HealerState | None:
        """Return a healer of the snapshot."""
        return self.board.healer(name)

    def keys_of(self, key: Key) -> str:
        """Return what a key is bound to, after the keymap of the configuration."""
        return self.view.keymap.get(key.id, key.keys)

    def get_key_display(self, binding: Binding) -> str:
        """Return how the keys of a binding are written: ``ctrl+l``, not ``^l``."""
        shown = super().get_key_display(binding)
        return f"ctrl+{shown[1:]}" if len(shown) > 1 and shown.startswith("^") else shown

    def key_name(self, key: Key) -> str:
        """Return the first of the keys that ``key`` is bound to."""
        return self.keys_of(key).split(",", 1)[0]

    def key_display(self, key: Key) -> str:
        """Return how the first of the keys that ``key`` is bound to is written on the screen."""
        name = self.key_name(key)
        shown = self._displays.get(name)
        if shown is None:
            shown = self._displays[name] = self.get_key_display(Binding(name, ""))
        return shown

    @property
    def more_keys(self) -> tuple[Key, ...]:
        """Return the keys that work on every screen, while there is something for them to do."""
        waits = self.waiting_requests()
        return (
            *((keys.APPROVE,) if waits and not self.why_not(keys.APPROVE, None) else ()),
            *((keys.REPAIR,) if self._repair is not None else ()),
        )

    def waiting_requests(self) -> tuple[Request, ...]:
        """Return the acts that wait for a second person now."""
        now = self.clock()
        return tuple(each for each in self.snapshot.requests if each.until > now)

    def why_not(self, key: Key, subject: HealerState | None) -> str:
        """Return why a key would not work now; empty if it would."""
        if key in keys.ACTS or key in {keys.UNDO, keys.APPROVE}:
            if self.acts is None:
                return "this console is READ-ONLY: it was started without anything that can write"
            if key in keys.ACTS and subject is None:
                return "there is no healer under the cursor"
        if key is keys.APPROVE and not self.waiting_requests():
            return "nobody waits for a second person"
        return ""

    def explain(self, healer: HealerState | None) -> None:
        """Ask the guardrails for any intent of ``healer``."""
        ways.explain(self, healer)

    def action_audit(self) -> None:
        """Open the log, unless it is open."""
        ways.audit(self)

    def action_locks(self) -> None:
        """Open the locks, unless they are open."""
        ways.locks(self)

    def action_help(self) -> None:
        """Show every key."""
        ways.help_screen(self, demo=self._repair is not None)

    def action_command_palette(self) -> None:
        """Open the palette of verbs."""
        ways.palette(self)

    def action_undo(self) -> None:
        """Take the last act back."""
        ways.undo(self)

    def action_approve(self) -> None:
        """Be the second person of an act that waits for one."""
        ways.approve(self)

    def action_repair(self) -> None:
        """Repair what the demo broke; there is no such key outside the demo."""
        if self._repair is not None:
            self._run_repair(self._repair)

    @work(thread=True, exclusive=True, group="repair")
    def _run_repair(self, repair: Callable[[], str]) -> None:
        self.call_from_thread(self.say, repair())

    def say(self, text: str, *, bad: bool = False) -> None:
        """Say a sentence at the edge of the screen. Data in it is shown, never obeyed."""
        self.notify(visible(text), severity="error" if bad else "information", markup=False)

    def _taken(self, snapshot: Snapshot) -> None:
        """Called on the feed's thread."""
        self.post_message(SnapshotTaken(snapshot))

    def _resumed(self, _app: App[object]) -> None:
        """Other programs had the terminal while we were suspended."""
        self._terminal.forget()

    def _tick(self) -> None:
        now = self.clock()
        shown = [screen for screen in self.screen_stack if isinstance(screen, Ticking)]
        in_sight = {name for screen in shown for name in screen.names_in_sight()}
        self.board.freshen(in_sight, now)
        for screen in shown[-2:]:  # the screen, and the one below a window
            screen.tick(now)


def _collect_again() -> None:
    """Turn the garbage collector on, if the start had turned it off; what is there stays."""
    gc.freeze()
    gc.enable()
