"""How large the terminal is, in the classes that the stylesheets ask for."""

from __future__ import annotations

from typing import Any, Final

from textual.geometry import Size
from textual.screen import Screen

WIDTHS: Final = [(0, "-narrow"), (110, "-wide")]
HEIGHTS: Final = [(0, "-low"), (32, "-high")]
"""Columns, and rows, from which on a screen has a class."""


def fit(screen: Screen[Any], size: Size) -> None:
    """Give a screen that has no styles yet its classes.

    Textual does so when it has laid the screen out, and then styles all of it anew.
    """
    for length, classes in ((size.width, WIDTHS), (size.height, HEIGHTS)):
        screen.add_class(max(each for each in classes if each[0] <= length)[1], update=False)
