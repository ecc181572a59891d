"""One line to type into, where the screen needs a word: a filter, a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.containers import Horizontal
from textual.message import Message

from healconsole.core.text import visible
from healconsole.tui.safetext import plain

if TYPE_CHECKING:
    from textual.widgets import Input, Label


class Prompt(Horizontal):
    """A line that is hidden until it is asked for: its label and its field are made then."""

    class Changed(Message):
        """What is typed changed."""

        def __init__(self, purpose: str, text: str) -> None:
            self.purpose, self.text = purpose, text
            super().__init__()

    class Closed(Message):
        """Enter was pressed, or (with no text) escape."""

        def __init__(self, purpose: str, text: str) -> None:
            self.purpose, self.text = purpose, text
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.display = False
        self._purpose = ""
        self._parts: tuple[Label, Input] | None = None

    def ask(self, purpose: str, says: str, text: str) -> None:
        """Open, with ``text`` to begin with; not on a screen that is being left."""
        if not self.is_attached:
            return
        self._purpose = ""
        label, field = self._parts or self._made()
        label.update(plain(f" {says} "))
        field.value = visible(text)
        field.cursor_position = len(field.value)
        self._purpose = purpose
        self.display = True
        # At once, not a message later: what is typed behind the key is for the field already.
        self.screen.set_focus(field)

    def _made(self) -> tuple[Label, Input]:
        from textual.widgets import Label

        from healconsole.tui.widgets.field import Field

        self._parts = Label(""), Field(select_on_focus=False)
        self.mount(*self._parts)
        return self._parts

    def close(self) -> None:
        """Hide."""
        self.display = False

    def on_input_changed(self, message: Input.Changed) -> None:
        """Pass on what is typed."""
        message.stop()
        if self._purpose and self.display:
            self.post_message(self.Changed(self._purpose, message.value))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Close with what was typed."""
        message.stop()
        self.close()
        self.post_message(self.Closed(self._purpose, message.value))

    def on_key(self, event: events.Key) -> None:
        """Close without a word on escape."""
        if event.key == "escape":
            event.stop()
            self.close()
            self.post_message(self.Closed(self._purpose, ""))
