"""Parts that pages are put together from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from healconsole.report.html import Markup, joined, tag

MOST_ROWS: Final = 100
"""Rows of one table; the rest is counted, and told in the JSON."""


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Collection[int] = (),
    keep: Collection[int] = (),
) -> Markup:
    """A table; figures in the columns `right`, no line breaks in the columns `keep`."""

    def style(place: int) -> str:
        return "n" if place in right else "keep" if place in keep else ""

    def cell(name: str, place: int, text: str) -> Markup:
        found = style(place)
        return tag(name, text, class_=found) if found else tag(name, text)

    head = tag("tr", *(cell("th", place, text) for place, text in enumerate(header)))
    body = [
        tag("tr", *(cell("td", place, text) for place, text in enumerate(row)))
        for row in rows[:MOST_ROWS]
    ]
    return joined(
        tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll"),
        more(len(rows) - MOST_ROWS),
    )


def more(number: int) -> Markup:
    """Says how many rows are not shown; nothing if all are."""
    if number <= 0:
        return Markup("")
    return tag("p", f"And {number:,} more; the JSON has them all.", class_="soft")


def tiles(items: Iterable[tuple[str, str, str]]) -> Markup:
    """Figures to be seen at once: what, how much, and what to know of it."""
    return tag(
        "dl",
        *(
            tag("div", tag("dt", what), tag("dd", figure, tag("small", said) if said else ""))
            for what, figure, said in items
        ),
        class_="tiles",
    )
