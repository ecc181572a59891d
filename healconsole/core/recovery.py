"""What an action leads to whose process is gone without recording its outcome."""

from __future__ import annotations

import math

from healconsole.core.breaker import record_failure
from healconsole.core.bucket import tokens_now
from healconsole.core.frozen import Frozen, replace
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    Policy,
)
from healconsole.core.scopes import scope_file_name, scope_of_file
from healconsole.core.verdict import GuardState, Intent
from healconsole.core.words import Outcome


class Recovery(Frozen):
    """What to write for an interrupted claim, before its slot is emptied. None = leave it."""

    bucket: BucketRecord | None
    marker: MarkerRecord | None
    breaker: BreakerRecord | None
    reason: str
    """``reason`` of the audit event ``interrupted``."""
    scope: str
    """Its scope: the marker's, which has it whole, else what the claim's file name stands for."""


def recover(
    claim: ClaimRecord,
    bucket: BucketRecord | Corrupt | None,
    marker: MarkerRecord | Corrupt | None,
    breaker: BreakerRecord | Corrupt | None,
    policy: Policy,
    now: float,
) -> Recovery:
    """Decide what an interrupted claim leads to.

    Args:
        claim: the claim; its process is gone.
        bucket: what ``rate/<scope>`` of the claim holds.
        marker: what ``keys/<key>`` of the claim holds.
        breaker: what ``cb/<scope>`` of the claim holds.
        policy: the limits of the healer.
        now: epoch seconds.

    Whatever was written before the process died stays counted: the token is spent, the
    marker stands, and a failure is recorded, because nobody knows how the action ended.
    Only a marker that says ``success`` proves that it was verified: then nothing counts
    as a failure. Corrupt files are left for an operator; they deny as they are.
    """
    since = min(claim.last_refill, math.floor(now))
    spent = BucketRecord(since, claim.tokens_micro, policy.rate_micro, policy.burst)
    lower: BucketRecord | None = None
    if not isinstance(bucket, Corrupt):
        limits = (policy.rate_micro, policy.burst, now)
        lower = spent if tokens_now(spent, *limits) < tokens_now(bucket, *limits) else None
    scope = scope_of_file(claim.scope_file)
    if isinstance(marker, MarkerRecord):
        scope = marker.scope or scope
        if marker.outcome == Outcome.SUCCESS:
            reason = f"pid {claim.pid} ended before it recorded its success"
            return Recovery(lower, None, None, reason, scope)
    return Recovery(
        bucket=lower,
        marker=_interrupted(claim, marker, scope),
        breaker=None if isinstance(breaker, Corrupt) else record_failure(breaker, policy, now),
        reason=f"pid {claim.pid} ended without recording an outcome",
        scope=scope,
    )


def _interrupted(
    claim: ClaimRecord, marker: MarkerRecord | Corrupt | None, scope: str
) -> MarkerRecord | None:
    if isinstance(marker, Corrupt):
        return None
    at = claim.at if marker is None else max(claim.at, marker.at)
    wanted = MarkerRecord(claim.key, at, claim.intent, scope, claim.pid, Outcome.INTERRUPTED)
    return None if marker == wanted else wanted


def recovered(
    state: GuardState, intent: Intent, policy: Policy, now: float, *, dry: bool
) -> GuardState:
    """Show the state as the next cycle will find it: after it recovered what is interrupted.

    In dry-run, bucket and markers are the shadow ones, which no claim ever touched.
    """
    number = bucket_number(now, policy.bucket)
    current = marker_key(intent.text, number)
    previous = marker_key(intent.text, number - 1)
    scope_file = scope_file_name(intent.scope)
    live: list[ClaimRecord | Corrupt] = []
    for claim in state.claims:
        if isinstance(claim, Corrupt) or claim.alive:
            live.append(claim)
            continue
        markers = {current: state.marker, previous: state.previous_marker}
        found = recover(claim, state.bucket, markers.get(claim.key), state.breaker, policy, now)
        if claim.scope_file == scope_file:
            state = replace(state, breaker=found.breaker or state.breaker)
            if not dry:
                state = replace(state, bucket=found.bucket or state.bucket)
        if dry or found.marker is None:
            continue
        if claim.key == current:
            state = replace(state, marker=found.marker)
        elif claim.key == previous:
            state = replace(state, previous_marker=found.marker)
    return replace(state, claims=tuple(live))
