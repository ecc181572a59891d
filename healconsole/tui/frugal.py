"""Sends the terminal only what differs from what it shows already.

Textual repaints whole stretches of a line, with colours and reset around each segment: one new
line in a scrolling log costs several kilobytes. Here every update is compared, cell by cell, with
what was sent before, so the same line costs the characters that changed. That is what makes the
console pleasant over a slow link, whichever widget draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress, count, repeat
from operator import ne
from typing import NamedTuple, cast

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from healconsole.tui.spans import SpansUpdate

_MERGE_GAP = 6
"""Unchanged cells between two changed ones that are sent again: to move costs as much."""

_UNKNOWN = ("unknown", None)
"""A column that may show anything; no column has such a text."""

_STRIPS_KEPT = 128
"""Strips whose cells are kept: lines that scroll come again, in another row."""


class Sgr(NamedTuple):
    """A style as the parameters of one escape sequence, in its three parts."""

    attributes: str
    foreground: str
    background: str

    def after(self, last: Sgr | None) -> str:
        """Return the sequence that leads from the style ``last`` to this one."""
        if self == last:
            return ""
        if last is None or (last.attributes and last.attributes != self.attributes):
            parts = ["0", *self]
        else:
            parts = [new for new, old in zip(self, last, strict=True) if new != old]
            if "" in parts:  # what was set must go, and only a reset takes it away
                parts = ["0", *self]
        return f"\x1b[{';'.join(part for part in parts if part)}m"


Painted = tuple[str, Sgr | None]
"""One column: its text (empty for the second half of a wide character) and its style."""


class Terminal:
    """What the terminal shows, as far as we sent it."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Painted]] = {}
        self._styles: dict[Style, Sgr] = {}
        self._interned: dict[Sgr, Sgr] = {}
        self._last: Sgr | None = None
        self._ways: dict[tuple[Sgr | None, Sgr], str] = {}
        """What leads from the one style to the other."""
        self._known: dict[int, tuple[Strip, list[Painted]]] = {}
        """The cells of strips by the identity of the strip, which is kept with them."""

    def forget(self) -> None:
        """Take nothing for shown: the terminal was resized, or something else wrote to it."""
        self._rows.clear()

    def render(self, pieces: Iterable[tuple[int, int, Strip]], colors: ColorSystem) -> str:
        """Return what to send so that the strips are shown, each at its (column, row)."""
        out: list[str] = []
        self._last = None
        for x, y, strip in pieces:
            self._paint(x, y, self._cells(strip, colors), out)
        self._put_down(out)
        return "".join(out)

    def _put_down(self, out: list[str]) -> None:
        if self._last is not None:
            out.append("\x1b[0m")

    def _paint(self, x: int, y: int, new: list[Painted], out: list[str]) -> None:
        row = self._rows.setdefault(y, [])
        if len(row) < x + len(new):
            row.extend([_UNKNOWN] * (x + len(new) - len(row)))
        old = row[x : x + len(new)]
        if old == new:
            return
        row[x : x + len(new)] = new
        for start, end in _changed_runs(old, new):
            out.append(f"\x1b[{y + 1};{x + start + 1}H")
            last = self._last
            for text, style in new[start:end]:
                if style is not last and style is not None:
                    out.append(self._way(last, style))
                    last = style
                out.append(text)
            self._last = last

    def _way(self, last: Sgr | None, style: Sgr) -> str:
        known = self._ways.get((last, style))
        if known is None:
            known = self._ways[last, style] = style.after(last)
        return known

    def _cells(self, strip: Strip, colors: ColorSystem) -> list[Painted]:
        known = self._known.get(id(strip))
        if known is not None:
            return known[1]
        cells: list[Painted] = []
        for segment in strip:
            text, segment_style, control = segment
            if control:
                continue
            style = self._sgr(segment_style, colors)
            if text.isascii():
                cells.extend(zip(text, repeat(style)))
            else:
                _spread(text, style, cells)
        if len(self._known) >= _STRIPS_KEPT:
            self._known.clear()
        self._known[id(strip)] = (strip, cells)
        return cells

    def _sgr(self, style: Style | None, colors: ColorSystem) -> Sgr:
        style = style or Style.null()
        known = self._styles.get(style)
        if known is None:
            made = _sgr_of(style, colors)
            known = self._styles[style] = self._interned.setdefault(made, made)
        return known


class FrugalUpdate(CompositorUpdate):
    """One of Textual's updates, sent through a `Terminal` that knows what is shown."""

    def __init__(self, update: CompositorUpdate, terminal: Terminal) -> None:
        self._update = update
        self._terminal = terminal

    def render_segments(self, console: Console) -> str:
        """Return the raw data for the terminal."""
        colors = console._color_system or ColorSystem.TRUECOLOR
        return self._terminal.render(_pieces(self._update), colors)


def frugal(update: RenderableType | None, terminal: Terminal) -> RenderableType | None:
    """Return ``update`` so that it sends only what changed, if it is of a kind that can."""
    if isinstance(update, LayoutUpdate | ChopsUpdate | SpansUpdate):
        # Textual itself takes its updates for renderables, though they render in another way.
        return cast("RenderableType", FrugalUpdate(update, terminal))
    return update


def _pieces(update: CompositorUpdate) -> Iterator[tuple[int, int, Strip]]:
    """The strips of an update with the (column, row) at which each begins."""
    if isinstance(update, SpansUpdate):
        yield from update.pieces
    elif isinstance(update, LayoutUpdate):
        left, top, _, _ = update.region
        for y, strips in enumerate(update.strips, top):
            yield left, y, Strip.join(strips)
    elif isinstance(update, ChopsUpdate):
        for y, first, last in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is None or x > last or end <= first:
                    continue
                begin = max(x, first)
                yield begin, y, strip.crop(begin - x, min(end, last) - x)


def _changed_runs(old: list[Painted], new: list[Painted]) -> Iterator[tuple[int, int]]:
    """Stretches (first, end) that differ, near ones joined, wide characters kept whole."""
    start = end = -1
    # Hundreds of columns are compared for every key; only those that differ come by here.
    for index in compress(count(), map(ne, old, new)):
        if start < 0:
            start = index
        elif index - end > _MERGE_GAP:
            yield _whole(new, start, end)
            start = index
        end = index + 1
    if start >= 0:
        yield _whole(new, start, end)


def _whole(cells: list[Painted], start: int, end: int) -> tuple[int, int]:
    while start > 0 and not cells[start][0]:
        start -= 1
    while end < len(cells) and not cells[end][0]:
        end += 1
    return start, end


def _spread(text: str, style: Sgr, cells: list[Painted]) -> None:
    for char in text:
        width = 1 if char < "\u0300" else cell_len(char)
        if width == 0 and cells:
            cells[-1] = (cells[-1][0] + char, cells[-1][1])
        else:
            cells.append((char, style))
            if width == 2:
                cells.append(("", style))


def _sgr_of(style: Style, colors: ColorSystem) -> Sgr:
    attributes = Strip.render_ansi(style.without_color, colors)
    fg = style.color.downgrade(colors).get_ansi_codes() if style.color else ()
    bg = style.bgcolor.downgrade(colors).get_ansi_codes(foreground=False) if style.bgcolor else ()
    return Sgr(attributes, ";".join(fg), ";".join(bg))
