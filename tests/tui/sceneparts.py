"""What the scenes are put together from, as of one instant."""

from __future__ import annotations

from typing import Any

from healconsole.core.ages import iso
from healconsole.core.auditchain import linked
from healconsole.core.auditline import AuditEvent
from healconsole.core.auditparse import format_event, parse_line
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.records import (
    MICRO,
    BreakerRecord,
    BucketRecord,
    CycleRecord,
    MarkerRecord,
    Policy,
    VerdictRecord,
)
from healconsole.core.snapshot import (
    Heartbeat,
    ScopedBreaker,
    ScopedBucket,
)
from healconsole.core.words import Circuit, Library

NOW = 1_795_444_327.0
"""2026-11-23 14:32:07 UTC."""


POLICY = Policy()


def event(ago: float, healer: str, outcome: str, intent: str, **more: Any) -> AuditEvent:  # noqa: ANN401
    """An event ``ago`` seconds before `NOW`."""
    unlinked = format_event(
        ts_text=iso(NOW - ago, millis=True),
        host="web-07",
        healer=healer,
        outcome=outcome,
        intent=intent,
        pid=4711,
        duration_ms=40,
        trigger="timer",
        **more,
    )
    parsed = parse_line(linked(unlinked, ""), int((2_000_000 - ago) * 10))
    assert isinstance(parsed, AuditEvent)
    return parsed


def cycle(
    ago: float,
    intent: str = "",
    *,
    fact: str = "",
    outcome: str = "",
    verdict: VerdictRecord | None = None,
    interval: float = 60.0,
    library: Library = Library.HEAL_SH,
    mode: str = "live",
) -> CycleRecord:
    """A cycle ``ago`` seconds before `NOW`."""
    return CycleRecord(
        at=NOW - ago,
        seq=412,
        trigger="timer",
        fact=fact,
        intent=intent,
        verdict=verdict,
        outcome=outcome,
        duration_ms=40,
        next_due=NOW - ago + interval,
        interval=interval,
        pid=4711,
        library=library,
        version="0.1.0",
        policy=POLICY,
        mode=mode,
    )


def beat(ago: float, source: str = "cycle.json") -> Heartbeat:
    """A heartbeat ``ago`` seconds before `NOW`."""
    return Heartbeat(NOW - ago, source)


def markers(*ages: float, intent: str = "restart_worker pid={}") -> tuple[MarkerRecord, ...]:
    """Markers of those ages."""
    return tuple(
        MarkerRecord(
            key=marker_key(
                intent.format(12012 - 48 * index), bucket_number(NOW - ago, POLICY.bucket)
            ),
            at=int(NOW - ago),
            intent=intent.format(12012 - 48 * index),
            scope=intent.split(" ", 1)[0],
            pid=4711,
            outcome="success",
        )
        for index, ago in enumerate(ages)
    )


def bucket(scope: str, tokens: float, ago: float = 0) -> ScopedBucket:
    """A bucket that held ``tokens`` so long ago."""
    record = BucketRecord(int(NOW - ago), int(tokens * MICRO), POLICY.rate_micro, POLICY.burst)
    return ScopedBucket(scope, record, f"rate/{scope}")


def breaker(
    scope: str, state: Circuit, failures: int = 0, ago: float = 0, until: int = 0
) -> ScopedBreaker:
    """A breaker in a state of ours."""
    record = BreakerRecord(failures, int(NOW - ago) if failures else 0, 3, 600, state, until)
    return ScopedBreaker(scope, record, f"cb/{scope}")
