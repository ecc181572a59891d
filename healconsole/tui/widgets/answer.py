"""The answer to "Would it act now?" for one healer, as short or as long as there is room."""

from __future__ import annotations

from collections.abc import Callable

from healconsole.core.ages import age, clock_time
from healconsole.core.explain import answer, explain, unseen
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.core.standing import Thresholds
from healconsole.core.verdict import Verdict
from healconsole.tui.widgets.cells import Line, cell, fit, folded, gap
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.healerparts import parts_lines
from healconsole.tui.widgets.ladder import compact_ladder, ladder_lines, verdict_tone


class Answer(CellView):
    """One sentence and the guardrails behind it; with room to spare what they were asked on."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._answer: Callable[[int], list[Line]] = _nothing
        """What there is to say, by the width that there is for it."""

    def show(
        self,
        healer: HealerState | None,
        snapshot: Snapshot,
        now: float,
        utc_offset_s: int,
        thresholds: Thresholds,
        *,
        at_length: bool,
    ) -> None:
        """Answer for ``healer``: in two or three lines, or with every guardrail on its own."""

        def answer(width: int) -> list[Line]:
            if healer is None:
                return _nobody(snapshot, width)
            if not at_length:
                return _short(healer, snapshot, now, width, utc_offset_s, thresholds)
            return [
                *answer_lines(healer, snapshot, now, width, utc_offset_s, thresholds),
                (),
                *parts_lines(healer, now, width, utc_offset_s),
            ]

        self._answer = answer
        # Before it has a size: the lines decide how high it is where they are few.
        self.show_lines(answer(self.size.width or self.app.size.width))

    def say(self, text: str) -> None:
        """Say a sentence, where there is no healer to answer for. It may hold data."""

        def answer(width: int) -> list[Line]:
            return [(gap(1), cell(part, "text")) for part in folded(text, width - 2, 6)]

        self._answer = answer
        self.show_lines(answer(self.size.width or self.app.size.width))

    def resized(self) -> None:
        """Answer for the new width."""
        self.show_lines(self._answer(self.size.width))


def _nothing(_width: int) -> list[Line]:
    return []


def answer_lines(
    healer: HealerState,
    snapshot: Snapshot,
    now: float,
    width: int,
    utc_offset_s: int,
    thresholds: Thresholds,
    intent: str | None = None,
) -> list[Line]:
    """Return the sentence, what it was asked for, and one line for each guardrail."""
    verdict = explain(healer, snapshot, intent, now)
    says, tone = _says(healer, verdict, now, utc_offset_s, thresholds)
    return [
        *((gap(1), cell(part, tone)) for part in folded(says, width - 2)),
        (gap(1), cell("for ", "dim"), fit(verdict.intent, width - 6, "text")),
        (),
        *ladder_lines(verdict, width - 1, lambda at: clock_time(at, utc_offset_s)),
    ]


def _short(
    healer: HealerState,
    snapshot: Snapshot,
    now: float,
    width: int,
    utc_offset_s: int,
    thresholds: Thresholds,
) -> list[Line]:
    verdict = explain(healer, snapshot, None, now)
    says, tone = _says(healer, verdict, now, utc_offset_s, thresholds)
    says = f"{healer.id} {says}"
    return [
        *((gap(1), cell(part, tone)) for part in folded(says, width - 2, 2)),
        compact_ladder(verdict, width),
    ]


def _says(
    healer: HealerState,
    verdict: Verdict,
    now: float,
    utc_offset_s: int,
    thresholds: Thresholds,
) -> tuple[str, str]:
    """The answer with its tone. Of a host that tells no more, only what it told is known."""
    if healer.lost_since is not None:
        ago = age(max(0.0, now - healer.lost_since))
        says = f"is LOST: {healer.host} tells no more, for {ago}; below is what it told last"
        return says, "alarm"
    dead = verdict.allow and unseen(healer, now, thresholds)
    says = answer(healer, verdict, now, thresholds, utc_offset_s)
    return says, "warn" if dead else verdict_tone(verdict)


def _nobody(snapshot: Snapshot, width: int) -> list[Line]:
    """What to do when there is no healer at all."""
    detail = snapshot.state_health.detail
    lines: list[Line] = [(gap(1), fit(detail, width - 2, "warn"))] if detail else []
    if snapshot.fleet:
        says = (
            "No host publishes in this Redis yet. Let healconsole publish run on each host, with "
            "the same --redis (or HEAL_REDIS_URL); its healers appear here within a second."
        )
        return lines + [(gap(1), cell(part, "text")) for part in folded(says, width - 2, 6)]
    says = (
        "Point --state-root (or HEAL_STATE_ROOT) at the directory that your healers keep their "
        "state in; each appears here with its first cycle. To see how this looks with healers "
        "at work, run: healconsole demo"
    )
    lines += [(gap(1), cell(part, "text")) for part in folded(says, width - 2, 6)]
    return lines
