"""HTML built so that what comes from outside cannot become markup."""

from __future__ import annotations

from html import escape
from typing import Final

from healconsole.core.text import visible

LIMIT: Final = 600
"""Characters shown of one text from outside."""

_VOID: Final = frozenset({"meta", "rect", "line", "path"})


class Markup(str):
    """Text that is markup already. Only ``tag`` and this room's own constants make it."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | float) -> Markup:
    """Return one element. A child that is no ``Markup`` is text, as is every attribute.

    An attribute's trailing ``_`` is dropped, other ``_`` become ``-``.

    >>> tag("td", "<b>", class_="n", stroke_width=2)
    '<td class="n" stroke-width="2">&lt;b&gt;</td>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(_number(value))}"'
        for key, value in attributes.items()
    )
    inside = joined(*children)
    if name in _VOID and not inside:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{inside}</{name}>")


def joined(*children: str) -> Markup:
    """Return elements and texts one after the other."""
    return Markup("".join(it if isinstance(it, Markup) else _text(it) for it in children))


def _text(data: str) -> str:
    return escape(visible(data, LIMIT), quote=True) if data else ""


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
