"""A screen on which an operator can act on a healer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from healconsole.core.snapshot import HealerState
from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.screens.base import ConsoleScreen


class ActingScreen(ConsoleScreen):
    """Opens the dialogs of the acts; what writes is imported only when one is opened."""

    BINDINGS: ClassVar[list[BindingType]] = [*(keys.binding(key) for key in keys.ACTS)]

    def subjects(self) -> Sequence[HealerState]:
        """Return the healers that an act would be about."""
        subject = self.subject()
        return (subject,) if subject is not None else ()

    def action_trip(self) -> None:
        """Open the dialog that trips."""
        if self._begins(keys.TRIP):
            from healconsole.tui.dialogs import open_trip

            open_trip(self.console_app, self.subjects())

    def action_reset(self) -> None:
        """Open the dialog that resets."""
        if self._begins(keys.RESET):
            from healconsole.tui.dialogs import open_reset

            open_reset(self.console_app, self.subjects())

    def action_dry_run(self) -> None:
        """Open the dialog that turns rehearsal on or off."""
        if self._begins(keys.DRY_RUN):
            from healconsole.tui.dialogs import open_dry_run

            open_dry_run(self.console_app, self.subjects())

    def action_run(self) -> None:
        """Open the dialog that runs one guarded cycle."""
        if self._begins(keys.RUN):
            from healconsole.tui.dialogs import open_run

            open_run(self.console_app, self.subjects())

    def stay(self) -> None:
        """Go on being about the same healers while an act on them changes what they are."""

    def _begins(self, key: Key) -> bool:
        """Whether a key works now; says why if it does not."""
        why = self.why_not(key)
        if why:
            self.console_app.say(f"{key.does}: {why}")
        else:
            self.stay()
        return not why
