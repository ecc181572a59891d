"""Be the second person of an act on another host, over SSH, with one's own rights there."""

from __future__ import annotations

from typing import ClassVar

from healconsole.core.request import Request
from healconsole.engine.remote import RemoteDesk
from healconsole.stores.apply import Applied
from healconsole.tui.dialogs.approve import ApproveDialog
from healconsole.tui.dialogs.factlines import labelled
from healconsole.tui.widgets.cells import Line


class ApproveElsewhere(ApproveDialog):
    """Shows what the host published; it does exactly that, or says that it asks for something else.

    Whether somebody is a second person there, the kernel there knows.
    """

    BUSY: ClassVar[str] = "asking that host"

    def lines(self, width: int) -> list[Line]:
        """The request, and the way to it."""
        request = self.request
        how = f"on {request.host}, as whom the kernel there knows you, if it is as shown here"
        return [*super().lines(width), *labelled("done", (how,), width, "dim")]

    def not_second(self, request: Request) -> str:
        """Nobody knows here."""
        del request
        return ""

    def give(self, request: Request, reason: str, *, approves: bool) -> Applied | None:
        """Have that host do it."""
        desk = self.acts
        assert isinstance(desk, RemoteDesk)  # noqa: S101 - see `open_approve`
        return desk.second(request, approves=approves, reason=reason)
