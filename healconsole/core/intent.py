"""Intents, and the keys of their idempotency markers."""

from __future__ import annotations

import math
from functools import lru_cache

from healconsole.core.pattern import pattern
from healconsole.core.verdict import Intent

MAX_INTENT_BYTES = 1024

# C0, DEL and C1. Other white space than U+0020 is either among them or an ordinary
# character: what bash calls a space depends on its locale, a byte does not.
_CONTROL = pattern("[\x00-\x1f\x7f-\x9f]")


class InvalidIntent(ValueError):  # noqa: N818 - says what it is about: the intent
    """The text cannot be an intent; the message says why and is safe to show."""


def parse_intent(text: str, scope: str | None = None) -> Intent:
    """Check an intent and find its scope: the given one, else its VERB.

    Raises:
        InvalidIntent: text or scope is empty, longer than 1,024 bytes, not valid UTF-8,
            holds a control character, or begins or ends with a space.

    >>> parse_intent("restart_worker pid=12345")
    Intent(text='restart_worker pid=12345', scope='restart_worker')
    >>> parse_intent("restart_worker pid=1", scope="queue-a").scope
    'queue-a'
    >>> parse_intent("rm\\n-rf")
    Traceback (most recent call last):
    healconsole.core.intent.InvalidIntent: intent holds the control character U+000A
    """
    _check("intent", text)
    if scope is None:
        return Intent(text, text.partition(" ")[0])
    _check("scope", scope)
    return Intent(text, scope)


def _check(what: str, text: str) -> None:
    if not text:
        raise InvalidIntent(f"{what} is empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidIntent(f"{what} is not valid UTF-8") from None
    if size > MAX_INTENT_BYTES:
        raise InvalidIntent(f"{what} is {size} bytes long, more than {MAX_INTENT_BYTES}")
    control = _CONTROL.search(text)
    if control:
        raise InvalidIntent(f"{what} holds the control character U+{ord(control[0]):04X}")
    if text[0] == " " or text[-1] == " ":
        raise InvalidIntent(f"{what} begins or ends with a space")


def bucket_number(now: float, bucket: int) -> int:
    """Number the time window of ``bucket`` seconds in which ``now`` lies.

    >>> bucket_number(1764000299.9, 300) - bucket_number(1764000000, 300)
    0
    """
    return math.floor(now) // bucket


@lru_cache(256)
def marker_key(intent_text: str, n: int) -> str:
    """Name the marker file of an intent in window ``n``: a SHA-256 in lower-case hex.

    >>> marker_key("restart_worker pid=12345", 5880000)[:16]
    '650c6c071a55284f'
    """
    from hashlib import sha256  # loads a crypto library; a look computes no hash

    return sha256(f"{intent_text}.{n}".encode()).hexdigest()
