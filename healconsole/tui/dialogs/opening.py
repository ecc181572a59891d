"""The way from a key to its dialog: the screens need no more than these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from healconsole.core.snapshot import HealerState

if TYPE_CHECKING:
    from healconsole.tui.app import ConsoleApp


def open_trip(app: ConsoleApp, healers: Sequence[HealerState]) -> None:
    """Ask how to stop these healers."""
    from healconsole.tui.dialogs.trip import TripDialog

    if app.remote_acts is not None and healers:
        from healconsole.tui.dialogs.elsewhere import TripElsewhere

        app.push_screen(TripElsewhere(app.remote_acts, healers))
    elif app.acts is not None and healers:
        app.push_screen(TripDialog(app.acts, healers))


def open_reset(app: ConsoleApp, healers: Sequence[HealerState]) -> None:
    """Ask how to let these healers act again."""
    from healconsole.tui.dialogs.reset import ResetDialog

    if app.remote_acts is not None and healers:
        from healconsole.tui.dialogs.elsewhere import ResetElsewhere

        app.push_screen(ResetElsewhere(app.remote_acts, healers))
    elif app.acts is not None and healers:
        app.push_screen(ResetDialog(app.acts, healers))


def open_dry_run(app: ConsoleApp, healers: Sequence[HealerState]) -> None:
    """Ask whether these healers shall rehearse."""
    from healconsole.tui.dialogs.dryrun import DryRunDialog

    if app.remote_acts is not None and healers:
        from healconsole.tui.dialogs.elsewhere import DryRunElsewhere

        app.push_screen(DryRunElsewhere(app.remote_acts, healers, app.clock()))
    elif app.acts is not None and healers:
        app.push_screen(DryRunDialog(app.acts, healers, app.clock()))


def open_run(app: ConsoleApp, healers: Sequence[HealerState]) -> None:
    """Plan one guarded cycle of a healer; of one only, for each has its own output."""
    from healconsole.engine.operators import OperatorDesk
    from healconsole.tui.dialogs.runcycle import RunDialog

    if app.remote_acts is not None and healers:
        from healconsole.tui.dialogs.elsewhere import RunElsewhere

        app.push_screen(RunElsewhere(app.remote_acts, healers))
        return
    if not isinstance(app.acts, OperatorDesk):
        return
    if len(healers) == 1:
        app.push_screen(RunDialog(app.acts, healers[0]))
    else:
        app.say("a cycle is run for one healer at a time: unmark the others", bad=True)


def undo_last(app: ConsoleApp) -> None:
    """Ask why the last act shall be taken back."""
    from healconsole.tui.dialogs.undo import UndoDialog

    if app.acts is None:
        return
    if app.session.done:
        app.push_screen(UndoDialog(app.acts, app.session.done[-1]))
    else:
        app.say("nothing was done in this session that could be taken back")


def open_approve(app: ConsoleApp) -> None:
    """Show the acts that wait for a second person, to approve one."""
    from healconsole.engine.operators import OperatorDesk
    from healconsole.tui.dialogs.approve import ApproveDialog

    if app.remote_acts is not None:
        from healconsole.tui.dialogs.approveelsewhere import ApproveElsewhere

        app.push_screen(ApproveElsewhere(app.remote_acts, app.waiting_requests()))
    elif isinstance(app.acts, OperatorDesk):
        app.push_screen(ApproveDialog(app.acts, app.waiting_requests()))
