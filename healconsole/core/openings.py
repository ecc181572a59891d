"""What opened a circuit: the failures that led to it, and what their facts show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from healconsole.core.auditline import AuditEvent, AuditLine
from healconsole.core.frozen import Frozen
from healconsole.core.words import FAILURES, Outcome

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)


class OpeningFailures(Frozen):
    """The failures since the last success, oldest first, and a sentence on their facts."""

    events: tuple[AuditEvent, ...]
    trend: str
    """Empty if the facts do not tell."""


def opening_failures(
    lines: Sequence[AuditLine], scope: str | None, healer: str, n: int = 5
) -> OpeningFailures:
    """Return the last failures of a healer's scope (None: of any), at most `n`.

    Args:
        lines: the audit log's newest lines, oldest first.
        scope: the breaker's; a legacy event has none and counts by its intent or VERB.
        healer: its name.
        n: how many to return.
    """
    found: list[AuditEvent] = []
    for line in reversed(lines):
        if not isinstance(line, AuditEvent) or line.healer != healer:
            continue
        if scope is not None and scope not in scopes_of(line):
            continue
        if line.outcome == Outcome.SUCCESS or len(found) == n:
            break
        if line.outcome in FAILURES:
            found.append(line)
    found.reverse()
    return OpeningFailures(tuple(found), trend(event.fact for event in found))


def trend(facts: Iterable[str]) -> str:
    """Return what a series of facts shows, judged by the first key that says anything.

    >>> trend(["depth=12450,alive=8", "depth=13022,alive=8", "depth=13777,alive=8"])
    'depth grew each time: the fix does not reach the cause'
    >>> trend(["depth=ERROR", "depth=ERROR"])
    'depth could not be measured: the healer acts without seeing'
    >>> trend(["depth=12,worker_pid=4", "depth=12,worker_pid=5"])
    'depth stayed at 12: the fix changes nothing'
    """
    read = [_pairs(fact) for fact in facts]
    if len(read) < 2:
        return ""
    # A pid is a name, not a measurement: that it grows tells nothing.
    keys = [key for key in read[0] if key.rpartition("_")[2] != "pid"]
    said = [_trend_of(key, [fact.get(key, "") for fact in read]) for key in keys]
    moved = [sentence for moving, sentence in said if moving]
    still = [sentence for moving, sentence in said if sentence and not moving]
    return next(iter([*moved, *still]), "")


def parted(facts: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return what differs from fact to fact, and what all of them say: where a cause may be seen.

    >>> parted(["depth=12,alive=1,release=5121", "depth=31,alive=1,release=5121"])
    (('depth=12', 'depth=31'), 'alive=1 release=5121')
    >>> parted(["broker does not answer"])
    (('broker does not answer',), '')
    """
    read = [_pairs(fact) for fact in facts]
    if len(read) < 2:
        return tuple(facts), ""
    same = {key: value for key, value in read[0].items() if all(f.get(key) == value for f in read)}
    differing = tuple(
        _joined({key: value for key, value in fact.items() if key not in same}) for fact in read
    )
    return (differing, _joined(same)) if same else (tuple(facts), "")


def _joined(pairs: Mapping[str, str]) -> str:
    return " ".join(f"{key}={value}" for key, value in pairs.items())


def scopes_of(event: AuditEvent) -> set[str]:
    """The scopes that an event may be of: a legacy one has none, and counts by its intent."""
    if event.scope:
        return {event.scope}
    return {event.intent, event.intent.partition(" ")[0]}


def _pairs(fact: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in fact.split(","))
    return {key.strip(): value.strip() for key, mark, value in pairs if mark and key.strip()}


def _trend_of(key: str, values: Sequence[str]) -> tuple[bool, str]:
    """Whether the values of `key` moved or went missing, and a sentence on them."""
    if all(value == "ERROR" for value in values):
        return True, f"{key} could not be measured: the healer acts without seeing"
    if not all(_NUMBER.fullmatch(value) for value in values):
        return False, ""
    numbers = [float(value) for value in values]
    if all(a < b for a, b in pairwise(numbers)):
        return True, f"{key} grew each time: the fix does not reach the cause"
    if all(a > b for a, b in pairwise(numbers)):
        return True, f"{key} fell each time: the fix helps, but not enough"
    if len(set(numbers)) == 1:
        return False, f"{key} stayed at {values[0]}: the fix changes nothing"
    return False, ""
