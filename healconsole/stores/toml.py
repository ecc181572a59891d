"""TOML from bytes, with an error that names the line."""

from __future__ import annotations

from typing import Any


def parse_toml(raw: bytes) -> dict[str, Any]:
    """The document in ``raw``.

    Raises:
        ValueError: it is none; one sentence with the line.

    >>> parse_toml(b"a = 1")
    {'a': 1}
    >>> parse_toml(b"# x" + bytes([10]) + b"a = [")
    Traceback (most recent call last):
    ValueError: Invalid value (at line 2, the last one)
    """
    import tomllib  # most hosts have no file for it

    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(f"not UTF-8 (at line {line})") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        last = max(len(text.splitlines()), 1)
        why = str(error).replace("(at end of document)", f"(at line {last}, the last one)")
        raise ValueError(why) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
