"""What a cycle came to, as ``cycle.json`` has it."""

from __future__ import annotations

import os

from healconsole import __version__
from healconsole.core.records import CycleRecord, VerdictRecord
from healconsole.core.verdict import Verdict
from healconsole.core.words import Library, Outcome
from healconsole.engine.asked import GuardedResult
from healconsole.engine.guard import Guard

FACT_LIMIT = 16_384
"""Characters of a fact that are kept: the whole file is at most 64 kB."""


def verdict_record(verdict: Verdict) -> VerdictRecord:
    """A verdict as ``cycle.json`` and ``--plan`` have it."""
    guard = "" if verdict.guard is None else str(verdict.guard)
    return VerdictRecord(verdict.allow, guard, verdict.reason, verdict.earliest)


def made_record(
    guard: Guard,
    last: CycleRecord | None,
    result: GuardedResult | None,
    *,
    at: float,
    began_at: float,
    duration_ms: int,
    trigger: str,
    fact: str,
    intent: str,
    interval: float,
) -> CycleRecord:
    """The record of a cycle that ended at ``at``; ``result`` is None if nothing was asked for.

    ``interval`` is 0 where nobody knows when the next one comes.
    """
    acted = result is not None and result.outcome is not Outcome.DENIED
    return CycleRecord(
        at=round(at, 3),
        seq=last.seq + 1 if last is not None else 1,
        trigger=trigger,
        fact=fact[:FACT_LIMIT],
        intent=intent,
        verdict=verdict_record(result.verdict) if result is not None else None,
        outcome=result.outcome if result is not None and acted else "",
        duration_ms=duration_ms,
        next_due=round(max(began_at + interval, at), 3) if interval else 0,
        interval=interval,
        pid=os.getpid(),
        library=Library.PYTHON,
        version=__version__,
        policy=guard.policy,
        mode="dry-run" if guard.is_dry() else "live",
    )
