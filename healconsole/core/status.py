"""The objects that ``--json`` prints. Their keys are an interface: scripts read them."""

from __future__ import annotations

from typing import Any

from healconsole.core.auditline import AuditEvent
from healconsole.core.breaker import breaker_now
from healconsole.core.bucket import next_token_in, tokens_now
from healconsole.core.explain import explain, halt_reaching
from healconsole.core.halt import halted
from healconsole.core.holding import ghosts
from healconsole.core.limits import limits_of
from healconsole.core.mode import mode_now
from healconsole.core.records import MICRO, Corrupt, OverrideRecord
from healconsole.core.shadow import rehearsed
from healconsole.core.snapshot import (
    HealerState,
    Heartbeat,
    Host,
    Lock,
    ScopedBreaker,
    ScopedBucket,
    Snapshot,
)
from healconsole.core.stops import stops_said
from healconsole.core.text import encodable
from healconsole.core.verdict import Verdict
from healconsole.core.view import (
    DEFAULT_THRESHOLDS,
    Thresholds,
    healer_row,
    heartbeat_age,
    markers_active,
)
from healconsole.core.words import Circuit, SourceState

_READABLE = frozenset({SourceState.LIVE, SourceState.POLLING})


def status_object(
    snapshot: Snapshot, now: float, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> dict[str, Any]:
    """Return the object of ``status --json``. Times are epoch seconds, spans seconds.

    What could not be read is null: breakers, buckets, the numbers of markers. ``stopped`` is
    there while an operator or the storm brake stops something.
    """
    audit, redis = snapshot.audit_health, snapshot.redis_health
    found = {
        "taken_at": snapshot.taken_at,
        "host": snapshot.host,
        "audit": {
            "path": snapshot.audit.path,
            "state": str(audit.state),
            "lag_s": None if audit.last_ok is None else _span(now - audit.last_ok),
            "unparsable": snapshot.audit.unparsable,
        },
        "redis": {"state": str(redis.state), "latency_ms": redis.latency_ms},
        "healers": [healer_object(h, snapshot, now, thresholds) for h in snapshot.healers],
        "locks": [_lock(lock, snapshot, now) for lock in snapshot.locks],
    }
    if stops := stops_said(snapshot, now):
        found["stopped"] = list(stops)
    if snapshot.fleet:
        found["hosts"] = [_host(host, now) for host in snapshot.hosts]
    return _jsonable(found)


def locks_object(snapshot: Snapshot, now: float) -> dict[str, Any]:
    """Return the object of ``locks --json``: the Redis of `status_object`, and its locks."""
    redis, dead = snapshot.redis_health, ghosts(snapshot, now)
    found = {
        "taken_at": snapshot.taken_at,
        "redis": {
            "state": str(redis.state),
            "latency_ms": redis.latency_ms,
            "detail": redis.detail,
        },
        "halted": halted(snapshot.halt, now),
        "locks": [
            _lock(lock, snapshot, now) | {"fence": lock.fence, "ghost": dead.get(lock.key, "")}
            for lock in snapshot.locks
        ],
    }
    return _jsonable(found)


def explain_object(healer: HealerState, verdict: Verdict, now: float) -> dict[str, Any]:
    """Return the object of ``explain --json``: the verdict with every rung of its ladder."""
    found = {
        "healer": healer.name,
        "asked_at": now,
        "mode": mode_now(healer, now),
        "intent": verdict.intent,
        "scope": verdict.scope,
        "verdict": verdict_object(verdict),
        "dry_run": verdict.dry_run,
        "probe": verdict.probe,
        "steps": [
            {
                "guard": str(step.guard),
                "result": str(step.result),
                "evidence": step.evidence,
                "earliest": step.earliest,
            }
            for step in verdict.steps
        ],
    }
    return _jsonable(found)


def verdict_object(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as ``cycle.json`` spells it. ``guard`` is empty if it allows."""
    return {
        "allow": verdict.allow,
        "guard": "" if verdict.guard is None else str(verdict.guard),
        "reason": verdict.reason,
        "earliest": verdict.earliest,
    }


def healer_object(
    healer: HealerState,
    snapshot: Snapshot,
    now: float,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> dict[str, Any]:
    """Return one healer of `status_object`."""
    decides = rehearsed(healer, now)
    policy = limits_of(decides).policy
    row = healer_row(healer, now, thresholds, halt_reaching(healer, snapshot, now))
    of_fleet = {"host": healer.host, "state": row.word}
    return {
        "name": healer.name,
        **(of_fleet if snapshot.fleet else {}),
        "library": str(healer.library),
        "mode": mode_now(healer, now),
        "hold": _override(healer.hold),
        "heartbeat": _heartbeat(healer, now, thresholds),
        "running": {"pid": healer.daemon_pid},
        "breakers": None
        if "cb" in healer.unread
        else [_breaker(healer, breaker, now) for breaker in healer.breakers],
        "buckets": None
        if "rate" in decides.unread
        else [_bucket(decides, bucket, now) for bucket in decides.buckets],
        "markers": {
            "active": markers_active(decides, policy.bucket, now),
            "total": None if "keys" in decides.unread else decides.markers_total,
        },
        "last": _last(healer.last),
        "verdict": verdict_object(explain(healer, snapshot, None, now)),
    }


def _host(host: Host, now: float) -> dict[str, Any]:
    lost = None if host.lost_since is None else _span(max(0.0, now - host.lost_since))
    return {
        "name": host.name,
        "state": "live" if lost is None else "lost",
        "lost_s": lost,
        "healers": host.healers,
        "problem": host.problem,
    }


def _heartbeat(healer: HealerState, now: float, thresholds: Thresholds) -> dict[str, Any]:
    old, stale = heartbeat_age(healer, now, thresholds)
    beat = healer.heartbeat
    if old is None or not isinstance(beat, Heartbeat):
        return {"at": None, "age_s": None, "state": "unknown", "source": None}
    state = "stale" if stale else "fresh"
    return {"at": beat.at, "age_s": _span(old), "state": state, "source": beat.source}


def _breaker(healer: HealerState, breaker: ScopedBreaker, now: float) -> dict[str, Any]:
    limits = limits_of(healer, breaker.scope)
    policy = limits.policy
    found: dict[str, Any] = {"scope": breaker.scope, "state": str(Circuit.CORRUPT)}
    if isinstance(breaker.record, Corrupt):
        found |= {"failures": None, "max": policy.max_failures, "remaining_s": None}
    else:
        current = breaker_now(breaker.record, policy.max_failures, policy.cooldown, now)
        found |= {
            "state": str(current.state),
            "failures": current.failures,
            "max": policy.max_failures,
            "remaining_s": None if current.until is None else _span(current.until - now),
        }
    return found | {"assumed": limits.breaker_assumed}


def _bucket(healer: HealerState, bucket: ScopedBucket, now: float) -> dict[str, Any]:
    limits = limits_of(healer, bucket.scope)
    policy = limits.policy
    tokens = wait = None
    if not isinstance(bucket.record, Corrupt):
        tokens = tokens_now(bucket.record, policy.rate_micro, policy.burst, now)
        wait = next_token_in(tokens, policy.rate_micro, policy.burst)
    return {
        "scope": bucket.scope,
        "tokens": None if tokens is None else tokens / MICRO,
        "burst": policy.burst,
        "rate": policy.rate,
        "next_token_s": None if wait is None else _span(wait),
        "assumed": limits.rate_assumed,
    }


def _last(event: AuditEvent | None) -> dict[str, Any] | None:
    if event is None:
        return None
    return {
        "ts": event.ts_text,
        "outcome": event.outcome,
        "intent": event.intent,
        "reason": event.reason,
        "guard": event.guard,
    }


def _override(override: OverrideRecord | Corrupt | None) -> dict[str, Any] | None:
    if override is None:
        return None
    if isinstance(override, Corrupt):
        return {"state": str(Circuit.CORRUPT), "since": None, "until": None, "operator": None}
    return {
        "state": "on" if override.on else "off",
        "since": override.since,
        "until": override.until or None,
        "operator": override.operator,
    }


def _lock(lock: Lock, snapshot: Snapshot, now: float) -> dict[str, Any]:
    left = None if lock.expires_at is None else _span(max(0.0, lock.expires_at - now))
    state = "free" if left == 0 else "held"
    if snapshot.redis_health.state not in _READABLE:
        # What was read before Redis went silent is no news of now.
        state = "unknown"
    return {"key": lock.key, "owner": lock.owner, "state": state, "ttl_s": left}


def _span(seconds: float) -> float:
    return round(seconds, 3)


def _jsonable(value: dict[str, Any]) -> dict[str, Any]:
    return {name: _clean(inner) for name, inner in value.items()}


def _clean(value: object) -> object:
    """`value` with each text as JSON can carry it, and otherwise exact."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {name: _clean(inner) for name, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list) else value
