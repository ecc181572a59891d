"""One line to type into, where the screen needs a word: a filter, a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message

from healconsole.core.text import visible
from healconsole.tui.safetext import plain

if TYPE_CHECKING:
    from textual.widget import Widget
    from textual.widgets import Input, Label


class Prompt(Horizontal):
    """A line that is hidden until it is asked for: its label and its field are made then."""

    class Changed(Message):
        """What is typed changed."""

        def __init__(self, purpose: str, text: str) -> None:
            self.purpose, self.text = purpose, text
            super().__init__()

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "close_with_text", show=False, priority=True),
        Binding("escape", "close_without", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.display = False
        self._purpose = ""
        self._parts: tuple[Label, Input] | None = None
        self._before: Widget | None = None
        """What was in focus before it opened."""
        self._told: Callable[[str | None], None] = _nothing

    def ask(self, purpose: str, says: str, text: str, closed: Callable[[str | None], None]) -> None:
        """Open, with ``text`` to begin with; not on a screen that is being left.

        ``closed`` is told the text on enter, None on escape: at once, since what is typed
        right behind that key is for the screen, as it then is.
        """
        if not self.is_attached:
            return
        self._purpose = ""
        label, field = self._parts or self._made()
        label.update(plain(f" {says} "))
        field.value = visible(text)
        field.cursor_position = len(field.value)
        self._purpose, self._told = purpose, closed
        self.display = True
        if self.screen.focused is not field:
            self._before = self.screen.focused
        # At once, not a message later: what is typed behind the key is for the field already.
        self.screen.set_focus(field)

    def _made(self) -> tuple[Label, Input]:
        from textual.widgets import Label

        from healconsole.tui.widgets.field import Field

        self._parts = Label(""), Field(select_on_focus=False)
        self.mount(*self._parts)
        return self._parts

    def close(self) -> None:
        """Hide, and give the focus back."""
        self.display = False
        if self._parts and self._parts[1] is self.screen.focused:
            self.screen.set_focus(self._before)

    def on_input_changed(self, message: Input.Changed) -> None:
        """Pass on what is typed."""
        message.stop()
        if self._purpose and self.display:
            self.post_message(self.Changed(self._purpose, message.value))

    def action_close_with_text(self) -> None:
        """Close with what was typed."""
        self._close_with(self._parts[1].value if self._parts else "")

    def action_close_without(self) -> None:
        """Close without a word."""
        self._close_with(None)

    def _close_with(self, text: str | None) -> None:
        self.close()
        self._told(text)


def _nothing(text: str | None) -> None:
    del text
