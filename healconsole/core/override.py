"""An operator's word to a whole healer: ``hold`` and ``dry-run``."""

from __future__ import annotations

from healconsole.core.fields import BLANKS, EPOCH, line_of, mismatch
from healconsole.core.pattern import pattern
from healconsole.core.records import Corrupt, OverrideRecord

OPERATOR = r"([A-Za-z0-9._@-]{1,64})"

_LINE = pattern(f"(on|off){BLANKS}{EPOCH}{BLANKS}{EPOCH}{BLANKS}{OPERATOR}")
_OPERATOR = pattern(OPERATOR)


def parse_override(raw: bytes, path: str) -> OverrideRecord | Corrupt:
    """Read ``<on or off> <since> <until or 0> <operator>``.

    >>> parse_override(b"on 1764000000 0 ana\\n", "hold")
    OverrideRecord(on=True, since=1764000000, until=0, operator='ana')
    """
    line = line_of(raw, path)
    if isinstance(line, Corrupt):
        return line
    found = _LINE.fullmatch(line)
    if not found:
        return mismatch(raw, path)
    word, since, until, operator = found.groups()
    return OverrideRecord(word == "on", int(since), int(until), operator)


def format_override(rec: OverrideRecord) -> bytes:
    """Write an override in canonical form.

    Raises:
        ValueError: the operator's name does not fit the format.

    >>> format_override(OverrideRecord(True, 1764000000, 0, "ana"))
    b'on 1764000000 0 ana\\n'
    """
    if not _OPERATOR.fullmatch(rec.operator):
        raise ValueError(f"not the name of an operator: {rec.operator!r}")
    return f"{'on' if rec.on else 'off'} {rec.since} {rec.until} {rec.operator}\n".encode()


def in_force(rec: OverrideRecord | None, now: float) -> OverrideRecord | None:
    """Return the override unless it has ended. One that says ``off`` is in force as well.

    >>> in_force(OverrideRecord(True, 0, 100, "ana"), now=100) is None
    True
    """
    if rec is None or (rec.until and rec.until <= now):
        return None
    return rec
