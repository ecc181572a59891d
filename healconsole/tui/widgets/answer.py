"""The answer to "Would it act now?" for one healer, as short or as long as there is room."""

from __future__ import annotations

from healconsole.core.ages import clock_time
from healconsole.core.explain import explain, sentence
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.tui.widgets.cells import Line, cell, fit, folded, gap
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.healerparts import parts_lines
from healconsole.tui.widgets.ladder import compact_ladder, ladder_lines, verdict_tone


class Answer(CellView):
    """One sentence and the guardrails behind it; with room to spare what they were asked on."""

    def show(
        self,
        healer: HealerState | None,
        snapshot: Snapshot,
        now: float,
        utc_offset_s: int,
        *,
        at_length: bool,
    ) -> None:
        """Answer for ``healer``: in two or three lines, or with every guardrail on its own."""
        width = self.size.width
        if not width:
            return
        if healer is None:
            self.show_lines(_nobody(snapshot, width))
        elif not at_length:
            self.show_lines(_short(healer, snapshot, now, width, utc_offset_s))
        else:
            self.show_lines(
                [
                    *answer_lines(healer, snapshot, now, width, utc_offset_s),
                    (),
                    *parts_lines(healer, now, width, utc_offset_s),
                ]
            )


def answer_lines(
    healer: HealerState,
    snapshot: Snapshot,
    now: float,
    width: int,
    utc_offset_s: int,
    intent: str | None = None,
) -> list[Line]:
    """Return the sentence, what it was asked for, and one line for each guardrail."""
    verdict = explain(healer, snapshot, intent, now)
    says = sentence(verdict, now, utc_offset_s)
    tone = verdict_tone(verdict)
    return [
        *((gap(1), cell(part, tone)) for part in folded(says, width - 2)),
        (gap(1), cell("for ", "dim"), fit(verdict.intent, width - 6, "text")),
        (),
        *ladder_lines(verdict, width - 1, lambda at: clock_time(at, utc_offset_s)),
    ]


def _short(
    healer: HealerState, snapshot: Snapshot, now: float, width: int, utc_offset_s: int
) -> list[Line]:
    verdict = explain(healer, snapshot, None, now)
    says = f"{healer.name} {sentence(verdict, now, utc_offset_s)}"
    tone = verdict_tone(verdict)
    return [
        *((gap(1), cell(part, tone)) for part in folded(says, width - 2, 2)),
        compact_ladder(verdict, width),
    ]


def _nobody(snapshot: Snapshot, width: int) -> list[Line]:
    """What to do when there is no healer at all."""
    detail = snapshot.state_health.detail
    lines: list[Line] = [(gap(1), fit(detail, width - 2, "warn"))] if detail else []
    says = (
        "Point --state-root (or HEAL_STATE_ROOT) at the directory that your healers keep their "
        "state in; each appears here with its first cycle. To see how this looks with healers "
        "at work, run: healconsole demo"
    )
    lines += [(gap(1), cell(part, "text")) for part in folded(says, width - 2, 6)]
    return lines
