"""Denials that repeat: one event when they begin, one with their count when they end.

A healer that is stuck behind an open circuit is denied at every cycle; without this it would
fill the disk with one sentence.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from healconsole.core.frozen import replace
from healconsole.core.verdict import Verdict

MAX_OPEN = 256
"""Scopes that are remembered; beyond it, the one that was denied longest ago is ended."""


@dataclass(slots=True)
class Denial:
    """A run of denials of one scope by one guardrail. ``verdict`` is the last of them.

    ``over`` tells the last event of a run from its first.
    """

    verdict: Verdict
    fact: str
    trigger: str
    count: int = 1
    at: float = 0.0
    """Epoch seconds of the last of them."""
    over: bool = False


class Denials:
    """The runs of denials that are not over yet, by scope.

    ``write`` appends one event for a denial.
    """

    def __init__(self, write: Callable[[Denial], None]) -> None:
        self._write = write
        self._open: OrderedDict[str, Denial] = OrderedDict()

    def denied(
        self, verdict: Verdict, fact: str, trigger: str, at: float, *, known: bool = False
    ) -> None:
        """Count a denial at ``at``. ``known``: an earlier process told the begin of this run."""
        running = self._open.get(verdict.scope)
        if running is not None and running.verdict.guard is verdict.guard:
            # In place: this is what a healer that is stuck does all day.
            running.verdict, running.fact, running.trigger = verdict, fact, trigger
            running.count += 1
            running.at = at
            self._open.move_to_end(verdict.scope)
            return
        self.over(verdict.scope)
        begun = Denial(verdict, fact, trigger, at=at)
        if not known:
            self._write(replace(begun))
        self._open[verdict.scope] = begun
        if len(self._open) > MAX_OPEN:
            self.over(next(iter(self._open)))

    def over(self, scope: str) -> None:
        """End the run of ``scope``; one that was a single denial has been said already."""
        ended = self._open.pop(scope, None)
        if ended is not None and ended.count > 1:
            self._write(replace(ended, over=True))

    def all_over(self, but: str | None = None) -> None:
        """End every run, except that of scope ``but``."""
        for scope in tuple(self._open):
            if scope != but:
                self.over(scope)
