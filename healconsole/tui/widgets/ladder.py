"""The guardrails of one verdict, as one sentence, one line, or one rung each."""

from __future__ import annotations

import re
from collections.abc import Callable

from healconsole.core.pattern import pattern
from healconsole.core.verdict import Step, Verdict
from healconsole.core.words import Guardrail, StepResult
from healconsole.tui.widgets.cells import Cell, Line, cell, fit, gap
from healconsole.tui.words import STEP_SIGNS

# The sentence above the ladder, and the time beside the rung, tell it better.
_UNTIL = pattern(r",? (?:open )?(?:for|in|not again for) \d+ s(?: more)?$", re.ASCII)

Spelled = Callable[[int], str]
"""Spells the time (epoch seconds) at which something changes."""


def verdict_tone(verdict: Verdict) -> str:
    """Return the tone of the answer."""
    if not verdict.allow:
        return "alarm"
    return "info" if verdict.dry_run else "ok"


def compact_ladder(verdict: Verdict, width: int) -> Line:
    """Return all guardrails on one line; the denying ones with their evidence first to stay."""
    cells: list[Cell] = [gap(1)]
    used = 1
    for step in verdict.steps:
        sign = STEP_SIGNS[step.result]
        if step.guard is Guardrail.INTENT and step.result is StepResult.PASS:
            continue  # says only that there is an intent
        bad = step.result in {StepResult.DENY, StepResult.UNKNOWN, StepResult.DRY}
        text = f"{sign.glyph} {step.guard}"
        if bad and step.guard is verdict.guard:
            text += f" {_UNTIL.sub('', step.evidence)}"
        room = width - used - 1
        if room < 4:
            break
        piece = cell(text, sign.tone if bad else "dim")
        if piece.width > room:
            piece = fit(text, room, piece.tone)
        cells += [piece, gap(2)]
        used += piece.width + 2
    return tuple(cells)


def ladder_lines(verdict: Verdict, width: int, spelled: Spelled) -> list[Line]:
    """Return one line for each guardrail: sign, name, evidence, and when it can change."""
    lines: list[Line] = []
    for step in verdict.steps:
        sign = STEP_SIGNS[step.result]
        denies = step.guard is verdict.guard and not verdict.allow
        lines.append(
            (
                gap(1),
                cell(sign.glyph, sign.tone),
                gap(1),
                fit(str(step.guard), 12, "strong" if denies else "text"),
                *_evidence(step, width - 16, spelled, strong=denies),
            )
        )
    return lines


def _evidence(step: Step, room: int, spelled: Spelled, *, strong: bool) -> list[Cell]:
    tone = STEP_SIGNS[step.result].tone if strong else "dim"
    if step.earliest is None:
        return [fit(step.evidence, max(0, room), tone)]
    says, when = cell(_UNTIL.sub("", step.evidence), tone), cell(spelled(step.earliest), tone)
    free = room - says.width - when.width
    if free < 2:
        return [fit(says.text, max(0, room - when.width - 1), tone), gap(1), when]
    return [says, gap(free), when]
