"""What of a verdict stands on a guess: limits that nobody declared, a mode that nobody told."""

from __future__ import annotations

from typing import Final

from healconsole.core.frozen import replace
from healconsole.core.limits import Limits
from healconsole.core.mode import dry_known, reads_overrides
from healconsole.core.pattern import pattern
from healconsole.core.snapshot import HealerState
from healconsole.core.verdict import Step, Verdict
from healconsole.core.words import Guardrail, StepResult

_LEGACY: Final = "not known: it reads only DRY_RUN in its environment"
_UNTOLD: Final = "not known: no cycle has told it yet"
_LIMIT: Final = pattern(r"(?<= of )[0-9]+(?= (?:failed|tokens))|(?<=within )[0-9]+(?= s$)")


def doubted(verdict: Verdict, healer: HealerState, limits: Limits, now: float) -> Verdict:
    """Return ``verdict`` with ``~`` behind what is assumed, and an unknown mode said to be so."""
    steps = tuple(_marked(step, limits) for step in verdict.steps)
    if steps and steps[-1].guard is Guardrail.DRY_RUN and not dry_known(healer, now):
        why = _UNTOLD if reads_overrides(healer) else _LEGACY
        steps = (*steps[:-1], Step(Guardrail.DRY_RUN, StepResult.UNKNOWN, why))
    if steps == verdict.steps:
        return verdict
    denial = next((step for step in steps if step.guard is verdict.guard), None)
    return replace(verdict, steps=steps, reason=denial.evidence if denial else verdict.reason)


def mode_doubted(verdict: Verdict) -> bool:
    """Whether it is not known if what ``verdict`` allows is done, or only written.

    >>> mode_doubted(Verdict("a", "a", True, None, "", None, False, False))
    False
    """
    return any(
        step.guard is Guardrail.DRY_RUN and step.result is StepResult.UNKNOWN
        for step in verdict.steps
    )


def _marked(step: Step, limits: Limits) -> Step:
    assumed = {
        Guardrail.IDEMPOTENCY: "bucket" in limits.assumed,
        Guardrail.RATE: limits.rate_assumed,
        Guardrail.CIRCUIT: limits.breaker_assumed,
    }.get(step.guard, False)
    if not assumed:
        return step
    return replace(step, evidence=_LIMIT.sub(lambda found: f"{found[0]}~", step.evidence))
