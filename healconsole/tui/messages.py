"""Messages between the feed's thread and the screens."""

from __future__ import annotations

from textual.message import Message

from healconsole.core.snapshot import Snapshot


class SnapshotTaken(Message, bubble=False):
    """A new snapshot is there.

    It carries whole state, never a difference: a newer one replaces one that still waits, so
    a burst of changes costs one update of the screen.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """Whether a waiting ``message`` may be dropped for this one."""
        return isinstance(message, SnapshotTaken)
