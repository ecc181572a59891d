"""Numbers as state files spell them, parsed strictly and written canonically.

A number that bash could read differently from Python (``08``, ``1e3``, ``+1``, digits of
other scripts) is refused, so that both languages see the same value or none at all.
"""

from __future__ import annotations

from healconsole.core.pattern import pattern
from healconsole.core.records import MICRO, Corrupt

STATE_FILE_LIMIT = 4096
"""Bytes that a state file of one line may have; more is corrupt."""

EPOCH = r"(0|[1-9][0-9]{0,10})"
COUNT = r"(0|[1-9][0-9]{0,5})"
POSITIVE = r"([1-9][0-9]{0,5})"
SECONDS = r"(0|[1-9][0-9]{0,8})"
DECIMAL = r"((?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,18})?)"
BLANKS = r"[ \t]+"
"""Patterns of ``docs/contract.md`` ("Strict patterns"), each with one group."""

MAX_EPOCH = 99_999_999_999
MAX_COUNT = 999_999
MAX_SECONDS = 999_999_999
MAX_MICRO = 999_999_999_999

_EPOCH = pattern(EPOCH)
_COUNT = pattern(COUNT)
_DECIMAL = pattern(DECIMAL)


class FieldError(ValueError):
    """A field does not match its pattern."""


def parse_epoch(text: str) -> int:
    """Parse whole seconds since the Unix epoch.

    Raises:
        FieldError: the text is no such number.

    >>> parse_epoch("1764000000")
    1764000000
    >>> parse_epoch("08")
    Traceback (most recent call last):
    healconsole.core.fields.FieldError: not whole epoch seconds: '08'
    """
    if not _EPOCH.fullmatch(text):
        raise FieldError(f"not whole epoch seconds: {text!r}")
    return int(text)


def parse_count(text: str) -> int:
    """Parse a count of at most six digits.

    Raises:
        FieldError: the text is no such number.

    >>> parse_count("3")
    3
    """
    if not _COUNT.fullmatch(text):
        raise FieldError(f"not a count of at most six digits: {text!r}")
    return int(text)


def parse_micro(text: str) -> int:
    """Parse a decimal into whole millionths; digits after the sixth are cut, not rounded.

    Raises:
        FieldError: the text is no such number.

    >>> parse_micro("2.9833"), parse_micro("0.0000019"), parse_micro("3")
    (2983300, 1, 3000000)
    """
    if not _DECIMAL.fullmatch(text):
        raise FieldError(f"not a decimal: {text!r}")
    return micro(text)


def micro(text: str) -> int:
    """Convert a decimal that is known to match ``DECIMAL`` into whole millionths.

    >>> micro("0.0167")
    16700
    """
    whole, _, fraction = text.partition(".")
    return int(whole) * MICRO + int(fraction[:6].ljust(6, "0"))


def format_micro(value: int) -> str:
    """Write millionths as the canonical decimal, always with six places.

    Raises:
        FieldError: the number has no canonical form (negative, or too large).

    >>> format_micro(2_000_000), format_micro(16_700)
    ('2.000000', '0.016700')
    """
    if not 0 <= value <= MAX_MICRO:
        raise FieldError(f"not a number of tokens: {value!r} millionths")
    return f"{value // MICRO}.{value % MICRO:06d}"


def line_of(raw: bytes, path: str) -> str | Corrupt:
    """Take the one line that a small state file may hold, without its newline.

    ``path`` names the file in the answer if there is no such line. What is not ASCII
    comes back as characters that match no pattern, never as an error.

    >>> line_of(b"1764000000 2.5\\n", "rate/x")
    '1764000000 2.5'
    >>> line_of(b"", "rate/x").why
    'empty'
    """
    if not raw:
        return Corrupt(path, "empty")
    if len(raw) > STATE_FILE_LIMIT:
        return Corrupt(path, f"larger than {STATE_FILE_LIMIT} bytes", raw[:64])
    text = raw.decode("latin-1")
    return text[:-1] if text[-1] == "\n" else text


def mismatch(raw: bytes, path: str) -> Corrupt:
    """Say that a file does not match its format, with a sample of what it holds."""
    return Corrupt(path, "does not match its format", raw[:64])
