"""``explain``: would this healer act now, and why."""

from __future__ import annotations

import argparse
import time

from healconsole.cli.errors import DONE, RefusedError
from healconsole.cli.output import emit_json, paint, show
from healconsole.cli.settings import local_offset, look, settings, the_healer
from healconsole.core.ages import clock_time
from healconsole.core.explain import UNTOLD, answer, explain
from healconsole.core.status import explain_object
from healconsole.core.text import visible
from healconsole.core.unread import unread
from healconsole.core.verdict import Step, Verdict
from healconsole.core.words import StepResult

MARKS = {
    StepResult.PASS: ("✔", "good"),
    StepResult.DENY: ("✖", "bad"),
    StepResult.DRY: ("◌", "warn"),
    StepResult.UNKNOWN: ("!", "warn"),
    StepResult.OFF: ("·", "dim"),
    StepResult.NOT_REACHED: ("·", "dim"),
}
"""Glyph and colour of each result on the ladder."""


def run(args: argparse.Namespace) -> int:
    """Show the ladder of the guardrails for one healer."""
    config = settings(args)
    snapshot = look(config, markers_for=args.name)
    healer = the_healer(snapshot, args.name)
    if healer.problem:
        raise RefusedError(unread(healer.name, healer.problem))
    if healer.absent:
        raise RefusedError(f"{healer.name}: {UNTOLD}: {healer.absence}")
    now = time.time()
    verdict = explain(healer, snapshot, args.intent, now)
    if args.json:
        emit_json(explain_object(healer, verdict, now))
        return DONE
    says = answer(healer, verdict, now, config.thresholds, local_offset(now))
    show(f"{visible(healer.name)} {visible(says)}")
    show(f"  intent {visible(verdict.intent) or '(none known)'}, scope {visible(verdict.scope)}")
    for line in ladder(verdict, now):
        show(line)
    return DONE


def ladder(verdict: Verdict, now: float) -> list[str]:
    """One line for each guardrail: what it says, on what evidence, until when."""
    return [_rung(step, now) for step in verdict.steps]


def _rung(step: Step, now: float) -> str:
    glyph, kind = MARKS[step.result]
    until = "" if step.earliest is None else f"  (until {_time(step.earliest, now)})"
    return f"  {paint(glyph, kind)} {step.guard:<12} {visible(step.evidence)}{until}"


def _time(at: float, now: float) -> str:
    return clock_time(at, local_offset(now))
