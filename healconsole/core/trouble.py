"""What is the matter with a healer, in one word and one sentence."""

from __future__ import annotations

from healconsole.core.ages import HOUR, age, countdown
from healconsole.core.mode import hold_now, reads_overrides
from healconsole.core.records import ClaimRecord, Corrupt, OverrideRecord
from healconsole.core.snapshot import HealerState
from healconsole.core.standing import WorstCircuit
from healconsole.core.words import FAILURES, Circuit

OK = "ok"
"""The word where nothing asks for a look."""

RANKS = (
    *("open", "lost", "corrupt", "unreadable", "forced-open"),
    *("stale", "failing", "half-open", "held", "unknown", OK),
)
"""The words, worst first: what stopped by itself comes before what an operator stopped, and a
dead loop before a failing one."""

Trouble = tuple[str, str]
"""A word, and a sentence that may hold data from outside."""


def trouble(
    healer: HealerState, worst: WorstCircuit, stale_age: float | None, now: float
) -> Trouble:
    """Return the worst that is the matter with a healer; ``ok`` and nothing if nothing is.

    Args:
        healer: as it is.
        worst: its worst circuit now.
        stale_age: seconds since its last heartbeat if that is stale, else None.
        now: epoch seconds.
    """
    return (
        _lost(healer, now)
        or _stopped(healer, worst)
        or (None if stale_age is None else ("stale", stale_sentence(stale_age)))
        or _failing(healer)
        or _waiting(healer, worst, now)
        or _nothing_wrong(healer)
    )


def _lost(healer: HealerState, now: float) -> Trouble | None:
    """A word and a sentence if nothing that is known of the healer is news."""
    if healer.lost_since is None:
        return None
    return "lost", f"{healer.host} tells no more, for {age(max(0.0, now - healer.lost_since))}"


def _stopped(healer: HealerState, worst: WorstCircuit) -> Trouble | None:
    """A word and a sentence if nothing acts here, or nobody can tell that it may."""
    if healer.problem:
        return "unreadable", healer.problem
    if worst.circuit is Circuit.OPEN and worst.now is not None:
        last = _last_failure(healer)
        return "open", f"circuit {worst.scope} open: {worst.now.failures} failures{last}"
    corrupt = _denying_corrupt(healer)
    if corrupt is not None:
        return "corrupt", f"{corrupt.path} is corrupt: {corrupt.why}"
    if worst.circuit is Circuit.FORCED_OPEN:
        by = healer.hold.operator if isinstance(healer.hold, OverrideRecord) else "an operator"
        return "forced-open", f"circuit {worst.scope} forced open by {by}"
    return None


def _last_failure(healer: HealerState) -> str:
    failed = healer.last is not None and healer.last.outcome in FAILURES
    return f", last {healer.last.outcome}" if failed and healer.last is not None else ""


def _failing(healer: HealerState) -> Trouble | None:
    if healer.last is not None and healer.last.outcome in FAILURES:
        return "failing", f"last outcome {healer.last.outcome}"
    for claim in healer.claims:
        if isinstance(claim, ClaimRecord) and not claim.alive:
            return "failing", f"{claim.intent} was interrupted: pid {claim.pid} is gone"
    unread = _other_corrupt(healer)
    if unread is None:
        return None
    mend = mends_itself(healer)
    if unread is not healer.cycle or not mend:
        return "failing", f"{unread.path} is corrupt: {unread.why}"
    return "failing", f"{unread.path} is corrupt: {unread.why}; {mend}"


def _waiting(healer: HealerState, worst: WorstCircuit, now: float) -> Trouble | None:
    if worst.circuit is Circuit.HALF_OPEN and worst.now is not None:
        out = "its probe is out" if worst.now.probe_out else "one probe may go"
        return "half-open", f"circuit {worst.scope} half-open: {out}"
    held = hold_now(healer, now)
    if isinstance(held, OverrideRecord):
        return "held", f"held by {held.operator} for {age(now - held.since)}"
    return None


def _nothing_wrong(healer: HealerState) -> Trouble:
    if healer.heartbeat is None and healer.last is None:
        return "unknown", "no heartbeat and no audit event"
    if healer.absent:
        return "unknown", f"it ran, and {healer.absence}"
    return OK, ""


def mends_itself(healer: HealerState) -> str:
    """Return what becomes of a corrupt ``cycle.json``; empty where nothing does by itself.

    Nothing is decided on it, so it needs no reset.
    """
    record = healer.cycle
    lasts = not isinstance(record, Corrupt) or record.why in {"not readable", "not a regular file"}
    return "" if lasts else "the next cycle writes it anew"


def stale_sentence(beat_age: float) -> str:
    """Return what is wrong with a heartbeat of this age: from an hour on in two units.

    >>> stale_sentence(359), stale_sentence(7125)
    ('no heartbeat for 5m', 'no heartbeat for 1h58m')
    """
    if beat_age < 0:
        return f"its heartbeat is {age(-beat_age)} ahead of the clock"
    return f"no heartbeat for {age(beat_age) if beat_age < HOUR else countdown(beat_age)}"


def _denying_corrupt(healer: HealerState) -> Corrupt | None:
    """The first corrupt file that makes the guardrails deny."""
    if isinstance(healer.hold, Corrupt) and reads_overrides(healer):
        return healer.hold
    for breaker in healer.breakers:
        if isinstance(breaker.record, Corrupt):
            return breaker.record
    for bucket in healer.buckets:
        if isinstance(bucket.record, Corrupt):
            return bucket.record
    return next((claim for claim in healer.claims if isinstance(claim, Corrupt)), None)


def _other_corrupt(healer: HealerState) -> Corrupt | None:
    """The first corrupt file that only keeps something from being known."""
    for record in (healer.cycle, healer.heartbeat, healer.dry_run):
        if isinstance(record, Corrupt):
            return record
    return None
