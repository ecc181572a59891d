"""Text from outside on its way to the terminal.

Two fences stand one behind the other. Every cell is made of `visible` text, so what a file
holds is seen and not obeyed; and a last filter over every line that any widget draws takes
away what somebody forgot.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.text import Text
from textual.color import Color
from textual.filter import LineFilter

from healconsole.core.text import strip_unsafe, visible


def plain(data: str | bytes, style: str = "", limit: int = 4096) -> Text:
    """Return ``data`` as text for widgets that take renderables. It is never read as markup."""
    return Text(visible(data, limit), style=style, no_wrap=False, end="")


class LastFilter(LineFilter):
    """Removes what a terminal could obey, reorder or hide from each line that leaves."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        """Return the segments, the same ones where nothing had to go."""
        return [
            segment
            if segment.control or (segment.text.isascii() and segment.text.isprintable())
            else Segment(strip_unsafe(segment.text), segment.style)
            for segment in segments
        ]
