"""``run``: one guarded cycle, planned, run and followed."""

from __future__ import annotations

import argparse
from concurrent.futures import Future, ThreadPoolExecutor

from healconsole.cli.acts import begin
from healconsole.cli.errors import DONE, INTERRUPTED, REFUSED, RefusedError
from healconsole.cli.output import complain, paint, show
from healconsole.core.acts import ActRefused
from healconsole.core.text import visible
from healconsole.core.words import Outcome
from healconsole.engine.runcycle import (
    NO_CYCLE,
    CyclePlan,
    CycleResult,
    OperatorCycle,
    PhaseEvent,
)
from healconsole.stores.auditlog import AuditUnwritable

_GOOD = frozenset({"", Outcome.SUCCESS, Outcome.DRY_RUN})
"""Outcomes of a cycle that did what it should, which may be nothing."""


def run(args: argparse.Namespace) -> int:
    """Plan a cycle, then run it if the guardrails allow, and follow it to its outcome.

    Raises:
        RefusedError: it cannot be run, or its start cannot be audited.
    """
    scene = begin(args)
    cycle = OperatorCycle(scene.desk, scene.healer, on_event=_tell)
    try:
        plan = cycle.plan()
        if scene.healer.daemon_pid is not None or not plan.problem:
            _tell_plan(plan)
        if _nothing_to_run(plan):
            return REFUSED if plan.verdict is not None else DONE
        # In a thread, so that Ctrl-C reaches this one while the cycle goes on to its record.
        with ThreadPoolExecutor(max_workers=1) as pool:
            running = pool.submit(cycle.run, reason=args.reason, incident=scene.incident)
            result, interrupted = _wait(running, cycle)
    except ActRefused as error:
        raise RefusedError(f"run {args.name}: refused: {error}") from error
    except AuditUnwritable as error:
        raise RefusedError(
            f"run {args.name}: the audit log cannot be written, so nothing ran: {error}"
        ) from error
    _tell_result(result)
    if interrupted:
        return INTERRUPTED
    return DONE if result.outcome in _GOOD and not result.problem else REFUSED


def _wait(running: Future[CycleResult], cycle: OperatorCycle) -> tuple[CycleResult, bool]:
    """The result, and whether Ctrl-C asked for a cancel on the way."""
    try:
        return running.result(), False
    except KeyboardInterrupt:
        complain(cycle.cancel())
        return running.result(), True


def _nothing_to_run(plan: CyclePlan) -> bool:
    return not plan.problem and (not plan.intent or _denied(plan))


def _denied(plan: CyclePlan) -> bool:
    return plan.verdict is not None and not plan.verdict.allow


def _tell_plan(plan: CyclePlan) -> None:
    if plan.problem:
        _line("plan", plan.problem, ok=None)
        return
    _line("detect", plan.fact, ok=True)
    _line("decide", plan.intent or "nothing to do", ok=True)
    if plan.verdict is not None:
        said = f"{plan.verdict.guard} {plan.verdict.reason}".strip()
        _line("guard", said, ok=plan.verdict.allow)
    if _denied(plan):
        show("Nothing was done.")


def _tell(event: PhaseEvent) -> None:
    if event.phase == "output":
        show(f"          │ {visible(event.text)}", at_once=True)
    else:
        _line(event.phase, event.text, ok=event.ok)


def _line(phase: str, text: str, *, ok: bool | None) -> None:
    glyph, kind = {True: ("✔", "good"), False: ("✖", "bad"), None: ("·", "dim")}[ok]
    show(f"  {phase.upper():<7} {paint(glyph, kind)} {visible(text)}", at_once=True)


def _tell_result(result: CycleResult) -> None:
    if result.problem:
        complain(result.problem)
    if not result.outcome and result.text == NO_CYCLE:
        show(f"not known  {NO_CYCLE}")
        return
    show(f"{visible(result.outcome) or 'nothing was done'}  {visible(result.text)}".rstrip())
