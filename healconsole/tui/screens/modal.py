"""A window over the screen below, which goes on living."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.overlay import Overlay
from healconsole.tui.safetext import plain
from healconsole.tui.screens.base import key_hint
from healconsole.tui.widgets.cells import TONE_CLASSES
from healconsole.tui.widgets.keybar import KeyBar, KeyHint

if TYPE_CHECKING:
    from healconsole.tui.app import ConsoleApp

Result = TypeVar("Result")


class ConsoleModal(Overlay[Result], Generic[Result]):
    """A framed window with a title, a body, and its keys at the bottom."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES
    SHOWN_KEYS: ClassVar[tuple[Key, ...]] = (keys.BACK,)
    BINDINGS: ClassVar[list[BindingType]] = [keys.binding(keys.BACK, show=False)]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    @property
    def console_app(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    def compose(self) -> ComposeResult:
        """The frame; `body` fills it."""
        with Vertical(id="window") as window:
            window.border_title = plain(self._title)
            yield from self.body()
            yield KeyBar(id="keys")

    def body(self) -> ComposeResult:
        """Yield what is in the window."""
        yield from ()

    def on_mount(self) -> None:
        """Show the keys."""
        hints = (key_hint(self.console_app, key, works=True) for key in self.SHOWN_KEYS)
        self.query_one(KeyBar).show((*hints, *self.more_hints()))

    def on_resize(self) -> None:
        """Show as many keys as the new height lets: the bar's own size, or room, may stay."""
        for bar in self.query(KeyBar):
            bar.resized()

    def more_hints(self) -> Iterable[KeyHint]:
        """Return the keys of the window that are nobody's own."""
        return ()

    def action_back(self) -> None:
        """Close without a result."""
        self.dismiss(None)
