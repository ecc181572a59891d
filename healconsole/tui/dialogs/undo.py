"""Take the last act back, as long as nothing else has changed what it left."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from healconsole.core.plan import ActRefused
from healconsole.core.text import visible
from healconsole.core.told import readable
from healconsole.tui.dialogs.asking import AskingDialog
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

if TYPE_CHECKING:
    from healconsole.stores.since import Since

_NEXT = (
    "The bytes that the act replaced are put back, and the guardrails decide on them again. If "
    "anything else has changed them since, it stays as it is."
)
_LATE = "it can no longer be taken back, and stays as it is; esc: close"
_LATE_NEXT = (
    "It can no longer be taken back: something else has changed since what the act left. What is "
    "now stays as it is; to change it, act anew."
)
_UNREAD = "it cannot be taken back while what is now cannot be read; esc: close"
_UNREAD_NEXT = (
    "Whether it can be taken back cannot be told: what is now cannot be read. Once it can, it may "
    "still be what the act left."
)


class UndoDialog(AskingDialog):
    """Asks for a reason, and puts the bytes back that the act replaced."""

    VERB: ClassVar[str] = "Undo"

    def __init__(self, acts: Acts, act: Done) -> None:
        super().__init__(acts)
        self.act = act
        self._since: tuple[Since, ...] = ()
        """What of its files holds something else by now."""
        self._failed_there = False
        """Whether another host did not take it back; only that host knows whether it ever will."""

    def compose(self) -> ComposeResult:
        """What was done, and why it is taken back."""
        with Vertical(id="dialog"):
            yield Static(Content(visible(f"Undo {self.act.verb} {self.act.healer}")), id="heading")
            with VerticalScroll(id="facts", can_focus=False):
                yield CellView(id="plan")
            yield from self.compose_reason()
            yield from self.compose_buttons()

    def on_mount(self) -> None:
        """Say what is missing, or that it is too late."""
        self._look()
        self._changed()

    def _look(self) -> None:
        offset = self.console_app.view.utc_offset_s
        self._since = self.acts.changed_since(self.act.undo, offset)

    def draw(self) -> None:
        """Show the facts."""
        if not self.is_attached:
            return
        self.show_facts(self._lines)

    def _lines(self, width: int) -> list[Line]:
        offset = self.console_app.view.utc_offset_s
        if self._since:
            return self._late_lines(width)
        was, left = (readable(text, offset) for text in (self.act.undo.before, self.act.undo.after))
        return [
            *second_lines(self.acts, "undo", self.reason, width),
            *labelled("now", (left,), width),
            *labelled("after", (was,), width, "strong"),
            *labelled("next", (_NEXT,), width),
        ]

    def _late_lines(self, width: int) -> list[Line]:
        """What is now, where that is not what the act left; first of all that it is too late."""
        why = _LATE_NEXT if self._is_late else _UNREAD_NEXT
        return [
            *labelled("next", (why,), width, "warn"),
            *labelled("now", (f"{each.path}: {each.found}" for each in self._since), width),
            *labelled("it left", (f"{each.path}: {each.left}" for each in self._since), width),
        ]

    @property
    def _is_late(self) -> bool:
        return any(each.known for each in self._since)

    @on(Input.Changed)
    def _changed(self) -> None:
        if self._since:
            self._ask_nothing()
        self.draw()
        self.ready(self.missing())

    def _ask_nothing(self) -> None:
        """Show no field and no button, which could do nothing, nor let one be in focus."""
        self.set_focus(None)
        for asked in self.query(".field, #act"):
            asked.display, asked.disabled = False, True

    def lacking(self) -> str:
        """The field that ``missing`` asks for: none where there is none any more."""
        return "" if self._since else "reason"

    def missing(self) -> str:
        """What keeps the button from working."""
        if self._since:
            return _LATE if self._is_late else _UNREAD
        if not self.reason:
            return "a reason is needed"
        if lacks_why(self.reason):
            return BREAK_GLASS_WHY
        return undo_wants_second(self.acts, self.reason)

    @on(Button.Pressed, "#act")
    def _pressed(self) -> None:
        reason, incident = self.reason, self.typed("incident")
        if self.busy or self.missing():
            self.ask_for_missing()
            return
        self.begin()
        self._undo(reason, incident)

    @work(thread=True, exclusive=True)
    def _undo(self, reason: str, incident: str) -> None:
        from healconsole.stores.apply import ChangedUnderneath, NotApplied
        from healconsole.stores.auditlog import AuditUnwritable

        try:
            with self.console_app.session.uncut():
                applied = self.acts.undo(self.act.undo, reason=reason, incident=incident)
        except ChangedUnderneath as problem:
            said = str(problem)
            self.from_worker(lambda: self._came_late(said))
        except NotApplied as problem:
            said = str(problem)
            self.from_worker(lambda: self._failed(said))
        except (ActRefused, AuditUnwritable, OSError) as problem:
            said = f"nothing was changed: {problem}"
            self.from_worker(lambda: self._failed(said))
        else:
            self.from_worker(lambda: self._taken_back(applied.unlogged))

    def _came_late(self, problem: str) -> None:
        """Something else was quicker while the dialog was open."""
        self.busy = False
        self._look()
        self._changed()
        self.tell(self.missing() if self._since else problem, bad=True)

    def _failed(self, problem: str) -> None:
        self.busy = False
        self._failed_there = not self.act.undo.done
        self.tell(problem, bad=True)

    def _taken_back(self, unlogged: str) -> None:
        self.busy = False
        app = self.console_app
        app.session.forget(self.act)
        app.session.changes += 1
        app.poke()
        app.say(f"taken back: {self.act.verb} {self.act.healer}")
        if unlogged:
            app.say(f"{self.act.healer}: {unlogged}", bad=True)
        self.dismiss()

    def action_cancel(self) -> None:
        """Close; an act that is not to be taken back is not in the way of those before it."""
        if self._is_late and not self.busy:
            self.console_app.session.forget(self.act)
        elif self._failed_there and not self.busy:
            self.console_app.session.postpone(self.act)
        super().action_cancel()
