"""What is said of something that cannot be read, with why; each thing once."""

from __future__ import annotations

from typing import Final

_WORDS: Final = "cannot be read"


def unread(what: str, why: str) -> str:
    """Return that ``what`` cannot be read, where ``why`` may say so itself, of all or of a part.

    >>> unread("h", "the directory is gone")
    'h cannot be read: the directory is gone'
    >>> unread("h", "cannot be read (permission denied)")
    'h cannot be read (permission denied)'
    >>> unread("h", "cb: cannot be read (permission denied)")
    'h: cb: cannot be read (permission denied)'
    """
    if why.startswith(_WORDS):
        return f"{what} {why}"
    return f"{what}: {why}" if _WORDS in why else f"{what} {_WORDS}: {why}"
