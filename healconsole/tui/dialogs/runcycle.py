"""Run one guarded cycle: what it would do first, then, confirmed, what it does as it happens."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Static

from healconsole.core.plan import ActRefused
from healconsole.core.snapshot import HealerState
from healconsole.core.text import visible
from healconsole.engine.operators import OperatorDesk
from healconsole.engine.runcycle import CyclePlan, CycleResult, OperatorCycle, PhaseEvent
from healconsole.tui.dialogs.asking import AskingDialog
from healconsole.tui.dialogs.lanes import Lanes
from healconsole.tui.widgets.cellview import CellView


class RunDialog(AskingDialog):
    """Plans a cycle when it opens, runs it when it is told to, and follows it to its outcome."""

    VERB: ClassVar[str] = "Run"

    def __init__(self, desk: OperatorDesk, healer: HealerState) -> None:
        super().__init__(desk)
        self.healer = healer
        self.lanes = Lanes()
        self.cycle = OperatorCycle(desk, healer, on_event=self._from_thread)
        self.planned = False
        self.ended = False
        self.runnable = False

    def compose(self) -> ComposeResult:
        """Lanes on top, then what is asked."""
        with Vertical(id="dialog"):
            yield Static(Content(visible(f"Run one cycle of {self.healer.id}")), id="heading")
            with VerticalScroll(id="facts", can_focus=False):
                yield CellView(id="plan")
            yield from self.compose_reason()
            yield from self.compose_buttons()

    def on_mount(self) -> None:
        """Detect and decide; nothing is spent by that."""
        self.tell("detecting and deciding; nothing is spent by that")
        self.draw()
        self._plan()

    def draw(self) -> None:
        """Show the lanes as far as they are known."""
        if not self.is_attached:
            return
        facts = self.query_one("#facts", VerticalScroll)
        lines = self.lanes.lines(max(30, self.room_in(facts) - 2), output=8)
        view = self.query_one("#plan", CellView)
        view.styles.height = max(1, len(lines))
        view.show_lines(lines)
        self.leave_room_for_fields()

    @work(thread=True, exclusive=True)
    def _plan(self) -> None:
        session = self.console_app.session
        with session.uncut():  # until what it started has ended
            plan = self.cycle.plan(session.leaving)
        self.from_worker(lambda: self._show_plan(plan))

    def _show_plan(self, plan: CyclePlan) -> None:
        self.planned = self.runnable = True
        if not plan.problem:
            self.lanes.take(PhaseEvent("detect", plan.fact, ok=True))
            wants = plan.intent or "nothing to do: a cycle would detect anew and stop here"
            self.lanes.take(PhaseEvent("decide", wants, ok=True))
            if plan.verdict is not None:
                allow = plan.verdict.allow
                said = "allows it" if allow else f"{plan.verdict.guard}: {plan.verdict.reason}"
                dry = "  DRY-RUN: it would only be written down" if plan.mode != "live" else ""
                self.lanes.take(PhaseEvent("guard", said + dry, ok=allow))
        self._ready()
        if plan.problem:
            self.tell(plan.problem, bad=True)
        self.draw()

    def missing(self) -> str:
        """What keeps the button from working."""
        return "" if self.reason else "a reason is needed to run it; the guardrails decide anyway"

    def lacking(self) -> str:
        """The field that ``missing`` asks for."""
        return "" if self.reason else "reason"

    @on(Input.Changed)
    def _ready(self) -> None:
        if self.runnable and not self.busy and not self.ended:
            self.ready(self.missing())

    @on(Button.Pressed, "#act")
    def _pressed(self) -> None:
        reason, incident = self.reason, self.typed("incident")
        if self.busy or self.ended or not self.runnable:
            return
        if not reason:
            self.ask_for_missing()
            return
        self.begin()
        self.lanes = Lanes()
        self.query_one("#cancel-hint", Static).update("esc stop the cycle")
        self.tell("the guardrails decide; every phase is shown as it happens")
        self.draw()
        self._run(reason, incident)

    @work(thread=True, exclusive=True)
    def _run(self, reason: str, incident: str) -> None:
        from healconsole.stores.auditlog import AuditUnwritable

        try:
            with self.console_app.session.uncut(until=self.cycle.begun):
                result = self.cycle.run(reason=reason, incident=incident)
        except (ActRefused, AuditUnwritable, OSError) as problem:
            result = CycleResult(outcome="", text="", problem=f"it was not run: {problem}")
        self.from_worker(lambda: self._show_result(result))

    def _show_result(self, result: CycleResult) -> None:
        self.busy = False
        self.ended = True
        self.query_one("#act", Button).remove_class("-ready")
        self.query_one("#cancel-hint", Static).update("esc close")
        said = result.problem or result.text or result.outcome
        self.tell(said, bad=bool(result.problem))
        self.draw()
        self.console_app.session.changes += bool(result.outcome)
        self.console_app.poke()

    def _from_thread(self, event: PhaseEvent) -> None:
        self.from_worker(lambda: self._take(event))

    def _take(self, event: PhaseEvent) -> None:
        self.lanes.take(event)
        self.draw()

    def action_cancel(self) -> None:
        """Close; or, while the cycle runs, ask it to stop, and say what that does."""
        if self.busy:
            self.tell(self.cycle.cancel())
        else:
            self.dismiss()
