"""A row of choices, one of them taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.message import Message
from textual.widget import Widget

from healconsole.core.text import visible

T = TypeVar("T")


class Choice(Widget, Generic[T], can_focus=True):
    """One of several values, changed with the arrow keys or space.

    Labels are data: they are shown, never read as markup. Where they do not fit beside one
    another, only the one taken is shown, with its number.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,up", "step(-1)", show=False),
        Binding("right,down,space", "step(1)", show=False),
    ]

    class Taken(Message):
        """Another value was taken."""

    def __init__(
        self,
        options: Sequence[tuple[T, str]],
        *,
        id: str | None = None,  # noqa: A002 - Textual's word
    ) -> None:
        super().__init__(id=id)
        self._options = tuple(options)
        self._index = 0

    @property
    def value(self) -> T:
        """The value that is taken."""
        return self._options[self._index][0]

    def take(self, value: T) -> None:
        """Take the first option that has ``value``, if there is one."""
        for index, (option, _) in enumerate(self._options):
            if option == value:
                self._index = index
                self.refresh()
                return

    def render(self) -> Content:
        """All of them in a row, or the one taken between arrows."""
        labels = [visible(label, 200) for _, label in self._options]
        row = "   ".join(
            f"{'(•)' if index == self._index else '( )'} {label}"
            for index, label in enumerate(labels)
        )
        if cell_len(row) <= self.size.width or len(labels) == 1:
            return Content(row)
        return Content(f"◂ {labels[self._index]} ▸  {self._index + 1} of {len(labels)}")

    def action_step(self, by: int) -> None:
        """Take the next or the previous one."""
        if len(self._options) > 1:
            self._index = (self._index + by) % len(self._options)
            self.refresh()
            self.post_message(self.Taken())

    def on_click(self, event: Click) -> None:
        """Step with the mouse."""
        event.stop()
        self.focus()
        self.action_step(1)
