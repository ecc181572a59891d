"""Turn rehearsal on or off through the override file."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from healconsole.core.mode import dry_now
from healconsole.core.plan import ActPlan
from healconsole.core.snapshot import HealerState
from healconsole.tui.dialogs.asking import field
from healconsole.tui.dialogs.base import ActDialog
from healconsole.tui.dialogs.choice import Choice
from healconsole.tui.ports import Acts


class DryRunDialog(ActDialog):
    """The other mode than the one that is now."""

    VERB = "Dry-run"

    def __init__(self, acts: Acts, healers: Sequence[HealerState], now: float) -> None:
        super().__init__(acts, healers)
        self._on: Choice[object] = Choice(
            [(True, "on: rehearse, act on nothing"), (False, "off: act for real")], id="on"
        )
        self._on.take(not dry_now(healers[0], now).dry)

    def compose_choices(self) -> ComposeResult:
        """On or off."""
        yield from field("dry-run", self._on)

    def plan_for(self, healer: HealerState) -> ActPlan:
        """Plan the override."""
        return self.acts.plan_dry_run(healer, on=bool(self._on.value))
