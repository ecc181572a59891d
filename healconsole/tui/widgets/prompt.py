"""One line to type into, where the screen needs a word: a filter, a time."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Label

from healconsole.core.text import visible
from healconsole.tui.safetext import plain
from healconsole.tui.widgets.field import Field


class Prompt(Horizontal):
    """A line that is hidden until it is asked for."""

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

    def compose(self) -> ComposeResult:
        """A label and a field."""
        yield Label("")
        yield Field(select_on_focus=False)

    def ask(self, purpose: str, says: str, text: str) -> None:
        """Open, with ``text`` to begin with."""
        self._purpose = ""
        self.query_one(Label).update(plain(f" {says} "))
        field = self.query_one(Input)
        field.value = visible(text)
        field.cursor_position = len(field.value)
        self._purpose = purpose
        self.display = True
        field.focus()

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
