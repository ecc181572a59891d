"""The plan of a reset: after the human investigation, let something act again."""

from __future__ import annotations

import math
from collections.abc import Sequence

from healconsole.core import told
from healconsole.core.auditline import AuditLine
from healconsole.core.breaker import breaker_now, format_breaker, reset_closed, reset_half_open
from healconsole.core.bucket import format_bucket
from healconsole.core.limits import limits_of
from healconsole.core.mode import reads_overrides
from healconsole.core.openings import opening_failures
from healconsole.core.plan import ActPlan, ActRefused, FileChange, known_scopes, listed, operable
from healconsole.core.records import MICRO, BucketRecord, Corrupt
from healconsole.core.resets import earlier_resets
from healconsole.core.snapshot import HealerState, ScopedBreaker
from healconsole.core.trouble import mends_itself
from healconsole.core.unread import unread
from healconsole.core.words import Circuit

HALF_OPEN, CLOSED = "half-open", "closed"


def plan_reset(
    healer: HealerState,
    scope: str | None,
    to: str,
    now: float,
    events: Sequence[AuditLine] = (),
) -> ActPlan:
    """Plan to let a scope, or with None every scope and the healer itself, act again.

    Corrupt files are mended: a breaker as asked for, a bucket with one token, a claim empty,
    a hold gone. A corrupt ``dry-run`` is not: it keeps the healer dry until somebody says
    which it is to be.

    Args:
        healer: as it is now.
        scope: whose circuit; None takes all that are not closed, and the hold.
        to: ``half-open`` (one probe) or ``closed``.
        now: epoch seconds.
        events: newest lines of the audit log, to show what opened the circuit.

    Raises:
        ActRefused: nothing would change, or it cannot be done.
    """
    operable(healer)
    if "cb" in healer.unread:
        raise ActRefused(unread(healer.name, healer.problem))
    if to not in {HALF_OPEN, CLOSED}:
        raise ActRefused(f"a reset is to half-open or to closed, not to {to!r}")
    if scope is not None and scope not in known_scopes(healer):
        known = listed(known_scopes(healer))
        raise ActRefused(f"{healer.name} has no scope {scope!r}; its scopes: {known}")
    parts = [
        *_breakers(healer, scope, to, now),
        *_buckets(healer, scope, now),
        *(_claims(healer) if scope is None else ()),
        *(_hold(healer, now) if scope is None else ()),
    ]
    if not parts:
        raise ActRefused(_nothing(healer, scope, to, now))
    changes = tuple(change for change, _, _, _ in parts)
    opened = opening_failures(events, scope, healer.name)
    return ActPlan(
        verb="reset",
        healer=healer.name,
        scope=scope,
        changes=changes,
        now_lines=tuple(line for _, line, _, _ in parts),
        after_lines=tuple(line for _, _, line, _ in parts),
        next_lines=_next(healer, changes, to, now),
        warnings=(
            *_warnings(healer, scope, changes, now),
            *earlier_resets(events, healer.name, scope, now),
            *told.in_flight(healer, now),
        ),
        before="; ".join(brief for _, _, _, brief in parts),
        after="; ".join(line for _, _, line, _ in parts),
        destructive=True,
        failures=opened.events,
        trend=opened.trend,
    )


Part = tuple[FileChange, str, str, str]
"""A change, how it is now, how it will be, and how it is now in brief."""


def _breakers(healer: HealerState, scope: str | None, to: str, now: float) -> list[Part]:
    parts: list[Part] = []
    for breaker in healer.breakers:
        if scope in {None, breaker.scope} and _wants_reset(healer, breaker, to, now):
            limits = limits_of(healer, breaker.scope)
            policy = limits.policy
            record = None if isinstance(breaker.record, Corrupt) else breaker.record
            after = reset_closed(policy)
            if to == HALF_OPEN:
                after = reset_half_open(record, policy, now)
            change = FileChange(breaker.file, breaker.record, format_breaker(after))
            was = told.circuit(breaker.record, limits, now)
            brief = f"{breaker.scope} {told.summary(breaker.record, limits, now)}"
            will = f"circuit {breaker.scope}: {to}"
            parts.append((change, f"circuit {breaker.scope}: {was}", will, brief))
    return parts


def _wants_reset(healer: HealerState, breaker: ScopedBreaker, to: str, now: float) -> bool:
    record = breaker.record
    if isinstance(record, Corrupt):
        return True
    policy = limits_of(healer, breaker.scope).policy
    current = breaker_now(record, policy.max_failures, policy.cooldown, now)
    if current.state is Circuit.CLOSED:
        # Half-open is one probe only: a step back for a circuit that is closed.
        return to == CLOSED and current.failures > 0
    return to == CLOSED or current.state is not Circuit.HALF_OPEN or current.probe_out


def _buckets(healer: HealerState, scope: str | None, now: float) -> list[Part]:
    parts: list[Part] = []
    for bucket in healer.buckets:
        if isinstance(bucket.record, Corrupt) and scope in {None, bucket.scope}:
            policy = limits_of(healer, bucket.scope).policy
            # What was spent is not known: enough for one act, and no burst.
            mended = BucketRecord(math.floor(now), MICRO, policy.rate_micro, policy.burst)
            change = FileChange(bucket.file, bucket.record, format_bucket(mended))
            was = f"bucket {bucket.scope}: CORRUPT: {bucket.record.why}"
            will = f"bucket {bucket.scope}: 1.0 of {policy.burst} tokens, the old bytes kept aside"
            parts.append((change, was, will, f"bucket {bucket.scope} corrupt"))
    return parts


def _claims(healer: HealerState) -> list[Part]:
    return [
        (
            FileChange(claim.path, claim, b""),
            f"{claim.path}: CORRUPT: {claim.why}",
            f"{claim.path}: no claim, the old bytes kept aside",
            f"{claim.path} corrupt",
        )
        for claim in healer.claims
        if isinstance(claim, Corrupt)
    ]


def _hold(healer: HealerState, now: float) -> list[Part]:
    found = healer.hold
    if found is None or (not isinstance(found, Corrupt) and not found.on):
        return []
    was = told.hold(healer, now)
    return [(FileChange("hold", found, None), was, "not held", told.hold_summary(healer))]


def _nothing(healer: HealerState, scope: str | None, to: str, now: float) -> str:
    if scope is None:
        said = f"{healer.name} has nothing to reset: no circuit is open and it is not held"
        if mend := mends_itself(healer):
            said += f"; cycle.json is corrupt, and {mend}"
        return said
    found = [breaker for breaker in healer.breakers if breaker.scope == scope]
    if not found:
        return f"{healer.name} / {scope} has nothing to reset: its circuit never opened"
    line = told.circuit(found[0].record, limits_of(healer, scope), now)
    mend = "; a reset to closed forgets its failures" if to == HALF_OPEN else ""
    return f"{healer.name} / {scope} has nothing to reset: it is {line}{mend}"


def _next(
    healer: HealerState, changes: Sequence[FileChange], to: str, now: float
) -> tuple[str, ...]:
    reset = [breaker for breaker in healer.breakers if _changes(changes, breaker.file)]
    said: list[str] = []
    if reset:
        said = _of_circuits(healer, reset, to, now)
        mended = [bucket for bucket in healer.buckets if _changes(changes, bucket.file)]
        said.append(_tokens(healer, reset[0].scope, now, mended=bool(mended)))
    if _changes(changes, "hold"):
        said.append("The hold ends: every scope that is not open may act again.")
    elif reset or not said:
        said.append(told.mode(healer, now))
    return tuple(said)


def _of_circuits(
    healer: HealerState, reset: Sequence[ScopedBreaker], to: str, now: float
) -> list[str]:
    policy = limits_of(healer, reset[0].scope).policy
    cycle = told.next_cycle(healer, now)
    if to == CLOSED:
        return [
            f"closed: {cycle} may act, and so may those after it.",
            f"After {policy.max_failures} failures it opens for {policy.cooldown} s.",
        ]
    again = f"If that fails: open again for {policy.cooldown} s."
    if not reads_overrides(healer):
        return [f"It knows no half-open: {cycle} may act until one more failure.", again]
    each = "once" if len(reset) == 1 else "once in each of these scopes"
    return [f"half-open: {cycle} may act {each}.", again]


def _tokens(healer: HealerState, scope: str, now: float, *, mended: bool) -> str:
    if mended:
        return f"Tokens 1.0 of {limits_of(healer, scope).policy.burst}."
    return told.tokens(healer, scope, now)


def _warnings(
    healer: HealerState, scope: str | None, changes: Sequence[FileChange], now: float
) -> tuple[str, ...]:
    said = [healer.problem] if healer.problem else []
    if any(isinstance(change.expect, Corrupt) for change in changes):
        said.append("Corrupt bytes are kept in aside/: what they said before is not known.")
    if any(change.path.startswith("claims/") for change in changes):
        said.append("An action may have been cut off: look at what it did before it acts again.")
    elif scope is not None and any(isinstance(claim, Corrupt) for claim in healer.claims):
        said.append("A corrupt claim still denies every act: reset the whole healer to mend it.")
    if isinstance(healer.dry_run, Corrupt) and reads_overrides(healer):
        said.append("Its dry-run file is corrupt and keeps it dry: say dry-run on or off.")
    if not reads_overrides(healer) and any(limits_of(healer).assumed):
        said.append("Its maximum of failures is assumed: with a higher one it may fail more often.")
    for breaker in healer.breakers:
        if not isinstance(breaker.record, Corrupt) and _changes(changes, breaker.file):
            policy = limits_of(healer, breaker.scope).policy
            current = breaker_now(breaker.record, policy.max_failures, policy.cooldown, now)
            if current.probe_out:
                said.append(f"A probe of {breaker.scope} is out: another may go beside it.")
    return tuple(said)


def _changes(changes: Sequence[FileChange], path: str) -> bool:
    return any(change.path == path for change in changes)
