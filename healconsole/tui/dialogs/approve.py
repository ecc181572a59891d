"""Be the second person: see what somebody asked for, and let exactly that be done, or decline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from healconsole.core.ages import age, countdown
from healconsole.core.attribution import claimed_words, operator_words
from healconsole.core.plan import ActRefused
from healconsole.core.request import Request, not_a_second
from healconsole.core.requestdoc import seal
from healconsole.core.text import visible
from healconsole.core.told import readable
from healconsole.engine.operators import OperatorDesk
from healconsole.stores.apply import Applied
from healconsole.tui.dialogs.asking import TOLD, AskingDialog, field
from healconsole.tui.dialogs.choice import Choice
from healconsole.tui.dialogs.factlines import labelled
from healconsole.tui.ports import Acts
from healconsole.tui.widgets.cells import Line
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.field import Field


class ApproveDialog(AskingDialog):
    """Shows a request as who asked was shown the act; it is done to that state, or not at all."""

    VERB: ClassVar[str] = "Approve"
    BUSY: ClassVar[str] = "writing the audit event, then the state"

    def __init__(self, acts: Acts, requests: Sequence[Request]) -> None:
        super().__init__(acts)
        self.requests = tuple(requests)
        self._which: Choice[int] = Choice(
            [
                (place, f"{each.id} {each.verb} {each.target}")
                for place, each in enumerate(requests)
            ],
            id="which",
        )
        self._answer = Choice([(True, "approve"), (False, "decline")], id="answer")
        self._refused = ""

    @property
    def request(self) -> Request:
        """The one that is shown."""
        return self.requests[self._which.value]

    @property
    def approves(self) -> bool:
        """Whether it is to be done, and not declined."""
        return self._answer.value

    @property
    def button_word(self) -> str:
        """What the button says now."""
        return "Approve" if self.approves else "Decline"

    def compose(self) -> ComposeResult:
        """What was asked for, then why it is approved."""
        with Vertical(id="dialog"):
            yield Static(id="heading")
            with VerticalScroll(id="facts", can_focus=False):
                yield CellView(id="plan")
            if len(self.requests) > 1:
                yield from field("request", self._which)
            yield from field("answer", self._answer)
            yield from field("reason", Field(id="reason", max_length=2000))
            yield from self.compose_buttons()

    def on_mount(self) -> None:
        """Show the request."""
        self.draw()

    def tick(self, _now: float) -> None:
        """Count down, and notice that somebody was faster."""
        if not self.busy and self.console_app.is_whole(self):
            self.draw()

    def names_in_sight(self) -> Iterable[str]:
        """No healer's row is in this dialog."""
        return ()

    @on(Choice.Taken)
    @on(Input.Changed)
    def _changed(self) -> None:
        self._refused = ""
        self.draw()

    def draw(self) -> None:
        """Show the request, and say what is still missing."""
        if not self.is_attached:
            return
        request = self.request
        heading = f"{self.button_word} {request.verb} {request.target}"
        self.query_one("#heading", Static).update(Content(visible(heading)))
        self.show_facts(self.lines)
        self.ready(self.missing())
        if self._refused:
            self.tell(self._refused, bad=True)

    def lines(self, width: int) -> list[Line]:
        """Who asks for what, why, and how long they still wait."""
        request, offset = self.request, self.console_app.view.utc_offset_s
        now_at = self.console_app.clock()
        left = max(0.0, request.until - now_at)
        incident = f" (incident {request.incident})" if request.incident else ""
        now = request.now_lines or (readable(request.before, offset),)
        after = request.after_lines or (readable(request.after, offset),)
        asked = (
            f"shown as it was {age(now_at - request.at)} ago; if its files changed, it is not done"
        )
        refused = self.not_second(request)
        return [
            *labelled("not you", (refused,) if refused else (), width, "alarm"),
            *labelled("asked by", (operator_words(request.operator),), width, "strong"),
            *labelled("claimed", filter(None, (claimed_words(request.operator),)), width, "dim"),
            *labelled("why", (f"{request.reason}{incident}",), width),
            *labelled("asked", (asked,), width, "dim"),
            *labelled("now", now, width),
            *labelled("after", after, width, "strong"),
            *labelled("next", filter(None, (" ".join(request.next_lines),)), width),
            *labelled("warning", (f"! {text}" for text in request.warnings), width, "warn"),
            *labelled("time left", (countdown(left),), width, "warn"),
        ]

    def missing(self) -> str:
        """What keeps the button from working; empty if nothing does. May hold data."""
        request, app = self.request, self.console_app
        if request.until <= app.clock():
            return "its time is over: who asked has to ask again"
        if not any(request.is_same(each) for each in app.snapshot.requests):
            return f"{request.id} was approved or declined meanwhile"
        if self.approves and (refused := self.not_second(request)):
            return refused
        if self.reason:
            return ""
        if self.approves:
            return "a reason is needed: what did you see that makes it right?"
        return "a reason is needed: why not? who asked will read it"

    def lacking(self) -> str:
        """The field that ``missing`` asks for."""
        return "" if self.reason else "reason"

    def not_second(self, request: Request) -> str:
        """Why this operator cannot approve; empty if they can."""
        return not_a_second(request, self.acts.operator.login_uid)

    @on(Button.Pressed, "#act")
    def _pressed(self) -> None:
        if self.busy or self.missing():
            self.ask_for_missing()
            return
        self.busy = True
        self.tell(self.BUSY)
        self._give(self.request, self.reason, approves=self.approves)

    @work(thread=True, exclusive=True)
    def _give(self, request: Request, reason: str, *, approves: bool) -> None:
        from healconsole.stores.apply import ChangedUnderneath, NotApplied
        from healconsole.stores.auditlog import AuditUnwritable

        applied, said = None, ""
        try:
            with self.console_app.session.uncut():
                applied = self.give(request, reason, approves=approves)
        except (ChangedUnderneath, NotApplied) as problem:
            said = str(problem)
        except (ActRefused, AuditUnwritable, OSError) as problem:
            said = f"nothing was changed: {problem}"
        self.from_worker(lambda: self._ended(request, applied, said))

    def give(self, request: Request, reason: str, *, approves: bool) -> Applied | None:
        """Approve or decline; called in a worker.

        Returns:
            What was done; None where it was declined.

        Raises:
            ActRefused, AuditUnwritable, OSError: nothing was changed.
            ChangedUnderneath, NotApplied: see ``stores.apply``.
        """
        desk, shown = self.acts, seal(request)
        assert isinstance(desk, OperatorDesk)  # noqa: S101 - see `open_approve`
        if approves:
            return desk.approve(request.id, reason=reason, as_shown=shown)[1]
        desk.decline(request.id, reason=reason, as_shown=shown)
        return None

    def _ended(self, request: Request, applied: Applied | None, problem: str) -> None:
        self.busy = False
        app = self.console_app
        app.poke()
        if problem:
            self._refused = problem
            self.draw()
            return
        if applied is None:
            app.say(f"declined: {request.verb} {request.target}")
            self.dismiss()
            return
        summary = readable(f"{request.before} → {request.after}", app.view.utc_offset_s)
        # No `u` for it: what took two persons is not taken back by one who is in passing.
        app.session.overtaken(request.healer_id)
        app.session.changes += 1
        app.say(f"approved: {request.verb} {request.target}: {visible(summary, TOLD)}")
        if applied.unlogged:
            app.say(f"{request.target}: {applied.unlogged}", bad=True)
        self.dismiss()
