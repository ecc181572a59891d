"""What the ladder stands on that nobody told is marked as a guess, or as unknown."""

from __future__ import annotations

from healconsole.core.explain import denial, explain, sentence
from healconsole.core.records import Policy
from healconsole.core.snapshot import EMPTY, CatalogEntry
from healconsole.core.verdict import Verdict
from healconsole.core.words import Guardrail, StepResult
from tests.core.samples import NOW, breaker, bucket, healer, legacy

INTENT = "flush queue=a"


def rungs(verdict: Verdict) -> dict[Guardrail, str]:
    return {step.guard: step.evidence for step in verdict.steps}


GUESSED = legacy(last=None)


def test_assumed_limits_and_an_unknown_mode_are_marked() -> None:
    state = legacy(
        last=None,
        breakers=(breaker(INTENT, b"3 1763999999\n"),),
        buckets=(bucket(INTENT, b"1764000000 2.9\n"),),
    )
    verdict = explain(state, EMPTY, INTENT, NOW)
    said = rungs(verdict)
    assert said[Guardrail.RATE] == "2.9 of 3~ tokens"
    assert said[Guardrail.CIRCUIT] == verdict.reason == "3 of 3~ failed, open for 599 s more"
    assert said[Guardrail.IDEMPOTENCY] == "not acted on within 300~ s"
    assert denial(verdict, NOW).startswith("circuit open until ")
    assert verdict.steps[-1].result is StepResult.UNKNOWN
    assert said[Guardrail.DRY_RUN] == "not known: it reads only DRY_RUN in its environment"


def test_it_would_act_only_if_it_is_live() -> None:
    verdict = explain(GUESSED, EMPTY, INTENT, NOW)
    assert sentence(verdict, NOW) == "would act if it is live: all guardrails pass"
    assert rungs(verdict)[Guardrail.CIRCUIT] == "closed, 0 of 3~ failed"


def test_what_is_declared_or_told_is_a_fact() -> None:
    entry = CatalogEntry("legacy-mailq", "/x", policy=Policy())
    verdict = explain(legacy(catalog=entry), EMPTY, INTENT, NOW)
    assert "~" not in "".join(rungs(verdict).values())
    assert sentence(explain(healer(), EMPTY, None, NOW), NOW) == "would act: all guardrails pass"
    assert rungs(explain(healer(), EMPTY, None, NOW))[Guardrail.DRY_RUN] == "live"
