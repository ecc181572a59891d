"""The shape of an operator's act before it is done: what it would change, and what follows."""

from __future__ import annotations

from typing import Final

from healconsole.core.auditline import AuditEvent
from healconsole.core.frozen import Frozen
from healconsole.core.intent import InvalidIntent, parse_intent
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    OverrideRecord,
)
from healconsole.core.scopes import is_healer_name
from healconsole.core.snapshot import HealerState
from healconsole.core.unread import unread
from healconsole.core.words import Library

UNLOGGED: Final = "it was done, but its result is not in the log: "
"""What is said, before why, of an act that took effect and whose end nobody reads of."""

FileRecord = BreakerRecord | BucketRecord | OverrideRecord | ClaimRecord


class ActRefused(ValueError):  # noqa: N818 - a refusal, with what to do instead
    """The act cannot be done; the message says why and what to do instead."""


class FileChange(Frozen):
    """One file of a healer's directory, before and after.

    ``path`` is relative to that directory. The change is made only if the file still reads
    as ``expect`` (None: it is absent). ``after`` None removes the file. What was corrupt is
    kept aside, byte for byte.
    """

    path: str
    expect: FileRecord | Corrupt | None
    after: bytes | None


class ActPlan(Frozen):
    """An operator's act, not done yet. Lines and warnings may hold data from outside."""

    verb: str
    """``trip``, ``reset``, ``dry-run`` or ``release``."""
    healer: str
    scope: str | None
    """None = the healer as a whole."""
    changes: tuple[FileChange, ...]
    now_lines: tuple[str, ...]
    after_lines: tuple[str, ...]
    next_lines: tuple[str, ...]
    """What will happen by itself after the act."""
    warnings: tuple[str, ...]
    before: str
    """For the audit event."""
    after: str
    """For the audit event."""
    destructive: bool
    """Whether the healer's name must be typed: it lets something act that does not act now,
    or stops a whole healer."""
    failures: tuple[AuditEvent, ...] = ()
    """Of a reset: the failures that opened the circuit, oldest first."""
    trend: str = ""
    """Of a reset: what the facts of these failures show."""
    words: tuple[str, ...] = ()
    """Of an act on another host: the options that do the same there, without the reason."""


def operable(healer: HealerState) -> None:
    """Check that an operator can act on a healer at all.

    Raises:
        ActRefused: its name is not that of a healer, or nothing of it can be read.
    """
    if not is_healer_name(healer.name):
        raise ActRefused(
            f"{healer.name!r} is not the name of a healer (letters, digits, '.', '_' and '-'): "
            "rename its directory first"
        )
    read = healer.breakers or healer.buckets or healer.cycle or healer.hold or healer.markers_total
    if healer.problem and not read:
        raise ActRefused(unread(healer.name, healer.problem))


def known_scopes(healer: HealerState) -> tuple[str, ...]:
    """Return the scopes that a healer is known to limit, each once.

    A legacy healer takes whole intents for scopes, so those seen in the audit log count too.
    """
    scopes = [breaker.scope for breaker in healer.breakers]
    scopes += [bucket.scope for bucket in healer.buckets]
    if healer.library is Library.LEGACY:
        scopes += [intent for intent in healer.intents if _is_scope(intent)]
    return tuple(dict.fromkeys(scopes))


def listed(scopes: tuple[str, ...], most: int = 5) -> str:
    """Return scopes as a list to read, the first few of them.

    >>> listed(("a", "b")), listed(()), listed(("a", "b", "c"), most=2)
    ('a, b', 'none yet', 'a, b and 1 more')
    """
    if len(scopes) <= most:
        return ", ".join(scopes) or "none yet"
    return f"{', '.join(scopes[:most])} and {len(scopes) - most} more"


def _is_scope(text: str) -> bool:
    try:
        parse_intent(text, text)
    except InvalidIntent:
        return False
    return True
