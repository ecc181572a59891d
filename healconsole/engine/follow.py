"""Following a cycle that another process runs, through what it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from healconsole.core.auditline import AuditEvent
from healconsole.core.frozen import Frozen
from healconsole.core.records import CycleRecord, VerdictRecord
from healconsole.core.words import Outcome
from healconsole.engine.heartbeat import read_cycle
from healconsole.stores.tail import Tail

Phase = Literal["detect", "decide", "guard", "act", "verify", "output", "done"]


class PhaseEvent(Frozen):
    """One thing that happened in a cycle that is followed.

    ``text`` may hold data from outside. ``ok`` is None while the phase goes on.
    """

    phase: Phase
    text: str
    ok: bool | None = None
    verdict: VerdictRecord | None = None


OnEvent = Callable[[PhaseEvent], None]

_FAILED_ACTIONS = frozenset({Outcome.ACTION_FAILED, Outcome.TIMED_OUT})


class Follower:
    """Tells the phases of one healer's next cycle, each once, from its log and ``cycle.json``.

    Made before the cycle is asked for, so that nothing of it is missed.
    """

    def __init__(self, healer: str, state_dir: Path, audit: Path, on_event: OnEvent) -> None:
        self._healer = healer
        self._state_dir = state_dir
        self._on_event = on_event
        self._tail = Tail(audit)
        while self._tail.poll().more:
            pass
        before = read_cycle(state_dir)
        self._before = (before.pid, before.seq) if before is not None else None
        self._said: set[str] = set()
        self.last: AuditEvent | None = None
        """The last event of the cycle, started or outcome."""

    def close(self) -> None:
        """Let go of the log."""
        self._tail.close()

    def look(self) -> None:
        """Tell what the log has to say by now."""
        while True:
            step = self._tail.poll()
            for line in step.lines:
                if isinstance(line, AuditEvent) and line.healer == self._healer:
                    self._tell(line)
            if not step.more:
                return

    def record(self, trigger: str | None) -> CycleRecord | None:
        """The record of the cycle, once it is there; with ``trigger``, only one begun by it."""
        found = read_cycle(self._state_dir)
        if found is None or (found.pid, found.seq) == self._before:
            return None
        return found if trigger is None or found.trigger == trigger else None

    def conclude(self, record: CycleRecord) -> None:
        """Tell what the log did not: a cycle with nothing to do writes no event."""
        self._once("detect", record.fact, ok="=ERROR" not in record.fact)
        self._once("decide", record.intent or "nothing to do", ok=True)
        if record.verdict is not None:
            self._once(
                "guard", record.verdict.reason, ok=record.verdict.allow, verdict=record.verdict
            )

    def _tell(self, event: AuditEvent) -> None:
        outcome = event.outcome
        if outcome.startswith("operator-"):
            return
        if outcome == Outcome.INTERRUPTED:
            self._on_event(PhaseEvent("guard", f"interrupted: {event.reason}", ok=False))
            return
        if event.fact:
            self._once("detect", event.fact, ok="=ERROR" not in event.fact)
        self._once("decide", event.intent, ok=True)
        self.last = event
        if outcome == Outcome.DENIED:
            self._once("guard", f"{event.guard}: {event.reason}", ok=False)
        elif outcome == Outcome.DRY_RUN:
            self._once("guard", event.reason or "dry-run", ok=True)
        elif outcome == Outcome.STARTED:
            self._once("guard", "all guardrails pass", ok=True)
            self._on_event(PhaseEvent("act", "started"))
        else:
            self._tell_outcome(outcome, event.reason)

    def _tell_outcome(self, outcome: str, reason: str) -> None:
        self._once("guard", "all guardrails pass", ok=True)
        if outcome in _FAILED_ACTIONS:
            self._once("act", reason or outcome, ok=False)
            return
        self._once("act", "done", ok=True)
        self._once("verify", reason or outcome, ok=outcome == Outcome.SUCCESS)

    def _once(
        self, phase: Phase, text: str, *, ok: bool, verdict: VerdictRecord | None = None
    ) -> None:
        if phase not in self._said:
            self._said.add(phase)
            self._on_event(PhaseEvent(phase, text, ok, verdict))
