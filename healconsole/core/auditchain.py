"""The chain of the audit log: an event carries the hash of the one before it, and its own.

What is hashed and what a reader may conclude: docs/contract.md, "The chain".
"""

from __future__ import annotations

from typing import Final

import orjson

from healconsole.core.frozen import Frozen
from healconsole.core.pattern import pattern

HASH_DIGITS: Final = 32
"""Hex digits of a hash: the first 128 bits of a SHA-256."""

TRAILER: Final = len(',"hash":""}') + HASH_DIGITS
"""Bytes in which a line with a link ends, newline left out."""

LINK_ROOM: Final = len(',"prev":"","hash":""') + 2 * HASH_DIGITS
"""Bytes by which a link makes a line longer, at most."""

_DIGITS: Final = b"0123456789abcdef"
_TRAILER: Final = pattern(rb',"hash":"([0-9a-f]{32})"\}\n?\Z')
_TRAILERS: Final = pattern(rb',"hash":"([0-9a-f]{32})"\}(?:\n|\Z)')
_PREV: Final = pattern(rb',"prev":"([0-9a-f]{32}|)"\Z')
_OURS: Final = b'{"v":'


class Link(Frozen):
    """What the end of a line says of its place in the chain."""

    prev: str
    """Hash of the event before it; empty where a chain starts."""
    hash: str
    """Its own hash, as the line has it."""
    holds: bool
    """Its own hash is that of its bytes."""


def linked(line: bytes, prev: str) -> bytes:
    r"""Return the event ``line`` (newline included) with its link to the event of hash ``prev``.

    >>> linked(b'{"v":1}\n', "")[:18]
    b'{"v":1,"prev":"","'
    """
    body = line.removesuffix(b"}\n") + b',"prev":"' + prev.encode() + b'"'
    return body + b',"hash":"' + _digest(body).encode() + b'"}\n'


def read_link(line: bytes) -> Link | None:
    r"""Return the link in which ``line`` ends; None if it has none.

    >>> read_link(linked(b'{"v":1}\n', "")).holds
    True
    >>> read_link(b'{"v":1}\n') is None
    True
    """
    found = _TRAILER.search(line, max(0, len(line) - TRAILER - 1))
    if found is None:
        return None
    body = line[: found.start()]
    prev = _PREV.search(body, max(0, len(body) - LINK_ROOM))
    own = found[1].decode()
    return Link(
        prev=prev[1].decode() if prev else "",
        hash=own,
        holds=prev is not None and own == _digest(body),
    )


def last_hash(data: bytes) -> str:
    """The hash of the last line in ``data`` that has a link, whether it holds; else empty.

    What is behind the last newline counts as a line: its writer died before the newline,
    which the next writer makes up for.
    """
    found = ""
    for match in _TRAILERS.finditer(data):
        found = match[1].decode()
    return found


def should_be_linked(line: bytes) -> bool:
    r"""Whether ``line``, which has no link, looks like an event of ours that has lost it.

    A line of which its writer, dying, wrote only the beginning does not: it ends before the
    link, so nothing in its last bytes is close to one.

    >>> should_be_linked(b'{"v":1,"outcome":"success"}\n')
    True
    >>> should_be_linked(b'{"v":1,"outcome":"succ\n'), should_be_linked(b'{"ts":"x"}\n')
    (False, False)
    """
    if not line.startswith(_OURS):
        return False
    text = line.rstrip(b"\n")
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return any(_nearly_a_trailer(end) for end in (text, text[:-1]))
    return True


def is_link_in_two(first: bytes, second: bytes) -> bool:
    r"""Whether a byte in the link of an event of ours was made a newline, which gave two lines.

    >>> line = linked(b'{"v":1}\n', "")
    >>> is_link_in_two(line[:-20] + b"\n", line[-19:])
    True
    >>> is_link_in_two(line[:-20] + b"\n", line)
    False
    """
    whole = first + second.rstrip(b"\n")
    return (
        first.startswith(_OURS) and len(first) > len(whole) - TRAILER and _nearly_a_trailer(whole)
    )


def _nearly_a_trailer(text: bytes) -> bool:
    """Whether at most two bytes keep the end of ``text`` from being a trailer."""
    end = text[-TRAILER:]
    frame = b',"hash":"' + b"?" * HASH_DIGITS + b'"}'
    if len(end) < TRAILER:
        return False
    wrong = sum(
        byte not in _DIGITS if wanted == ord("?") else byte != wanted
        for byte, wanted in zip(end, frame, strict=True)
    )
    return wrong <= 2


def _digest(body: bytes) -> str:
    from hashlib import sha256  # loads a crypto library; a look computes no hash

    return sha256(body).hexdigest()[:HASH_DIGITS]
