"""The steps in which a healer goes into production."""

from __future__ import annotations

import math
from typing import Final

from healconsole.core.frozen import Frozen


class Step(Frozen):
    """One step: how long evidence is gathered on it, and what may act meanwhile."""

    word: str
    title: str
    days: int
    dry: bool
    """Whether nothing may act."""
    share: float = 0.0
    """Of the fleet's hosts that may act; 0 = one host."""

    def may_act_on(self, fleet: int) -> int:
        """Hosts that may act, of a fleet of so many."""
        if self.dry:
            return 0
        return max(1, math.ceil(self.share * fleet))


STEPS: Final = (
    Step("dev", "dry-run on a dev fleet", 1, dry=True),
    Step("dry-run", "dry-run in production", 7, dry=True),
    Step("canary", "one canary host", 3, dry=False),
    Step("10%", "10 % of the fleet", 2, dry=False, share=0.10),
    Step("25%", "25 % of the fleet", 2, dry=False, share=0.25),
    Step("50%", "50 % of the fleet", 2, dry=False, share=0.50),
    Step("100%", "the whole fleet", 1, dry=False, share=1.0),
)
"""In their order; the last four take a week."""


def step_named(word: str) -> Step | None:
    """Return the step that a catalog's ``stage`` or a person names; None if it is none.

    >>> step_named("100 %").word, step_named("Dry-Run").word, step_named("soon")
    ('100%', 'dry-run', None)
    """
    plain = word.strip().lower().replace(" ", "")
    return next((step for step in STEPS if step.word == plain), None)


def step_after(step: Step) -> Step | None:
    """Return the step that follows; None after the last.

    >>> step_after(STEPS[0]).word, step_after(STEPS[-1])
    ('dry-run', None)
    """
    place = STEPS.index(step) + 1
    return STEPS[place] if place < len(STEPS) else None
