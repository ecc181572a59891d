"""The ways from a key that works everywhere to its screen, which is imported when it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healconsole.core.snapshot import HealerState
from healconsole.tui import keys

if TYPE_CHECKING:
    from healconsole.tui.app import ConsoleApp


def explain(app: ConsoleApp, healer: HealerState | None) -> None:
    """Ask the guardrails for any intent of ``healer``."""
    if healer is None:
        app.say("explain: there is no healer under the cursor")
        return
    from healconsole.tui.screens.explain import ExplainScreen

    app.push_screen(ExplainScreen(healer.id))


def audit(app: ConsoleApp) -> None:
    """Open the log, unless it is open."""
    from healconsole.tui.screens.audit import AuditScreen

    if not isinstance(app.screen, AuditScreen):
        app.push_screen(AuditScreen())


def locks(app: ConsoleApp) -> None:
    """Open the locks, unless they are open."""
    from healconsole.tui.screens.locks import LocksScreen

    if not isinstance(app.screen, LocksScreen):
        app.push_screen(LocksScreen())


def help_screen(app: ConsoleApp, *, demo: bool) -> None:
    """Show every key."""
    from healconsole.tui.screens.help import HelpScreen

    also = {"Demo": (keys.REPAIR,)} if demo else {}
    app.push_screen(HelpScreen(also | ({"Fleet": (keys.GROUP,)} if app.view.fleet else {})))


def palette(app: ConsoleApp) -> None:
    """Open the palette of verbs."""
    from healconsole.tui.palette import VerbPalette

    if not isinstance(app.screen, VerbPalette):
        app.push_screen(VerbPalette())


def undo(app: ConsoleApp) -> None:
    """Take the last act back."""
    why = app.why_not(keys.UNDO, None)
    if why:
        app.say(f"undo: {why}")
        return
    from healconsole.tui.dialogs import undo_last  # it can write

    undo_last(app)


def approve(app: ConsoleApp) -> None:
    """Be the second person of an act that waits for one."""
    why = app.why_not(keys.APPROVE, None)
    if why:
        app.say(f"approve: {why}")
        return
    from healconsole.tui.dialogs import open_approve  # it can write

    open_approve(app)
