"""Would it act now? The guardrails' own answer, asked of a snapshot."""

from __future__ import annotations

import re

from healconsole.core.ages import clock_time, countdown
from healconsole.core.doubt import doubted, mode_doubted
from healconsole.core.fleetstep import asked_of_redis
from healconsole.core.frozen import replace
from healconsole.core.guardrails import denied, evaluate, refused
from healconsole.core.halt import Stopped, stopped
from healconsole.core.intent import InvalidIntent, bucket_number, marker_key, parse_intent
from healconsole.core.limits import limits_of
from healconsole.core.mode import environment_of, reads_overrides
from healconsole.core.pattern import pattern
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    Corrupt,
    CycleRecord,
    MarkerRecord,
    Policy,
)
from healconsole.core.shadow import rehearsed
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.core.standing import Thresholds, heartbeat_age
from healconsole.core.trouble import stale_sentence
from healconsole.core.verdict import FleetState, GuardState, Intent, Step, Verdict
from healconsole.core.words import Guardrail, Library, Outcome, SourceState, StepResult

UNTOLD = "whether it would act cannot be told"
ANY = "(any)"
"""Stands for an intent where none was ever seen. Its scope is that of the first breaker."""

# What the reasons of the contract say about the time left; the sentence says it in its own way.
_TIME_LEFT = pattern(
    r"(?:,? not again for|,? one in| for at most| for|,)? (?:[0-9]+ s)(?: more)?$", re.ASCII
)
_COUNTED = pattern(r"^[0-9]+ of [0-9]+~? failed, ", re.ASCII)


def explain(healer: HealerState, snapshot: Snapshot, intent: str | None, now: float) -> Verdict:
    """Return what the guardrails say of `healer` at `now`, with every rung of the ladder.

    What it stands on that is assumed, or not known, is marked as such (``core.doubt``).

    Args:
        healer: the healer as `snapshot` has it; its markers should have been read.
        snapshot: for the fleet lock and the health of Redis.
        intent: the intent to ask for; None asks for the latest one that is known.
        now: epoch seconds.

    A text that cannot be an intent is denied by the guardrail ``intent``, and a directory
    that cannot be read by ``record``: nothing can be recorded there. One that is not seen at
    all is denied likewise, with the one rung unknown (`untold`).
    """
    text = latest_intent(healer) if intent is None else intent
    if healer.problem:
        return denied(Intent(text or ANY, ""), Guardrail.RECORD, healer.problem)
    if healer.absent:
        verdict = denied(Intent(text or ANY, ""), Guardrail.RECORD, healer.absence)
        unknown = Step(Guardrail.RECORD, StepResult.UNKNOWN, healer.absence)
        return replace(verdict, steps=(unknown,))
    try:
        asked = _intent(healer, text)
    except InvalidIntent as error:
        return refused(text, str(error))
    limits = limits_of(healer, asked.scope)
    policy = limits.policy
    verdict = evaluate(asked, guard_state(healer, snapshot, asked, policy, now), policy, now)
    return doubted(verdict, healer, limits, now)


def latest_intent(healer: HealerState) -> str:
    """Return the newest intent that is known of a healer; empty if none is."""
    if isinstance(healer.cycle, CycleRecord) and healer.cycle.intent:
        return healer.cycle.intent
    if healer.last is not None and healer.last.intent:
        return healer.last.intent
    return next(iter(healer.intents), "")


def guard_state(
    healer: HealerState, snapshot: Snapshot, intent: Intent, policy: Policy, now: float
) -> GuardState:
    """Return what a verdict on `intent` is decided on.

    Of a healer in dry-run that is its shadow state.
    """
    healer = rehearsed(healer, now)
    n = bucket_number(now, policy.bucket)
    obeys = reads_overrides(healer)
    return GuardState(
        hold=healer.hold if obeys else None,
        dry_run=healer.dry_run if obeys else None,
        marker=_marker(healer, intent, n, policy.bucket),
        previous_marker=_marker(healer, intent, n - 1, policy.bucket),
        bucket=_bucket(healer, intent.scope),
        breaker=_breaker(healer, intent.scope),
        claims=healer.claims,
        fleet=_fleet(healer, snapshot, policy, intent.scope, now),
        dry_env=environment_of(healer),
    )


def sentence(verdict: Verdict, now: float, utc_offset_s: int = 0) -> str:
    """Return the verdict as one sentence; it may hold data from outside.

    `utc_offset_s` is that of the clock on which times of day are given.
    """
    if verdict.allow:
        return _allowed(verdict)
    if untold(verdict):
        return f"{UNTOLD}: {verdict.reason}"
    return f"would NOT act: {denial(verdict, now, utc_offset_s)}"


def untold(verdict: Verdict) -> bool:
    """Whether a verdict denies because nothing that it would be decided on is seen."""
    rungs = [(step.guard, step.result) for step in verdict.steps]
    return rungs == [(Guardrail.RECORD, StepResult.UNKNOWN)]


def unseen(healer: HealerState, now: float, thresholds: Thresholds) -> str:
    """Return that the loop which would act is not seen any more; empty if it is.

    Nothing acts in a loop that does not run, whatever its guardrails say.
    """
    old, stale = heartbeat_age(healer, now, thresholds)
    return f"{stale_sentence(old)}: does it run?" if stale and old is not None else ""


def answer(
    healer: HealerState, verdict: Verdict, now: float, thresholds: Thresholds, utc_offset_s: int = 0
) -> str:
    """Return the verdict as one sentence that does not promise what a dead loop would not do."""
    says = sentence(verdict, now, utc_offset_s)
    silent = unseen(healer, now, thresholds) if verdict.allow else ""
    return f"{says.partition(': ')[0]}, but {silent}" if silent else says


def denial(verdict: Verdict, now: float, utc_offset_s: int = 0) -> str:
    """Return why a verdict denies, and until when, as ``circuit open until 14:39:39, in 7m32s``.

    Without a time where time alone changes nothing.
    """
    guard = "" if verdict.guard is None else f"{verdict.guard} "
    if verdict.earliest is None:
        return f"{guard}{_COUNTED.sub('', verdict.reason)}"
    reason = _COUNTED.sub("", _TIME_LEFT.sub("", verdict.reason))
    at = clock_time(verdict.earliest, utc_offset_s)
    return f"{guard}{reason} until {at}, in {countdown(verdict.earliest - now)}"


def _allowed(verdict: Verdict) -> str:
    if verdict.dry_run:
        return f"would only write what it would do: {verdict.reason}"
    once = " once" if verdict.probe else ""
    live = " if it is live" if mode_doubted(verdict) else ""
    return f"would act{once}{live}: {verdict.reason}"


def _intent(healer: HealerState, text: str) -> Intent:
    known = [breaker.scope for breaker in healer.breakers]
    known += [bucket.scope for bucket in healer.buckets]
    if not text:
        return Intent(ANY, next(iter(known), ANY))
    limits = limits_of(healer)
    scope = limits.policy.scope
    # The legacy library limits by the whole intent, and so does whoever names its scopes so.
    if scope is None and (healer.library is Library.LEGACY or text in known):
        scope = text
    return parse_intent(text, scope)


def _marker(
    healer: HealerState, intent: Intent, n: int, bucket: int
) -> MarkerRecord | Corrupt | None:
    if not healer.marker_keys:  # then no hash is computed, nor the library loaded for it
        return None
    key = marker_key(intent.text, n)
    if key not in healer.marker_keys:
        return None
    for marker in (*(healer.markers or ()), *healer.marked):
        found = marker.path.rpartition("/")[2] if isinstance(marker, Corrupt) else marker.key
        if found == key:
            return marker
    # It is there and was not read. The last event tells its time if that is an act on this
    # intent (a denial left no marker); else the latest that it can have denies the longest, and
    # errs on the safe side.
    last = healer.last
    at, outcome = (n + 1) * bucket - 1, None
    if (
        last is not None
        and last.intent == intent.text
        and last.ts is not None
        and last.outcome != Outcome.DENIED
    ):
        at, outcome = int(last.ts), last.outcome
    if healer.library is Library.LEGACY:
        return MarkerRecord(key, at)
    return MarkerRecord(key, at, intent.text, intent.scope, outcome=outcome)


def _bucket(healer: HealerState, scope: str) -> BucketRecord | Corrupt | None:
    return next((found.record for found in healer.buckets if found.scope == scope), None)


def _breaker(healer: HealerState, scope: str) -> BreakerRecord | Corrupt | None:
    return next((found.record for found in healer.breakers if found.scope == scope), None)


def _fleet(
    healer: HealerState, snapshot: Snapshot, policy: Policy, scope: str, now: float
) -> FleetState | None:
    # That the console has a Redis does not mean that this healer asks it.
    if not asked_of_redis(policy) and not _asks_redis(healer):
        return None
    health = snapshot.redis_health
    if health.state is SourceState.OFF:
        return FleetState(unknown="the console has no Redis configured")
    if health.state not in {SourceState.LIVE, SourceState.POLLING}:
        return FleetState(unknown=health.detail or str(health.state))
    stop = _stop(healer, snapshot, now)
    found = FleetState(
        halted=stop.why if stop else "",
        halt_of=stop.what if stop else "fleet",
        halt_until=stop.until if stop else 0,
        storm=dict(snapshot.storms).get(scope),
    )
    for lock in snapshot.locks:
        if lock.key == policy.fleet_lock:
            left = None if lock.expires_at is None else lock.expires_at - now
            if left is None or left > 0:
                return replace(found, lock_holder=lock.owner or "(no owner)", lock_ttl=left)
    return found


def _stop(healer: HealerState, snapshot: Snapshot, now: float) -> Stopped | None:
    host = healer.host or snapshot.host
    return stopped((snapshot.halt, *snapshot.halts), healer.name, host, now)


def halt_reaching(healer: HealerState, snapshot: Snapshot, now: float) -> str:
    """Return the halt that stops a healer now, as its verdict says it; empty if none does.

    One that is not known to ask Redis hears of no halt.
    """
    if snapshot.halt is None and not snapshot.halts:
        return ""
    if snapshot.redis_health.state not in {SourceState.LIVE, SourceState.POLLING}:
        return ""
    if not asked_of_redis(limits_of(healer).policy) and not _asks_redis(healer):
        return ""
    stop = _stop(healer, snapshot, now)
    return f"{stop.what} halted: {stop.why}" if stop else ""


def _asks_redis(healer: HealerState) -> bool:
    """Whether a healer is known to ask Redis: it was told where, or was denied by what it said."""
    entry = healer.catalog
    if entry is not None and any(name == "HEAL_REDIS_URL" for name, _ in entry.environment):
        return True
    said = healer.cycle.verdict if isinstance(healer.cycle, CycleRecord) else None
    return said is not None and (said.guard == Guardrail.FLEET or " halted: " in said.reason)
