"""``heal:halt``: an operator's stop for the whole fleet."""

from __future__ import annotations

import re
from dataclasses import dataclass

from healconsole.core.fields import EPOCH
from healconsole.core.records import Corrupt

_HALT = re.compile(rf"{EPOCH} {EPOCH} ([A-Za-z0-9._@-]{{1,64}}) (.{{1,1024}})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class HaltRecord:
    """Who stopped the fleet, why, and until when (epoch seconds; 0 = no end)."""

    since: int
    until: int
    operator: str
    reason: str


def parse_halt(text: str) -> HaltRecord | Corrupt:
    """Parse ``<since> <until or 0> <operator> <reason>``.

    >>> parse_halt("1764000000 0 ana deploy 5121 went wrong").reason
    'deploy 5121 went wrong'
    >>> parse_halt("stop").why
    'does not match its format'
    """
    match = _HALT.fullmatch(text)
    if match is None:
        sample = text.encode("utf-8", "surrogateescape")[:64]
        return Corrupt("heal:halt", "does not match its format", sample)
    since, until, operator, reason = match.groups()
    return HaltRecord(int(since), int(until), operator, reason)


def halted(halt: HaltRecord | Corrupt | None, now: float) -> str:
    """Why the fleet is halted at ``now``; empty if it is not. A corrupt halt still halts.

    >>> halted(HaltRecord(1764000000, 1764000600, "ana", "deploy"), 1764000001)
    'deploy (ana)'
    >>> halted(HaltRecord(1764000000, 1764000600, "ana", "deploy"), 1764000600)
    ''
    """
    if halt is None:
        return ""
    if isinstance(halt, Corrupt):
        return f"{halt.path} is corrupt: {halt.why}"
    if halt.until and now >= halt.until:
        return ""
    return f"{halt.reason} ({halt.operator})"
