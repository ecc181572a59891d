"""Stop a healer: force its circuits open, for a time or until reset."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Label, Static

from healconsole.core.ages import parse_duration
from healconsole.core.plan import ActPlan, known_scopes
from healconsole.core.snapshot import HealerState
from healconsole.core.text import visible
from healconsole.tui.dialogs.asking import field
from healconsole.tui.dialogs.base import ActDialog
from healconsole.tui.dialogs.choice import Choice
from healconsole.tui.ports import Acts
from healconsole.tui.widgets.field import Field

_ANY = 1.0
"""Seconds of a trip that is not done: of its plan only what is now is shown."""


class TripDialog(ActDialog):
    """Trip one scope, or the whole healer."""

    VERB = "Trip"
    WRONG = "for"

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
        with Horizontal(id="for-row", classes="field"):
            yield Label("", classes="label")
            yield Static(id="for-wrong", classes="wrong")

    def plan_for(self, healer: HealerState) -> ActPlan:
        """Plan the trip."""
        scope = self._scope.value
        seconds = _ANY if self.wrong_field() else self._seconds()
        return self.acts.plan_trip(healer, scope if isinstance(scope, str) else None, seconds)

    def wrong_field(self) -> str:
        """Why the span cannot be read."""
        try:
            self._seconds()
        except ValueError as problem:
            return str(problem)
        return ""

    def draw(self) -> None:
        """Say what is wrong with the span below it."""
        if not self.is_attached:
            return
        wrong = self.wrong_field()
        said = self.query_one("#for-wrong", Static)
        said.update(Content(visible(wrong)))
        self.query_one("#for-row", Horizontal).display = bool(wrong)
        super().draw()

    def _seconds(self) -> float | None:
        text = self.typed("for")
        return parse_duration(text) if text else None
