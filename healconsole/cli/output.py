"""Lines for people and objects for programs.

Text with data in it becomes displayable here and nowhere earlier: ``show`` for people goes
through ``core.text.visible``; ``emit_json`` keeps strings exact and escapes what a terminal
would obey.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from healconsole.core.pattern import pattern
from healconsole.core.text import visible

PLAIN_WIDTH: Final = 80
"""Columns of a terminal that does not tell its width."""

_SGR: Final = {"bad": "31", "warn": "33", "good": "32", "dim": "2", "head": "1"}
_OBEYED_BY_TERMINALS: Final = pattern(
    "[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def colour_wanted() -> bool:
    """Whether standard output is a terminal that takes colour, and nobody said NO_COLOR."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") != "dumb"
    )


def paint(text: str, kind: str) -> str:
    """``text`` in the colour of ``kind`` (bad, warn, good, dim, head), or as it is."""
    code = _SGR.get(kind)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text and colour_wanted() else text


def width() -> int | None:
    """Columns to keep to; None where the output is not a terminal and nothing need be cut."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns


def shortened(text: str, limit: int | None) -> str:
    """``text`` in at most ``limit`` characters, the cut marked; None = as it is.

    >>> shortened("worker-queue-healer", 8)
    'worker-…'
    """
    return text if limit is None or len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def show(line: str = "", *, at_once: bool = False) -> None:
    """Write one line whose data has been through ``visible`` already.

    ``at_once`` is for what somebody watches as it happens, through a pipe too.
    """
    sys.stdout.write(f"{line}\n")
    if at_once:
        sys.stdout.flush()


def complain(message: str) -> None:
    """Write ``message`` to standard error, made displayable, behind the program's name."""
    sys.stdout.flush()  # what was said before comes first
    lines = [visible(line) for line in message.splitlines() or [""]]
    sys.stderr.write("healconsole: " + "\n  ".join(lines) + "\n")
    sys.stderr.flush()


def to_json(value: object) -> str:
    r"""``value`` as JSON whose strings are exact and which no terminal obeys.

    >>> to_json({"scope": "re\x9bstart", "who": "Zoë"})
    '{"scope":"re\\u009bstart","who":"Zoë"}'
    """
    import json

    return escape_json(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def escape_json(text: str) -> str:
    """Escape, in JSON text, characters that terminals obey; they occur within strings only.

    A lone surrogate stands for a byte that is not UTF-8, and becomes U+FFFD: JSON has no bytes.
    """
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _OBEYED_BY_TERMINALS.sub(lambda found: f"\\u{ord(found[0]):04x}", whole)


def emit_json(value: object) -> None:
    """Write ``value`` as one line of JSON, in UTF-8 whatever the locale."""
    write_utf8(to_json(value) + "\n")


def write_utf8(text: str) -> None:
    """Write ``text`` in UTF-8 whatever the locale."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.buffer.flush()


def table(
    header: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: frozenset[int]
) -> list[str]:
    """Align ``rows`` under ``header``; columns in ``right`` end at the right.

    >>> table(("KEY", "TTL"), [("a", "5s"), ("bcde", "1h")], frozenset({1}))
    ['KEY   TTL', 'a      5s', 'bcde   1h']
    """
    sizes = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    lines = []
    for row in (header, *rows):
        cells = (
            cell.rjust(size) if place in right else cell.ljust(size)
            for place, (cell, size) in enumerate(zip(row, sizes, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return lines
