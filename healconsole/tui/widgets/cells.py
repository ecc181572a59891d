"""Lines made of cells: the unit in which the screens draw, compare and repaint.

A line is a tuple of cells, each a piece of text in one tone. Comparing two versions of a line
cell by cell tells which columns changed, so that a tick of one age costs the bytes of that age.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size

from healconsole.core.text import visible

TONES = ("text", "strong", "dim", "ok", "warn", "bad", "alarm", "info", "accent", "head", "rule")
"""What a cell can be drawn in."""

TONE_CLASSES = {f"tone--{tone}" for tone in TONES} | {"tone--cursor"}
"""The component classes that every screen has: once for all the views on it, for to style them
for each view apart took a tenth of the start."""


_SHORT: Final = 32
"""Characters of texts whose cells are kept: words, numbers and ages come again and again."""
_KEPT: Final = 4096


class Cell(NamedTuple):
    """Displayable text, the tone to draw it in, and its width in columns."""

    text: str
    tone: str
    width: int


Line = tuple[Cell, ...]
EMPTY_LINE: Line = ()


def cell(data: str | bytes, tone: str = "text") -> Cell:
    """Return a cell as wide as its text. What could not be displayed has a stand-in.

    >>> cell("a\\x1bb")
    Cell(text='a␛b', tone='text', width=3)
    """
    return (_short_cell if len(data) <= _SHORT else _cell)(data, tone)


def _cell(data: str | bytes, tone: str) -> Cell:
    text = visible(data)
    return Cell(text, tone, cell_len(text))


_short_cell = lru_cache(_KEPT)(_cell)


def fit(data: str | bytes, width: int, tone: str = "text", *, right: bool = False) -> Cell:
    """Return a cell of exactly ``width`` columns, padded, or cut with an ellipsis.

    >>> fit("worker", 4).text, fit("ab", 4, right=True).text
    ('wor…', '  ab')
    """
    return (_short_fit if len(data) <= _SHORT else _fit)(data, width, tone, right)


def _fit(data: str | bytes, width: int, tone: str, right: bool) -> Cell:
    if width <= 0:
        return Cell("", tone, 0)
    text = visible(data, 4 * width + 8)
    length = cell_len(text)
    if length > width:
        text = set_cell_size(text, width - 1) + "…"
    elif length < width:
        text = " " * (width - length) + text if right else text + " " * (width - length)
    return Cell(text, tone, width)


_short_fit = lru_cache(_KEPT)(_fit)


def fit_most(data: str | bytes, width: int, tone: str = "text") -> Cell:
    """Return a cell of at most ``width`` columns, cut with an ellipsis where it must be.

    >>> fit_most("worker", 4).text, fit_most("ab", 4).text
    ('wor…', 'ab')
    """
    piece = cell(data, tone)
    return piece if piece.width <= width else fit(piece.text, width, tone)


@lru_cache(_KEPT)
def gap(width: int) -> Cell:
    """Return blank columns."""
    return Cell(" " * width, "text", max(0, width))


def line_width(line: Line) -> int:
    """Return the columns that a line takes."""
    return sum(piece.width for piece in line)


def changed_spans(old: Line, new: Line) -> list[tuple[int, int]]:
    """Return the columns that differ, as (first, count), neighbours joined.

    >>> changed_spans((cell("ab"), cell("12s")), (cell("ab"), cell("13s")))
    [(2, 3)]
    """
    if old == new:
        return []
    spans: list[tuple[int, int]] = []
    x = 0
    for before, after in zip(old, new, strict=False):
        if before.width != after.width:
            break
        if before != after and after.width:
            if spans and sum(spans[-1]) == x:
                spans[-1] = (spans[-1][0], spans[-1][1] + after.width)
            else:
                spans.append((x, after.width))
        x += after.width
    else:
        if len(old) == len(new):
            return spans
    end = max(line_width(old), line_width(new))
    if end > x:
        spans.append((x, end - x))
    return spans


def folded(data: str | bytes, width: int, most: int = 3, limit: int = 4096) -> list[str]:
    """Fold text at blanks over at most ``most`` lines; the last one is cut if it must be.

    A word that is wider than a line is broken where the line ends. At most ``limit`` characters
    are shown.

    >>> folded("open until 14:39, in 7m", 12)
    ['open until', '14:39, in 7m']
    >>> folded("abcdefgh i", 4)
    ['abcd', 'efgh', 'i']
    """
    lines: list[str] = []
    for word in visible(data, limit).split(" "):
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines.extend(chop_cells(word, width) or [""])
    if len(lines) > most:
        lines[most - 1 :] = [" ".join(lines[most - 1 : most + 1])]
    return [line if cell_len(line) <= width else fit(line, width).text for line in lines]
