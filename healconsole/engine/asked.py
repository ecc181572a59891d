"""What a guard is asked, and what it answers."""

from __future__ import annotations

from healconsole.core.frozen import Frozen
from healconsole.core.records import ClaimRecord
from healconsole.core.verdict import FleetState, Intent, Verdict
from healconsole.core.words import Outcome
from healconsole.engine.fleet import Leases


class Asked(Frozen):
    """An intent with what goes into its audit events."""

    intent: Intent
    fact: str
    reason: str
    trigger: str
    again: str = ""
    """The guardrail that denied it in an earlier process."""
    fleet: FleetState | None = None
    """What Redis said at the peek."""
    duration_ms: int = 0

    def with_reason(self, why: str) -> str:
        """The caller's reason, then why it went as it went."""
        return "; ".join(part for part in (self.reason, why) if part)


class Begun(Frozen):
    """An act between its ``started`` and its outcome."""

    asked: Asked
    verdict: Verdict
    claim: ClaimRecord
    lease: Leases | None
    began: float
    """``time.monotonic`` of the start."""


class GuardedResult(Frozen):
    """What a guarded act came to. ``problem`` says what is not recorded yet, and why."""

    verdict: Verdict
    outcome: Outcome
    reason: str = ""
    duration_ms: int = 0
    exit_code: int = 0
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether it acted, and it was verified."""
        return self.outcome is Outcome.SUCCESS

    @property
    def sentence(self) -> str:
        """One line for people; may hold data from outside."""
        if self.outcome is Outcome.DENIED:
            return f"denied by {self.verdict.guard}: {self.reason}"
        if self.outcome is Outcome.DRY_RUN:
            return f"{self.reason}; nothing was done"
        took = f"{self.outcome} in {self.duration_ms / 1000:.1f} s"
        return "; ".join(part for part in (took, self.reason, self.problem) if part)


class Denied(Exception):  # noqa: N818 - an answer: the block was not entered
    """A guarded block was not entered: a guardrail denied, or it was a dry-run."""

    def __init__(self, result: GuardedResult) -> None:
        super().__init__(result.sentence)
        self.result = result
