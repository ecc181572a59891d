"""The phases of one cycle as lanes that fill as they happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from healconsole.engine.runcycle import PhaseEvent
from healconsole.tui.widgets.cells import EMPTY_LINE, Line, cell, fit, folded, gap

PHASES = ("detect", "decide", "guard", "act", "verify")
_LABEL = 8
_OUTPUT = 200
"""Lines of output that are kept."""


class Lanes:
    """What is known of each phase, and the newest output."""

    def __init__(self) -> None:
        self._phases: dict[str, PhaseEvent] = {}
        self._output: list[str] = []

    @property
    def phases(self) -> Mapping[str, PhaseEvent]:
        """The last event of each phase that has begun."""
        return self._phases

    def take(self, event: PhaseEvent) -> None:
        """Note one event of the cycle."""
        if event.phase == "output":
            self._output = [*self._output, *event.text.splitlines()][-_OUTPUT:]
        else:
            self._phases[event.phase] = event

    def lines(self, width: int, output: int) -> list[Line]:
        """Return a line or more for each phase, then the newest ``output`` lines of output."""
        lines: list[Line] = []
        for phase in PHASES:
            lines += self._lane(phase, width)
        if self._output:
            lines.append(EMPTY_LINE)
            lines += [(fit(text, width, "dim"),) for text in self._output[-output:]]
        return lines

    def _lane(self, phase: str, width: int) -> Sequence[Line]:
        label = fit(phase.upper(), _LABEL, "head")
        event = self._phases.get(phase)
        if event is None:
            return [(label, cell("·", "dim"))]
        glyph, tone = {None: ("…", "info"), True: ("✔", "ok"), False: ("✖", "bad")}[event.ok]
        parts = folded(event.text, max(20, width - _LABEL - 2), 4) or [""]
        first = (label, cell(glyph, tone), gap(1), cell(parts[0], "strong"))
        return [first, *((gap(_LABEL + 2), cell(part)) for part in parts[1:])]
