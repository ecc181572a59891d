"""Stop a healer: force its circuits open, for a time or until reset."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from healconsole.core.ages import parse_duration
from healconsole.core.plan import ActPlan, ActRefused, known_scopes
from healconsole.core.snapshot import HealerState
from healconsole.tui.dialogs.asking import field
from healconsole.tui.dialogs.base import ActDialog
from healconsole.tui.dialogs.choice import Choice
from healconsole.tui.ports import Acts
from healconsole.tui.widgets.field import Field


class TripDialog(ActDialog):
    """Trip one scope, or the whole healer."""

    VERB = "Trip"

    def __init__(self, acts: Acts, healers: Sequence[HealerState]) -> None:
        super().__init__(acts, healers)
        scopes = known_scopes(healers[0]) if len(healers) == 1 else ()
        self._scope: Choice[object] = Choice(
            [(None, "the whole healer"), *((scope, scope) for scope in scopes)], id="scope"
        )

    def compose_choices(self) -> ComposeResult:
        """What to stop, and for how long."""
        yield from field("stop", self._scope)
        yield from field("for", Field(id="for", placeholder="10m, 2h ...; empty: until reset"))

    def plan_for(self, healer: HealerState) -> ActPlan:
        """Plan the trip."""
        scope = self._scope.value
        return self.acts.plan_trip(
            healer, scope if isinstance(scope, str) else None, self._seconds()
        )

    def _seconds(self) -> float | None:
        text = self.typed("for")
        if not text:
            return None
        try:
            return parse_duration(text)
        except ValueError as problem:
            raise ActRefused(f"for: {problem}") from problem
