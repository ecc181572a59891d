"""The answer to "Would it act now?" for one healer, as short or as long as there is room."""

from __future__ import annotations

from healconsole.core.explain import explain, sentence
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.tui.widgets.cells import Line, cell, fit, gap
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.healerparts import parts_lines
from healconsole.tui.widgets.ladder import compact_ladder, ladder_lines, verdict_tone
from healconsole.tui.widgets.times import when

_LADDER_FROM = 8
"""Rows from which every guardrail has a line of its own."""


class Answer(CellView):
    """One sentence and the guardrails behind it; with room to spare what they were asked on."""

    def show(
        self, healer: HealerState | None, snapshot: Snapshot, now: float, utc_offset_s: int
    ) -> None:
        """Answer for ``healer``."""
        width, height = self.size.width, self.size.height
        if not width:
            return
        if healer is None:
            self.show_lines(_nobody(snapshot, width))
            return
        verdict = explain(healer, snapshot, None, now)
        says = f"{healer.name} {sentence(verdict, now, utc_offset_s)}"
        lines: list[Line] = [(gap(1), fit(says, width - 2, verdict_tone(verdict)))]
        if height < _LADDER_FROM:
            lines.append(compact_ladder(verdict, width))
        else:
            intent = verdict.intent
            lines.append((gap(1), cell("for ", "dim"), fit(intent, width - 6, "text")))
            lines.append(())
            lines += ladder_lines(verdict, width, lambda at: when(at, now, utc_offset_s))
            lines.append(())
            lines += parts_lines(healer, now, width, utc_offset_s)
        self.show_lines(lines)


def _nobody(snapshot: Snapshot, width: int) -> list[Line]:
    detail = snapshot.state_health.detail
    says = "No healer has left any state yet."
    lines: list[Line] = [(gap(1), cell(says, "text"))]
    if detail:
        lines.append((gap(1), fit(detail, width - 2, "dim")))
    return lines
