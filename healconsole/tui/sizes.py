"""How large the terminal is: in the classes that the stylesheets ask for, and for each screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from textual.events import Resize
from textual.geometry import Size
from textual.screen import Screen

if TYPE_CHECKING:
    from textual.app import App

WIDTHS: Final = [(0, "-narrow"), (110, "-wide")]
HEIGHTS: Final = [(0, "-low"), (32, "-high")]
"""Columns, and rows, from which on a screen has a class."""


def fit(screen: Screen[Any], size: Size) -> None:
    """Give a screen that has no styles yet its classes.

    Textual does so when it has laid the screen out, and then styles all of it anew.
    """
    for length, classes in ((size.width, WIDTHS), (size.height, HEIGHTS)):
        screen.add_class(max(each for each in classes if each[0] <= length)[1], update=False)


class AsLargeAsTheTerminal:
    """For a screen: takes no size but that which the terminal has by now.

    Textual tells a screen that was laid out so again, behind what the terminal has said since, and
    a screen resizes those below it. In a storm of resizes two screens so take turns with two sizes,
    for ever and at a whole core.
    """

    app: App[Any]

    async def _on_resize(self, event: Resize) -> None:
        """Leave a size that is no longer true; the one that is was posted, or will be."""
        if event.size != self.app.size:
            event.prevent_default()
