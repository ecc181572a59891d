"""Idempotency markers: that an intent was acted on, and when it may be again."""

from __future__ import annotations

import orjson

from healconsole.core.fields import MAX_EPOCH, STATE_FILE_LIMIT, mismatch
from healconsole.core.records import Corrupt, MarkerRecord

MAX_PID = 10**18 - 1
"""More digits than bash can tell from an overflow."""

_KEYS = ("intent", "scope", "at", "pid", "outcome")


def parse_marker(raw: bytes, key: str, mtime: int, folder: str = "keys") -> MarkerRecord | Corrupt:
    """Read a marker: our one line of JSON, or an empty file of the legacy library.

    Only the canonical form is taken, because bash compares it with one pattern. ``folder``
    is where it was found: ``keys``, or ``dry/keys``.

    >>> parse_marker(b"", "ab12", mtime=1764000000).legacy
    True
    >>> parse_marker(b"{}", "ab12", mtime=1764000000).why
    'does not match its format'
    """
    if not raw:
        return MarkerRecord(key, mtime)
    path = f"{folder}/{key}"
    if len(raw) > STATE_FILE_LIMIT:
        return Corrupt(path, f"larger than {STATE_FILE_LIMIT} bytes", raw[:64])
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return mismatch(raw, path)
    if not isinstance(found, dict) or tuple(found) != _KEYS:
        return mismatch(raw, path)
    intent, scope, at, pid, outcome = found.values()
    if (
        type(intent) is str
        and type(scope) is str
        and type(at) is int
        and 0 <= at <= MAX_EPOCH
        and type(pid) is int
        and 0 <= pid <= MAX_PID
        and type(outcome) is str
        and "\0" not in intent + scope + outcome  # which bash could not hold
    ):
        record = MarkerRecord(key, at, intent, scope, pid, outcome)
        if format_marker(record) == (raw if raw[-1] == 0x0A else raw + b"\n"):
            return record
    return mismatch(raw, path)


def format_marker(rec: MarkerRecord) -> bytes:
    """Write a marker in canonical form; a legacy one is empty.

    >>> format_marker(MarkerRecord("ab", 1764000000, "stop x", "stop", 7, "started"))
    b'{"intent":"stop x","scope":"stop","at":1764000000,"pid":7,"outcome":"started"}\\n'
    """
    if rec.legacy:
        return b""
    values = (rec.intent, rec.scope, rec.at, rec.pid, rec.outcome)
    return orjson.dumps(dict(zip(_KEYS, values, strict=True)), option=orjson.OPT_APPEND_NEWLINE)


def denies_until(at: int, n: int, bucket: int) -> int:
    """Tell when a marker of window ``n`` stops denying.

    ``at`` earlier than its window (a copied file) counts as the window's begin; and two
    windows later nobody looks at the key any more, whatever ``at`` says.

    >>> denies_until(at=1764000299, n=5880000, bucket=300)
    1764000599
    """
    return min(max(at, n * bucket) + bucket, (n + 2) * bucket)
