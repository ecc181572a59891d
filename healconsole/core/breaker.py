"""Circuit breakers: closed, open, half-open with one probe, forced open by an operator."""

from __future__ import annotations

import math

from healconsole.core.fields import (
    BLANKS,
    COUNT,
    EPOCH,
    MAX_COUNT,
    POSITIVE,
    SECONDS,
    line_of,
    mismatch,
)
from healconsole.core.frozen import Frozen
from healconsole.core.pattern import pattern
from healconsole.core.records import BreakerRecord, Corrupt, Policy
from healconsole.core.words import Circuit

UNTIL_RESET = 32_503_680_000
"""``last_failure`` of a trip without an end (the year 3000): it holds a legacy reader too."""

_LINE = pattern(
    f"{COUNT}{BLANKS}{EPOCH}"
    f"(?:{BLANKS}{POSITIVE}{BLANKS}{SECONDS}{BLANKS}(closed|open|half-open|forced-open)"
    f"{BLANKS}{EPOCH})?"
)
_STATES = {str(state): state for state in Circuit}
# Python 3.11 looks a member up in its enumeration five times as slowly as a name in its module.
_CLOSED, _OPEN = Circuit.CLOSED, Circuit.OPEN
_HALF_OPEN, _FORCED_OPEN = Circuit.HALF_OPEN, Circuit.FORCED_OPEN


class BreakerNow(Frozen):
    """What a breaker means at one instant, under one policy."""

    state: Circuit
    until: int | None
    """When the state changes by itself (for a probe that is out: when its lease ends);
    None if it does not."""
    failures: int
    max_failures: int
    cooldown: int
    anomaly: str = ""
    """What is wrong with the times in the file; empty if nothing is."""

    @property
    def probe_out(self) -> bool:
        """Whether the one probe of a half-open breaker is out, its lease still running."""
        return self.state is Circuit.HALF_OPEN and self.until is not None


def parse_breaker(raw: bytes, path: str) -> BreakerRecord | Corrupt:
    """Read ``<failures> <last_failure>``, and the four fields of ours where they are.

    >>> parse_breaker(b"3 1764000000\\n", "cb/x").failures
    3
    >>> parse_breaker(b"3 1764000000 3 600 open 1764000600\\n", "cb/x").state
    <Circuit.OPEN: 'open'>
    >>> parse_breaker(b"08 1764000000\\n", "cb/x").why
    'does not match its format'
    """
    line = line_of(raw, path)
    if isinstance(line, Corrupt):
        return line
    found = _LINE.fullmatch(line)
    if not found:
        return mismatch(raw, path)
    failures, last, maximum, cooldown, state, until = found.groups()
    if state is None:
        return BreakerRecord(int(failures), int(last))
    return BreakerRecord(
        int(failures), int(last), int(maximum), int(cooldown), _STATES[state], int(until)
    )


def format_breaker(rec: BreakerRecord) -> bytes:
    """Write a breaker in canonical form.

    >>> format_breaker(BreakerRecord(0, 0, 3, 600, Circuit.CLOSED, 0))
    b'0 0 3 600 closed 0\\n'
    """
    if rec.state is None:
        return f"{rec.failures} {rec.last_failure}\n".encode()
    return (
        f"{rec.failures} {rec.last_failure} {rec.max_failures} {rec.cooldown}"
        f" {rec.state} {rec.until}\n"
    ).encode()


def breaker_now(
    rec: BreakerRecord | None,
    max_failures: int,
    cooldown: int,
    now: float,
    lease: int | None = None,
) -> BreakerNow:
    """Tell what a breaker means now.

    Args:
        rec: the file's content, None if there is none.
        max_failures: failures that open it, from the policy.
        cooldown: seconds for which it stays open, from the policy.
        now: epoch seconds.
        lease: the longest that a probe may be out; a lease that ends later than that is
            taken for a clock that stepped back. None where it is not known.

    >>> breaker_now(BreakerRecord(3, 1764000000), 3, 600, now=1764000148).until
    1764000600
    >>> breaker_now(BreakerRecord(3, 1764000000), 3, 600, now=1764000600).state
    <Circuit.HALF_OPEN: 'half-open'>
    """
    if rec is None:
        return BreakerNow(_CLOSED, None, 0, max_failures, cooldown)
    whole = math.floor(now)
    anomaly = ""
    if rec.state is _FORCED_OPEN:
        until = rec.until or None
        ended = until is not None and until <= whole
        state = _HALF_OPEN if ended else _FORCED_OPEN
    elif rec.state is _HALF_OPEN:
        state = _HALF_OPEN
        until, anomaly = _lease_end(rec.until, lease, whole)
    elif rec.state is _CLOSED or (rec.state is None and rec.failures < max_failures):
        state, until = _CLOSED, None
    else:
        until, anomaly = _cooldown_end(rec, cooldown, whole)
        state = _OPEN if until > whole else _HALF_OPEN
    if until is not None and until <= whole:
        until = None
    return BreakerNow(state, until, rec.failures, max_failures, cooldown, anomaly)


def _lease_end(until: int, lease: int | None, whole: int) -> tuple[int, str]:
    if lease is not None and until > whole + lease:
        return whole + lease, "the probe's lease ends later than a lease can: the clock stepped"
    return until, ""


def _cooldown_end(rec: BreakerRecord, cooldown: int, whole: int) -> tuple[int, str]:
    if rec.last_failure > whole:
        return whole + cooldown, "the last failure lies ahead of the clock: the clock stepped"
    until = rec.last_failure + cooldown if rec.state is None else rec.until
    if until > whole + cooldown:
        return whole + cooldown, "open beyond the cooldown: the clock or the policy changed"
    return until, ""


def record_failure(rec: BreakerRecord | None, policy: Policy, now: float) -> BreakerRecord:
    """Count a failed action; opens the breaker when that is what it means.

    >>> record_failure(BreakerRecord(2, 0, 3, 600, Circuit.CLOSED), Policy(), 1764000000)
    ... # doctest: +ELLIPSIS
    BreakerRecord(failures=3, last_failure=1764000000, ..., until=1764000600)
    """
    whole = math.floor(now)
    current = breaker_now(rec, policy.max_failures, policy.cooldown, now)
    failures = min(current.failures + 1, MAX_COUNT)
    if rec is not None and current.state in {Circuit.OPEN, Circuit.FORCED_OPEN}:
        # last_failure stays: it says when the breaker opened, and holds a legacy reader.
        last = min(rec.last_failure, whole) if current.state is Circuit.OPEN else rec.last_failure
        return _record(failures, last, policy, current.state, current.until or 0)
    if current.state is Circuit.HALF_OPEN:
        failures = max(failures, policy.max_failures)
    if failures >= policy.max_failures:
        return _record(failures, whole, policy, Circuit.OPEN, whole + policy.cooldown)
    return _record(failures, whole, policy, Circuit.CLOSED, 0)


def record_success(
    rec: BreakerRecord | None, policy: Policy, now: float, began: int
) -> BreakerRecord | None:
    """Count a verified action that began at ``began``.

    Returns:
        The breaker to write, or None if nothing is to be written: there is no file, it
        says so already, an operator forced it open, or it opened since the action began.

    >>> record_success(None, Policy(), 1764000000, 1763999990) is None
    True
    """
    if rec is None:
        return None
    current = breaker_now(rec, policy.max_failures, policy.cooldown, now)
    if current.state is Circuit.FORCED_OPEN:
        return None
    if current.state is Circuit.OPEN and rec.last_failure >= began:
        return None
    closed = reset_closed(policy)
    return None if rec == closed else closed


def take_probe(rec: BreakerRecord, policy: Policy, now: float) -> BreakerRecord:
    """Lend the one probe of a half-open breaker, for as long as the policy's lease."""
    return _record(
        rec.failures,
        rec.last_failure,
        policy,
        Circuit.HALF_OPEN,
        math.floor(now) + policy.probe_lease,
    )


def trip(rec: BreakerRecord | None, policy: Policy, now: float, until: int) -> BreakerRecord:
    """Force a breaker open until ``until``, or until reset if that is 0.

    Raises:
        ValueError: ``until`` is not ahead of ``now``.
    """
    if until and until <= now:
        raise ValueError("a trip ends later than it begins")
    failures = max(rec.failures if rec else 0, policy.max_failures)
    last = max(until - policy.cooldown, 0) if until else UNTIL_RESET
    return _record(failures, last, policy, Circuit.FORCED_OPEN, until)


def reset_half_open(rec: BreakerRecord | None, policy: Policy, now: float) -> BreakerRecord:
    """Let one probe through; one more failure opens the breaker, for legacy readers too."""
    del rec  # What it was is the operator's to judge; nothing of it is kept.
    return _record(policy.max_failures - 1, math.floor(now), policy, Circuit.HALF_OPEN, 0)


def reset_closed(policy: Policy) -> BreakerRecord:
    """Close a breaker and forget its failures."""
    return _record(0, 0, policy, Circuit.CLOSED, 0)


def rebased(rec: BreakerRecord, policy: Policy, now: float) -> BreakerRecord | None:
    """Bring times that lie further ahead than the policy can have put them back to it.

    Returns:
        The breaker to write, or None if its times are sound. Written by whoever meets it
        under the lock: left alone, each look would find the whole cooldown still to come.
    """
    current = breaker_now(rec, policy.max_failures, policy.cooldown, now, lease=policy.probe_lease)
    if not current.anomaly:
        return None
    return _record(
        rec.failures,
        min(rec.last_failure, math.floor(now)),
        policy,
        current.state,
        current.until or 0,
    )


def _record(
    failures: int, last_failure: int, policy: Policy, state: Circuit, until: int
) -> BreakerRecord:
    return BreakerRecord(failures, last_failure, policy.max_failures, policy.cooldown, state, until)
