"""Names for markers that carry none.

A legacy marker is an empty file whose name is a hash. The intents seen in the audit log,
hashed with the numbers of the time windows that count, tell which one it stands for.
"""

from __future__ import annotations

from collections.abc import Iterable

from healconsole.core.intent import bucket_number, marker_key


def name_markers(
    keys: Iterable[str], intents: Iterable[str], now: float, bucket: int, spans: int
) -> dict[str, str]:
    """Return the intent of each marker that can be named; the others are not in it.

    Args:
        keys: names of marker files.
        intents: candidates, likeliest first.
        now: epoch seconds.
        bucket: seconds of one window.
        spans: how many windows to look back, beside the one that `now` lies in.

    One hash for each intent and window, and none once all keys are named.

    >>> key = marker_key("flush queue=a", bucket_number(1764000000, 300) - 2)
    >>> name_markers([key], ["flush queue=b", "flush queue=a"], 1764000000, 300, spans=3)[key]
    'flush queue=a'
    """
    unnamed = set(keys)
    named: dict[str, str] = {}
    candidates = [intent for intent in dict.fromkeys(intents) if _has_key(intent)]
    newest = bucket_number(now, bucket)
    # The next window too: a success moves its marker to the end of the action, and the
    # clock of the reader may be behind by a moment.
    for n in range(newest + 1, newest - spans - 1, -1):
        for intent in candidates:
            if not unnamed:
                return named
            key = marker_key(intent, n)
            if key in unnamed:
                unnamed.remove(key)
                named[key] = intent
    return named


def _has_key(intent: str) -> bool:
    """Whether the text is one that can be hashed: no lone surrogates."""
    try:
        intent.encode()
    except UnicodeEncodeError:
        return False
    return True
