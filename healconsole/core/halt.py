"""An operator's stop in Redis: for the whole fleet, for one healer, or for some hosts.

``heal:halt`` holds the stop of the whole fleet; ``heal:halts`` is a hash of the others, whose
fields are ``healer:<name>`` and ``host:<pattern>``. All have one format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from healconsole.core.fields import EPOCH
from healconsole.core.frozen import Frozen
from healconsole.core.pattern import pattern
from healconsole.core.records import Corrupt

FLEET = ""
"""Target of the stop that is for everybody."""
MAX_REASON = 1_024

_HALT = pattern(rf"{EPOCH} {EPOCH} ([A-Za-z0-9._@-]{{1,64}}) (.{{1,{MAX_REASON}}})", re.DOTALL)
_TARGET = pattern(r"healer:[A-Za-z0-9][A-Za-z0-9._-]{0,63}|host:[A-Za-z0-9._*?-]{1,255}")


class HaltRecord(Frozen):
    """Who stopped whom, why, and until when (epoch seconds; 0 = no end)."""

    since: int
    until: int
    operator: str
    reason: str
    target: str = FLEET
    """Empty, ``healer:<name>`` or ``host:<pattern>``."""


class Stopped(Frozen):
    """A stop that holds one healer on one host now."""

    what: str
    """``fleet``, ``healer <name>`` or ``hosts <pattern>``."""
    why: str
    until: int = 0


def parse_halt(text: str, target: str = FLEET) -> HaltRecord | Corrupt:
    """Parse ``<since> <until or 0> <operator> <reason>``.

    >>> parse_halt("1764000000 0 ana deploy 5121 went wrong").reason
    'deploy 5121 went wrong'
    >>> parse_halt("stop").why
    'does not match its format'
    """
    match = _HALT.fullmatch(text)
    if match is None or not is_target(target):
        sample = text.encode("utf-8", "surrogateescape")[:64]
        path = f"heal:halts {target}" if target else "heal:halt"
        return Corrupt(path, "does not match its format", sample)
    since, until, operator, reason = match.groups()
    return HaltRecord(int(since), int(until), operator, reason, target)


def format_halt(halt: HaltRecord) -> str:
    """Write a stop in its one format.

    Raises:
        ValueError: a field does not fit it.

    >>> format_halt(HaltRecord(1764000000, 0, "ana", "deploy"))
    '1764000000 0 ana deploy'
    """
    text = f"{halt.since} {halt.until} {halt.operator} {halt.reason}"
    if parse_halt(text, halt.target) != halt or not halt.reason.isprintable():
        raise ValueError(f"not a halt: {text!r}")
    return text


def parse_halts(listing: str) -> tuple[HaltRecord | Corrupt, ...]:
    """Parse the lines ``<target> <record>`` that ``halts.lua`` gives.

    >>> [halt.target for halt in parse_halts("host:web* 1764000000 0 ana deploy")]
    ['host:web*']
    """
    lines = (line.partition(" ") for line in listing.split("\n") if line)
    # An empty target is the fleet's, which is not in this list.
    return tuple(parse_halt(text, target or "(nobody)") for target, _, text in lines)


def is_target(target: str) -> bool:
    """Whether a stop can be for it.

    >>> is_target("host:web-*"), is_target("host:web[0-9]"), is_target("healer:"), is_target("")
    (True, False, False, True)
    """
    return target == FLEET or _TARGET.fullmatch(target) is not None


def host_matches(host: str, pattern: str) -> bool:
    """Whether a host is one of ``pattern``, where ``*`` is any text and ``?`` one character.

    >>> host_matches("web-07", "web-*"), host_matches("web-07", "web-?"), host_matches("a", "A")
    (True, False, False)
    """
    wild = {"*": ".*", "?": "."}
    return bool(
        re.fullmatch("".join(wild.get(c) or re.escape(c) for c in pattern), host, re.DOTALL)
    )


def ended(halt: HaltRecord, now: float) -> bool:
    """Whether its time is over.

    >>> ended(HaltRecord(1764000000, 1764000600, "ana", "deploy"), 1764000600)
    True
    """
    return bool(halt.until) and now >= halt.until


def applies(halt: HaltRecord | Corrupt, healer: str, host: str) -> bool:
    """Whether a stop is for this healer on this host. One that cannot be read is for all."""
    if isinstance(halt, Corrupt) or halt.target == FLEET:
        return True
    kind, _, name = halt.target.partition(":")
    return name == healer if kind == "healer" else host_matches(host, name)


def stopped(
    halts: Iterable[HaltRecord | Corrupt | None], healer: str, host: str, now: float
) -> Stopped | None:
    """Return the first stop that holds ``healer`` on ``host`` at ``now``.

    >>> web = HaltRecord(1764000000, 0, "ana", "deploy", "host:web*")
    >>> stopped([None, web], "queue", "web1", 1764000001)
    Stopped(what='hosts web*', why='deploy (ana)', until=0)
    >>> stopped([None, web], "queue", "db1", 1764000001) is None
    True
    """
    for halt in halts:
        if halt is None or not applies(halt, healer, host):
            continue
        if isinstance(halt, Corrupt):
            return Stopped("fleet", f"{halt.path} is corrupt: {halt.why}")
        if not ended(halt, now):
            return Stopped(what_of(halt.target), f"{halt.reason} ({halt.operator})", halt.until)
    return None


def what_of(target: str) -> str:
    """A target in words.

    >>> what_of("host:web*"), what_of("healer:queue"), what_of("")
    ('hosts web*', 'healer queue', 'fleet')
    """
    kind, _, name = target.partition(":")
    return {"healer": f"healer {name}", "host": f"hosts {name}"}.get(kind, "fleet")


def halted(halt: HaltRecord | Corrupt | None, now: float) -> str:
    """Why the whole fleet is halted at ``now``; empty if it is not. A corrupt halt still halts.

    >>> halted(HaltRecord(1764000000, 1764000600, "ana", "deploy"), 1764000001)
    'deploy (ana)'
    >>> halted(HaltRecord(1764000000, 1764000600, "ana", "deploy"), 1764000600)
    ''
    """
    found = stopped((halt,), "", "", now)
    return found.why if found is not None else ""
