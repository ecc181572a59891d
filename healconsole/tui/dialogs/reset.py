"""Let a stopped healer act again, after the human investigation."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from healconsole.core.plan import ActPlan
from healconsole.core.snapshot import HealerState
from healconsole.core.words import Circuit
from healconsole.tui.dialogs.asking import field
from healconsole.tui.dialogs.base import ActDialog
from healconsole.tui.dialogs.choice import Choice
from healconsole.tui.dialogs.factlines import labelled
from healconsole.tui.ports import Acts
from healconsole.tui.widgets.cells import Line


class ResetDialog(ActDialog):
    """Reset a breaker, or all of them and the hold; into half-open, or closed."""

    VERB = "Reset"

    def __init__(self, acts: Acts, healers: Sequence[HealerState]) -> None:
        super().__init__(acts, healers)
        scopes = [b.scope for b in healers[0].breakers] if len(healers) == 1 else []
        self._scope: Choice[object] = Choice(
            [(None, "everything"), *((scope, scope) for scope in scopes)], id="scope"
        )
        if len(scopes) == 1 and healers[0].hold is None:
            self._scope.take(scopes[0])
        self._to: Choice[object] = Choice(
            [(Circuit.HALF_OPEN.value, "half-open, one probe"), (Circuit.CLOSED.value, "closed")],
            id="to",
        )

    def compose_choices(self) -> ComposeResult:
        """What to reset, and into which state."""
        yield from field("what", self._scope)
        yield from field("to", self._to)

    def plan_for(self, healer: HealerState) -> ActPlan:
        """Plan the reset, with the failures that opened the circuit."""
        scope = self._scope.value
        return self.acts.plan_reset(
            healer,
            scope if isinstance(scope, str) else None,
            str(self._to.value),
            self.console_app.snapshot.audit.lines,
        )

    def fact_lines(self, width: int) -> list[Line]:
        """The plan, and where the runbook is."""
        lines = super().fact_lines(width)
        catalog = self.healers[0].catalog if len(self.healers) == 1 else None
        if catalog is not None and catalog.runbook:
            lines += labelled("runbook", (catalog.runbook,), width, "info")
        return lines
