"""The sentences of the operator's dialogs: what is now, and what will happen next."""

from __future__ import annotations

import re

from healconsole.core.ages import age, clock_time, countdown
from healconsole.core.breaker import BreakerNow, breaker_now
from healconsole.core.bucket import first_token_in, tokens_now, tokens_text
from healconsole.core.limits import Limits, limits_of
from healconsole.core.mode import DRY_RUN, HELD, LIVE, dry_now, hold_now, mode_now, reads_overrides
from healconsole.core.records import (
    MICRO,
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    CycleRecord,
)
from healconsole.core.snapshot import HealerState
from healconsole.core.words import Circuit

_END = re.compile(r"\buntil ([0-9]{1,12})\b")


def at(epoch: float, now: float) -> str:
    """Return a time to come, both ways.

    >>> at(1764000060, 1764000000)
    '16:01:00 UTC, in 1m00s'
    """
    return f"{clock_time(epoch)} UTC, in {countdown(epoch - now)}"


def circuit(record: BreakerRecord | Corrupt | None, limits: Limits, now: float) -> str:
    """Return what a breaker is now, as ``OPEN, 3 of 3 failures, half-open by itself at …``."""
    if isinstance(record, Corrupt):
        return f"CORRUPT: {record.path} {record.why}; the guardrails deny"
    policy = limits.policy
    current = breaker_now(record, policy.max_failures, policy.cooldown, now)
    if current.state is Circuit.FORCED_OPEN:  # its count is an operator's, not of failures
        return f"FORCED-OPEN{_until(current, now)}"
    mark = "~" if limits.breaker_assumed else ""
    failed = f"{current.failures} of {current.max_failures}{mark} failures"
    return f"{str(current.state).upper()}, {failed}{_until(current, now)}"


def summary(record: BreakerRecord | Corrupt | None, limits: Limits, now: float) -> str:
    """Return a breaker in few words, for the audit event.

    >>> summary(None, Limits(limits_of(HealerState("h", "/h")).policy), 0)
    'closed 0/3'
    """
    if isinstance(record, Corrupt):
        return f"corrupt ({record.why})"
    policy = limits.policy
    current = breaker_now(record, policy.max_failures, policy.cooldown, now)
    until = "" if current.until is None else f" until {current.until}"
    if current.state is Circuit.FORCED_OPEN:
        return f"forced-open{until or ' until reset'}"
    return f"{current.state} {current.failures}/{current.max_failures}{until}"


def hold(healer: HealerState, now: float) -> str:
    """Return whether the healer is held, and by whom."""
    if isinstance(healer.hold, Corrupt):
        return f"hold CORRUPT: {healer.hold.why}; the guardrails deny"
    if healer.hold is None or not healer.hold.on or 0 < healer.hold.until <= now:
        return "not held"
    word = healer.hold
    until = f" until {at(word.until, now)}" if word.until else " until released"
    return f"HELD by {word.operator} for {age(now - word.since)}{until}"


def hold_summary(healer: HealerState) -> str:
    """Return the same in few words, for the audit event."""
    if isinstance(healer.hold, Corrupt):
        return f"hold corrupt ({healer.hold.why})"
    if healer.hold is None or not healer.hold.on:
        return "not held"
    until = f" until {healer.hold.until}" if healer.hold.until else ""
    return f"held by {healer.hold.operator}{until}"


def readable(text: str, utc_offset_s: int = 0) -> str:
    """Return a summary of an audit event with its ends as times of day.

    >>> readable("held until 1764000060; restart forced-open until reset")
    'held until 16:01:00; restart forced-open until reset'
    """
    return _END.sub(lambda found: f"until {clock_time(int(found[1]), utc_offset_s)}", text)


def next_cycle(healer: HealerState, now: float) -> str:
    """Return when the healer looks again, as ``the next cycle, in 41 s,``."""
    cycle = healer.cycle
    if not isinstance(cycle, CycleRecord):
        return "the next cycle"
    due = cycle.next_due or (cycle.at + cycle.interval if cycle.interval > 0 else 0.0)
    if due <= 0:
        return "the next cycle"
    if due > now:
        return f"the next cycle, in {countdown(due - now)},"
    late = f"was due {age(now - due)} ago" if now - due >= 1 else "is due"
    return f"the next cycle (it {late})"


def tokens(healer: HealerState, scope: str, now: float) -> str:
    """Return what the bucket of a scope holds, as ``Tokens 2.0 of 3.``"""
    limits = limits_of(healer, scope)
    policy = limits.policy
    record: BucketRecord | Corrupt | None = next(
        (bucket.record for bucket in healer.buckets if bucket.scope == scope), None
    )
    if isinstance(record, Corrupt):
        return f"Its bucket is corrupt: {record.why}."
    there = tokens_now(record, policy.rate_micro, policy.burst, now)
    mark = "~" if limits.rate_assumed else ""
    said = f"Tokens {tokens_text(there)} of {policy.burst}{mark}"
    if there >= MICRO:
        return f"{said}."
    wait = first_token_in(there, policy.rate_micro)
    return f"{said}, none to come." if wait is None else f"{said}, one in {countdown(wait)}."


def mode(healer: HealerState, now: float) -> str:
    """Return how it runs, as ``It is LIVE.``"""
    word = mode_now(healer, now)
    if word == LIVE:
        return "It is LIVE."
    if word == DRY_RUN:
        return f"It is in DRY-RUN ({dry_now(healer, now).why}): it only writes what it would do."
    if word == HELD:
        held = hold_now(healer, now)
        by = "a corrupt hold file" if held is None or isinstance(held, Corrupt) else held.operator
        return f"It is HELD by {by}: nothing acts until it is released."
    return "Whether it is live is not known: act as if it were."


def in_flight(healer: HealerState, now: float) -> tuple[str, ...]:
    """Return a warning for each action that runs now: no act of an operator stops it."""
    return tuple(
        (
            f"An action is in flight: {claim.intent}, pid {claim.pid}, for {age(now - claim.at)}. "
            "It is not stopped; its outcome will be recorded."
        )
        for claim in healer.claims
        if isinstance(claim, ClaimRecord) and claim.alive
    )


def unit_of(healer: HealerState) -> str:
    """Return where a legacy healer's environment is set, as well as is known."""
    unit = healer.catalog.unit if healer.catalog is not None else ""
    return f"its unit {unit}" if unit else "its unit file or crontab"


def stopping(healer: HealerState) -> str:
    """Return how a healer is stopped for certain, as well as is known."""
    unit = healer.catalog.unit if healer.catalog is not None else ""
    return f"systemctl stop {unit}" if unit else "stop its unit, its cron job or its process"


def unheld(healer: HealerState) -> tuple[str, ...]:
    """Return what a legacy healer cannot be held from; nothing for one of ours."""
    if reads_overrides(healer):
        return ()
    said = (
        f"{healer.name} is written on the legacy library, which reads no hold: it is stopped in "
        "the scopes above and nowhere else. Its scopes are whole intents; one that was never "
        f"seen before cannot be held. To stop it for certain: {stopping(healer)}."
    )
    return (said,)


def _until(current: BreakerNow, now: float) -> str:
    if current.state is Circuit.FORCED_OPEN:
        return " until reset" if current.until is None else f", until {at(current.until, now)}"
    if current.state is Circuit.OPEN and current.until is not None:
        return f", half-open by itself at {at(current.until, now)}"
    if current.state is Circuit.HALF_OPEN:
        if current.until is None:
            return ", one probe may go"
        return f", its probe is out until {at(current.until, now)} at most"
    return ""
