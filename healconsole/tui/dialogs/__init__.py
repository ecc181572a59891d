"""Dialogs of the operator's acts: what is now, what will be, what happens next; then a reason.

Enter alone never acts, each act is applied only to the state that was shown, and the screen
behind shows its effect when the feed has read it back.
"""

from healconsole.tui.dialogs.opening import (
    open_approve,
    open_dry_run,
    open_reset,
    open_run,
    open_trip,
    undo_last,
)

__all__ = ["open_approve", "open_dry_run", "open_reset", "open_run", "open_trip", "undo_last"]
