"""The guardrails of one verdict, as one sentence, one line, or one rung each."""

from __future__ import annotations

from collections.abc import Callable

from healconsole.core.verdict import Step, Verdict
from healconsole.core.words import StepResult
from healconsole.tui.widgets.cells import Cell, Line, cell, fit, gap
from healconsole.tui.words import STEP_SIGNS

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
        bad = step.result in {StepResult.DENY, StepResult.UNKNOWN, StepResult.DRY}
        text = f"{sign.glyph} {step.guard}"
        if bad and step.guard is verdict.guard:
            text += f" {step.evidence}"
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
    when = f"  {spelled(step.earliest)}" if step.earliest is not None else ""
    return [fit(step.evidence + when, max(0, room), tone)]
