"""Text from outside, made displayable.

Whatever came from a file, from Redis or from a child process is data: it is kept exact in
the records, and passes through `visible` at the edge of being shown. Nothing that a terminal
could obey, reorder or hide survives it.
"""

# ruff: noqa: RUF001, RUF002 - the stand-ins are set in angle quotes, which data rarely holds

from __future__ import annotations

import codecs
import unicodedata

from healconsole.core.pattern import pattern

DISPLAY_LIMIT = 4096
"""Characters shown of one text unless told otherwise."""

MARKS_PER_BASE = 4
"""Combining marks kept on one base character; more are counted, not stacked."""

_CUT = "…"
_DOTTED_CIRCLE = "\u25cc"
_CACHE_LIMIT = 20_000
_LAST_C0 = 0x1F
_DEL = 0x7F
_PRESENTATION = frozenset({0xFE0E, 0xFE0F})

# Printable to Python (letters, marks, symbols by category) and yet blank on a screen.
_BLANK = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0}
    | set(range(0x180B, 0x1810))
    | set(range(0xFE00, 0xFE10))
    | set(range(0xE0000, 0xE1000))
)
_IDEOGRAPHIC_SPACE = 0x3000  # as wide as a letter, and the ordinary space of its scripts

_NAMED = {0x09: " ", 0x0A: "⏎", _DEL: "␡"}

# Vowels and finals of Hangul join the letter before them and take no cell of their own.
_JOINING = pattern("[\u1160-\u11ff\ud7b0-\ud7fb]")


_SURROGATE = pattern("[\ud800-\udfff]")


def _is_unsafe(code: int) -> bool:
    # isprintable() is False for controls, formats, surrogates, private-use and unassigned
    # characters, line and paragraph separators, and every space but U+0020.
    if code in _BLANK:
        return True
    return not chr(code).isprintable() and code != _IDEOGRAPHIC_SPACE


def _stand_in(code: int) -> str:
    """The visible stand-in of one unsafe character."""
    if code in _NAMED:
        return _NAMED[code]
    if code <= _LAST_C0:
        return chr(0x2400 + code)
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte that is not UTF-8
        return f"‹{code - 0xDC00:02x}›"
    return f"‹U+{code:04X}›"


def _kept(code: int) -> str:
    """What the last filter leaves of one character: never a different number of cells."""
    if not _is_unsafe(code):
        return chr(code)
    category = unicodedata.category(chr(code))
    if category == "Zs":
        return " "
    return "\ufffd" if category in {"Cs", "Co", "Cn"} and code not in _BLANK else ""


class _StandIns(dict[int, str]):
    """Translation table that learns characters as they come, up to a bound."""

    def __missing__(self, code: int) -> str:
        shown = _stand_in(code) if _is_unsafe(code) else chr(code)
        if len(self) < _CACHE_LIMIT:
            self[code] = shown
        return shown


class _Removals(dict[int, str]):
    """Translation table that takes unsafe characters away."""

    def __missing__(self, code: int) -> str:
        kept = _kept(code)
        if len(self) < _CACHE_LIMIT:
            self[code] = kept
        return kept


_STAND_INS = _StandIns()
_REMOVALS = _Removals()


def visible(data: str | bytes, limit: int = DISPLAY_LIMIT) -> str:
    r"""Return `data` as one line of printable text of at most `limit` characters.

    Control characters become their pictures, other invisible or reordering characters and
    bytes that are not UTF-8 become ``‹…›``, a newline ``⏎``, a tab a space. Marks beyond the
    fourth on one base are counted, not stacked. What is longer is cut and ends in ``…``.

    >>> visible("queue_depth=12450")
    'queue_depth=12450'
    >>> visible("a\x1b[31mred\nb")
    'a␛[31mred⏎b'
    >>> visible(b"ok \xff \xe2\x80\xae")
    'ok ‹ff› ‹U+202E›'
    >>> visible("abcdef", limit=4)
    'abc…'

    Raises:
        ValueError: `limit` is under 1.
    """
    if limit < 1:
        raise ValueError("limit must be at least 1")
    text, cut = _taken(data, limit)
    if not (text.isascii() and text.isprintable()):
        text = _shown(text)
    if cut or len(text) > limit:
        return text[: limit - 1] + _CUT
    return text


def strip_unsafe(text: str) -> str:
    r"""Return `text` without any character that a terminal could obey, reorder or hide.

    The last filter before a line leaves for the terminal. Data has been through `visible`
    by then, so this changes nothing unless somebody forgot to.

    >>> strip_unsafe("a\x1b[31mb\u202ec")
    'a[31mbc'
    """
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_REMOVALS)


def encodable(text: str) -> str:
    r"""Return `text` with its lone surrogates shown: neither UTF-8 nor JSON can carry them.

    >>> encodable("caf\udce9")
    'caf‹e9›'
    """
    return _SURROGATE.sub(lambda match: _stand_in(ord(match[0])), text)


def _taken(data: str | bytes, limit: int) -> tuple[str, bool]:
    """As much of `data` as can matter for `limit` characters, and whether that is not all."""
    if isinstance(data, str):
        return data[:limit], len(data) > limit
    head = data[: 4 * limit]
    whole = len(head) == len(data)
    # A character that the slice cut in two is not a broken byte: it waits for the rest.
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head, final=whole)
    return text[:limit], not whole or len(text) > limit


def _shown(text: str) -> str:
    if not any(_is_extending(char) for char in _beyond_latin(text)):
        return text.translate(_STAND_INS)
    return "".join(_clusters(text))


def _beyond_latin(text: str) -> set[str]:
    return {char for char in set(text) if char >= "\u0300"}


def _is_extending(char: str) -> bool:
    return unicodedata.category(char)[0] == "M" or _JOINING.match(char) is not None


def _clusters(text: str) -> list[str]:
    """The pieces of `text` as shown, with what piles up on one base bounded."""
    pieces: list[str] = []
    base = ""
    stacked = 0
    for char in text:
        code = ord(char)
        if code in _PRESENTATION and stacked == 0 and _is_symbol(base):
            # Only chooses between the text and the emoji form of a symbol. Terminals disagree
            # on the width that it leads to, so the symbol is shown in its own.
            base = ""
        elif code not in _BLANK and _is_extending(char):
            stacked += 1
            if stacked == 1 and not base:
                pieces.append(_DOTTED_CIRCLE)
            if stacked <= MARKS_PER_BASE:
                pieces.append(char)
        else:
            pieces.extend(_surplus(stacked))
            shown = _STAND_INS[code]
            pieces.append(shown)
            base = char if shown == char and char != " " else ""
            stacked = 0
    pieces.extend(_surplus(stacked))
    return pieces


def _surplus(stacked: int) -> tuple[str, ...]:
    return (f"‹+{stacked - MARKS_PER_BASE}›",) if stacked > MARKS_PER_BASE else ()


def _is_symbol(char: str) -> bool:
    return char != "" and (char in "#*0123456789" or unicodedata.category(char)[0] == "S")
