"""Take the last act back, as long as nothing else has changed what it left."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Input, Static

from healconsole.core.plan import ActRefused
from healconsole.core.text import visible
from healconsole.core.told import readable
from healconsole.tui.dialogs.asking import ROOMY, AskingDialog
from healconsole.tui.dialogs.factlines import labelled
from healconsole.tui.dialogs.secondperson import (
    BREAK_GLASS_WHY,
    lacks_why,
    second_lines,
    undo_wants_second,
)
from healconsole.tui.dialogs.session import Done
from healconsole.tui.ports import Acts
from healconsole.tui.widgets.cells import Line
from healconsole.tui.widgets.cellview import CellView

_NEXT = (
    "The bytes that the act replaced are put back, and the guardrails decide on them again. If "
    "anything else has changed them since, it stays as it is."
)


class UndoDialog(AskingDialog):
    """Asks for a reason, and puts the bytes back that the act replaced."""

    VERB: ClassVar[str] = "Undo"

    def __init__(self, acts: Acts, act: Done) -> None:
        super().__init__(acts)
        self.act = act

    def compose(self) -> ComposeResult:
        """What was done, and why it is taken back."""
        with Vertical(id="dialog"):
            yield Static(Content(visible(f"Undo {self.act.verb} {self.act.healer}")), id="heading")
            yield CellView(id="was")
            yield from self.compose_reason()
            yield from self.compose_buttons()

    def on_mount(self) -> None:
        """Say what is missing."""
        self._changed()

    def on_resize(self) -> None:
        """Fold what is said for the new width."""
        self.set_class(self.app.size.height < ROOMY, "-low")
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        view = self.query_one("#was", CellView)
        lines = self._lines(max(30, view.size.width))
        view.styles.height = len(lines)
        view.show_lines(lines)

    def _lines(self, width: int) -> list[Line]:
        offset = self.console_app.view.utc_offset_s
        was, left = (readable(text, offset) for text in (self.act.undo.before, self.act.undo.after))
        return [
            *second_lines(self.acts, "undo", self.reason, width),
            *labelled("now", (left,), width),
            *labelled("after", (was,), width, "strong"),
            *labelled("next", (_NEXT,), width),
        ]

    @on(Input.Changed)
    def _changed(self) -> None:
        self._draw()
        self.ready(self._missing())

    def _missing(self) -> str:
        if not self.reason:
            return "a reason is needed"
        if lacks_why(self.reason):
            return BREAK_GLASS_WHY
        return undo_wants_second(self.acts, self.reason)

    @on(Button.Pressed, "#act")
    def _pressed(self) -> None:
        reason, incident = self.reason, self.typed("incident")
        missing = self._missing()
        if missing or self.busy:
            self.tell(missing, bad=True)
            return
        self.begin()
        self._undo(reason, incident)

    @work(thread=True, exclusive=True)
    def _undo(self, reason: str, incident: str) -> None:
        from healconsole.stores.apply import ChangedUnderneath, NotApplied
        from healconsole.stores.auditlog import AuditUnwritable

        try:
            with self.console_app.session.uncut():
                self.acts.undo(self.act.undo, reason=reason, incident=incident)
        except ChangedUnderneath as problem:
            said = f"{problem}; it stays as it is"
        except NotApplied as problem:
            said = str(problem)
        except (ActRefused, AuditUnwritable, OSError) as problem:
            said = f"nothing was changed: {problem}"
        else:
            said = ""
        self.from_worker(lambda: self._ended(said))

    def _ended(self, problem: str) -> None:
        self.busy = False
        if problem:
            self.tell(problem, bad=True)
            return
        app = self.console_app
        app.session.forget(self.act)
        app.poke()
        app.say(f"taken back: {self.act.verb} {self.act.healer}")
        self.dismiss()
