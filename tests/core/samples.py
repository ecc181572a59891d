"""Healers in states that the tests of the views need, as a state directory would give them."""

# ruff: noqa: ANN401 - the fields of a record, given by name

from __future__ import annotations

from dataclasses import replace
from typing import Any

from healconsole.core.auditline import AuditEvent
from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.claim import parse_claim
from healconsole.core.explain import explain
from healconsole.core.override import parse_override
from healconsole.core.plan import ActPlan
from healconsole.core.records import BreakerRecord, Corrupt, CycleRecord, Policy
from healconsole.core.scopes import scope_of_file
from healconsole.core.snapshot import EMPTY, HealerState, Heartbeat, ScopedBreaker, ScopedBucket
from healconsole.core.verdict import Verdict
from healconsole.core.words import Library

NOW = 1_764_000_000.0
POLICY = Policy()
OPEN = b"3 1763999852 3 600 open 1764000452\n"


def cycle(**given: Any) -> CycleRecord:
    """A cycle that ended well, 19 seconds ago, and is due again in 41."""
    fields: dict[str, Any] = {
        "at": NOW - 19,
        "seq": 7,
        "trigger": "timer",
        "fact": "queue_depth=3",
        "intent": "",
        "verdict": None,
        "outcome": "",
        "duration_ms": 12,
        "next_due": NOW + 41,
        "interval": 60.0,
        "pid": 4242,
        "library": Library.HEAL_SH,
        "version": "1",
        "policy": POLICY,
        "mode": "live",
    }
    return CycleRecord(**(fields | given))


def breaker(scope: str, raw: bytes, file: str = "") -> ScopedBreaker:
    """A breaker whose file holds `raw`."""
    path = file or f"cb/{scope}"
    return ScopedBreaker(scope, parse_breaker(raw, path), path)


def bucket(scope: str, raw: bytes, file: str = "") -> ScopedBucket:
    """A bucket whose file holds `raw`."""
    path = file or f"rate/{scope}"
    return ScopedBucket(scope, parse_bucket(raw, path), path)


def healer(name: str = "worker-queue-healer", **given: Any) -> HealerState:
    """A healthy healer on heal.sh."""
    record = given.pop("cycle", cycle())
    fields: dict[str, Any] = {
        "name": name,
        "path": f"/var/lib/heal/{name}",
        "library": Library.HEAL_SH,
        "cycle": record,
        "heartbeat": Heartbeat(record.at, "cycle.json")
        if isinstance(record, CycleRecord)
        else None,
        "breakers": (breaker("restart_worker", b"0 0 3 600 closed 0\n"),),
        "buckets": (bucket("restart_worker", b"1764000000 2.000000 0.016700 3\n"),),
        "last": event("success", "restart_worker pid=12345", NOW - 120),
    }
    return HealerState(**(fields | given))


def legacy(name: str = "legacy-mailq", **given: Any) -> HealerState:
    """A healthy healer on the legacy library."""
    fields: dict[str, Any] = {
        "library": Library.LEGACY,
        "cycle": None,
        "breakers": (breaker("flush queue=a", b"0 0\n"),),
        "buckets": (bucket("flush queue=a", b"1763999000 2.9833\n"),),
        "last": event("success", "flush queue=a", NOW - 9000),
    }
    return healer(name, **(fields | given))


def event(outcome: str, intent: str, ts: float, **given: Any) -> AuditEvent:
    """An audit event."""
    return AuditEvent(0, 0, ts, outcome=outcome, intent=intent, **given)


def applied(state: HealerState, plan: ActPlan) -> HealerState:
    """`state` with the changes of `plan` made, read back as a store would read them."""
    for change in plan.changes:
        folder = change.path.partition("/")[0].partition("-")[0]
        if change.path in {"hold", "dry-run"}:
            value = None
            if change.after is not None:
                value = parse_override(change.after, change.path)
            if change.path == "hold":
                assert state.hold == change.expect
                state = replace(state, hold=value)
            else:
                assert state.dry_run == change.expect
                state = replace(state, dry_run=value)
        elif folder == "claims":
            assert change.after is not None
            slot = int(change.path.partition("/")[2])
            assert parse_claim(change.after, slot) is None
            claims = tuple(c for c in state.claims if c != change.expect)
            assert len(claims) < len(state.claims)
            state = replace(state, claims=claims)
        elif folder == "cb":
            state = _with_breaker(state, change.path, change.expect, change.after)
        else:
            state = _with_bucket(state, change.path, change.expect, change.after)
    return state


def _with_breaker(
    state: HealerState, path: str, expect: object, after: bytes | None
) -> HealerState:
    assert after is not None
    was = next((b.record for b in state.breakers if b.file == path), None)
    assert was == expect
    record = parse_breaker(after, path)
    assert not isinstance(record, Corrupt)
    others = tuple(b for b in state.breakers if b.file != path)
    made = ScopedBreaker(scope_of_file(path[3:]), record, path)
    return replace(state, breakers=(*others, made))


def _with_bucket(state: HealerState, path: str, expect: object, after: bytes | None) -> HealerState:
    assert after is not None
    was = next((b.record for b in state.buckets if b.file == path), None)
    assert was == expect
    record = parse_bucket(after, path)
    assert not isinstance(record, Corrupt)
    others = tuple(b for b in state.buckets if b.file != path)
    made = ScopedBucket(scope_of_file(path[5:]), record, path)
    return replace(state, buckets=(*others, made))


INTENT = "restart_worker pid=1"


def asked(state: HealerState, now: float = NOW, intent: str = INTENT) -> Verdict:
    """What the guardrails say of one intent."""
    return explain(state, EMPTY, intent, now)


def legacy_denies(state: HealerState, scope: str, maximum: int, cooldown: int, now: float) -> bool:
    """What the legacy library reads: the first two fields, compared in whole seconds."""
    for found in state.breakers:
        if found.scope == scope and isinstance(found.record, BreakerRecord):
            record = found.record
            return record.failures >= maximum and int(now) - record.last_failure < cooldown
    return False
