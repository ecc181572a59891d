"""The lines of a dialog: a label on the left, what it says folded on the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from healconsole.core.ages import clock_time
from healconsole.core.auditline import AuditEvent
from healconsole.core.openings import parted
from healconsole.core.plan import ActPlan
from healconsole.tui.widgets.cells import EMPTY_LINE, Line, cell, fit, folded, gap
from healconsole.tui.words import outcome_sign

LABEL = 10
"""Columns of the labels."""
_MOST = 4
"""Lines that one sentence may take."""


def labelled(label: str, sentences: Iterable[str], width: int, tone: str = "text") -> list[Line]:
    """Return sentences below one another, beside a label that stands once."""
    lines: list[Line] = []
    for sentence in sentences:
        for part in folded(sentence, max(20, width - LABEL), _MOST):
            head = fit(label if not lines else "", LABEL, "dim")
            lines.append((head, cell(part, tone)))
    return lines


def plan_lines(plan: ActPlan, width: int, utc_offset_s: int) -> list[Line]:
    """Return a plan: now, after, next, warnings, and what opened the circuit."""
    lines = [
        *labelled("now", plan.now_lines, width),
        *labelled("after", plan.after_lines, width, "strong"),
        *labelled("next", (" ".join(plan.next_lines),), width),
        *labelled("warning", (f"! {text}" for text in plan.warnings), width, "warn"),
    ]
    if plan.failures:
        lines += [EMPTY_LINE, (cell("what opened it", "dim"),)]
        lines += failure_lines(plan.failures, width, utc_offset_s)
    if plan.trend:
        lines += labelled("", (plan.trend,), width, "warn")
    return lines


def failure_lines(events: Sequence[AuditEvent], width: int, utc_offset_s: int) -> list[Line]:
    """Return failures with their times, intents and facts, oldest first.

    What all facts say stands once, below them: a low terminal shows it whole.
    """
    facts, same = parted([event.fact for event in events])
    intent = max(16, min(max((len(event.intent) for event in events), default=0), width // 3))
    lines: list[Line] = [
        (
            cell(clock_time(event.ts, utc_offset_s) if event.ts is not None else "--:--:--", "dim"),
            gap(1),
            fit(event.outcome, 13, outcome_sign(event.outcome).tone),
            gap(1),
            fit(event.intent, intent),
            gap(1),
            fit(fact, max(8, width - intent - 24), "dim"),
        )
        for event, fact in zip(events, facts, strict=True)
    ]
    return lines + labelled("each time", (same,) if same else (), width)


def several_lines(plans: Sequence[ActPlan], refused: Sequence[str], width: int) -> list[Line]:
    """Return what is, will be and comes next of each of several healers, one below another."""
    lines: list[Line] = []
    for plan in plans:
        lines += folded_in(plan.healer, "strong", width)
        lines += labelled("  now", ("; ".join(plan.now_lines),), width)
        lines += labelled("  after", ("; ".join(plan.after_lines),), width, "strong")
        lines += labelled("  next", (" ".join(plan.next_lines),), width)
        lines += labelled("  warning", (f"! {text}" for text in plan.warnings), width, "warn")
    lines += labelled("left out", refused, width, "warn")
    return lines


def now_lines(plans: Sequence[ActPlan], width: int) -> list[Line]:
    """Return what is now of each of the healers, where it is not known what will be."""
    lines: list[Line] = []
    for plan in plans:
        lines += folded_in(plan.healer, "strong", width) if len(plans) > 1 else []
        lines += labelled("  now" if len(plans) > 1 else "now", plan.now_lines, width)
    return lines


def folded_in(text: str, tone: str, width: int) -> list[Line]:
    """Return a text of its own lines."""
    return [(cell(part, tone),) for part in folded(text, width, 2)]
