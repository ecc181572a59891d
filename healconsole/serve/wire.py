"""What a browser may tell the server: the size of its window, and that it lives.

The client is the terminal page of textual-serve. Its messages are JSON arrays whose first
item names their kind; keys, mouse and pasted text come as ``["stdin", TEXT]``. What is not
listed here is dropped.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

COLUMNS: Final = (20, 400)
ROWS: Final = (5, 120)
"""Least and most of a window; one of a million rows would cost its server that memory."""
_PING_LIMIT: Final = 32


class Size(NamedTuple):
    """A window, in cells, already clamped."""

    columns: int
    rows: int


class Ping(NamedTuple):
    """A sign of life, to be answered with the same text."""

    text: str


def size(columns: object, rows: object) -> Size | None:
    """The window that is meant, clamped; None if these are no numbers.

    >>> size("1000000", "1")
    Size(columns=400, rows=5)
    >>> size(80, "x") is None
    True
    """
    wide, high = _number(columns), _number(rows)
    if wide is None or high is None:
        return None
    return Size(_clamp(wide, COLUMNS), _clamp(high, ROWS))


def read(message: str) -> Size | Ping | None:
    """What ``message`` asks for; None for keys, for pasted text, and for what is no message.

    >>> read('["resize",{"width":100,"height":30}]')
    Size(columns=100, rows=30)
    >>> read('["stdin","t"]') is None
    True
    """
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return None
    match said:
        case ["resize", {"width": columns, "height": rows}]:
            return size(columns, rows)
        case ["ping", str(text)] if len(text) <= _PING_LIMIT:
            return Ping(text)
    return None


def pong(ping: Ping) -> str:
    """The answer to a sign of life."""
    return json.dumps(["pong", ping.text])


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9:
        return int(value)
    return value if type(value) is int else None


def _clamp(value: int, limits: tuple[int, int]) -> int:
    least, most = limits
    return max(least, min(value, most))
