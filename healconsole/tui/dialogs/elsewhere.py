"""Acts on other hosts: the list of them first, then all side by side, and what each came to."""

from __future__ import annotations

from collections.abc import Sequence

from textual import work
from textual.widgets import Button, Static

from healconsole.core.plan import ActPlan
from healconsole.core.remoteanswer import Came, RemoteAnswer
from healconsole.core.snapshot import HealerState
from healconsole.core.told import readable
from healconsole.engine.remote import RemoteDesk, undo_of
from healconsole.tui import keys
from healconsole.tui.dialogs.base import ActDialog
from healconsole.tui.dialogs.dryrun import DryRunDialog
from healconsole.tui.dialogs.factlines import labelled
from healconsole.tui.dialogs.reset import ResetDialog
from healconsole.tui.dialogs.session import Done
from healconsole.tui.dialogs.trip import TripDialog
from healconsole.tui.widgets.cells import Line, cell, fit, folded, gap

_SIGNS = {
    Came.DONE: ("✔", "ok"),
    Came.NOT_DONE: ("✖", "bad"),
    Came.UNKNOWN: ("?", "warn"),
}


class Elsewhere(ActDialog):
    """What changes in a dialog when its healers are on other hosts."""

    def __init__(self, desk: RemoteDesk, healers: Sequence[HealerState], *more: float) -> None:
        super().__init__(desk, healers, *more)
        self.desk = desk
        self.answers: dict[str, RemoteAnswer | None] = {}
        """By healer, in the order of the list; None while it is under way."""
        self.ended = False

    def fact_lines(self, width: int) -> list[Line]:
        """The plans, then what became of them."""
        if self.answers:
            return self._answer_lines(width)
        command = f"over {self.desk.command[0]}, on the state as it is there by then"
        return [*super().fact_lines(width), *labelled("done", (command,), width, "dim")]

    def missing(self) -> str:
        """What keeps the button from working."""
        if self.busy:
            under_way = list(self.answers.values()).count(None)
            return f"{under_way} of {len(self.answers)} under way, side by side"
        return "esc: close" if self.ended else super().missing()

    def replan(self) -> None:
        """Plan for what is chosen now, until it is done."""
        if not self.answers:
            super().replan()

    def plan(self) -> None:
        """Plan until it is done: then what was planned stays."""
        if not self.answers:
            super().plan()

    @work(thread=True, exclusive=True, exit_on_error=True)
    def _apply(self, plans: Sequence[ActPlan], reason: str, incident: str) -> None:
        self.app.call_from_thread(self._begun, plans)
        with self.console_app.session.uncut():
            for plan, answer in self.desk.answers(plans, reason=reason, incident=incident):
                self.app.call_from_thread(self._answered, plan, answer)
        self.app.call_from_thread(self._all_answered)

    def _begun(self, plans: Sequence[ActPlan]) -> None:
        self.answers = {plan.healer: None for plan in plans}
        self.draw()

    def _answered(self, plan: ActPlan, answer: RemoteAnswer) -> None:
        self.answers[plan.healer] = answer
        record = undo_of(plan, answer)
        self.console_app.session.changes += answer.came is not Came.NOT_DONE
        if answer.came is Came.DONE and record.can_be_taken_back:
            app = self.console_app
            summary = readable(f"{plan.before} → {plan.after}", app.view.utc_offset_s)
            app.session.add(Done(plan.verb, plan.healer, summary, record))
        elif answer.came is Came.DONE and plan.verb != "run":
            self.console_app.session.overtaken(plan.healer)
        self.draw()

    def _all_answered(self) -> None:
        self.busy, self.ended = False, True
        app = self.console_app
        app.poke()
        came = [answer.came for answer in self.answers.values() if answer is not None]
        said = f"{came.count(Came.DONE)} of {len(came)} done"
        if all(one is Came.DONE for one in came):
            acts = [answer.act for answer in self.answers.values() if answer is not None]
            undo = app.key_display(keys.UNDO)
            back = f"   ({undo} takes the last one back)" if any(acts) else ""
            app.say(f"{self.VERB.lower()}: {said}{back}")
        self.query_one("#act", Button).remove_class("-ready")
        self.query_one("#cancel-hint", Static).update("esc close")
        self.draw()
        self.tell(said, bad=any(one is not Came.DONE for one in came))

    def _answer_lines(self, width: int) -> list[Line]:
        longest = min(40, max(len(name) for name in self.answers))
        lines: list[Line] = []
        for name, answer in self.answers.items():
            glyph, tone = ("…", "dim") if answer is None else _SIGNS[answer.came]
            if answer is not None and answer.unlogged:
                tone = "warn"
            says = "under way" if answer is None else answer.says
            for place, part in enumerate(folded(says, max(20, width - longest - 4), 4)):
                first = place == 0
                lines.append(
                    (
                        cell(glyph if first else " ", tone),
                        gap(1),
                        fit(name if first else "", longest, "strong"),
                        gap(2),
                        cell(part, tone if tone != "ok" else "text"),
                    )
                )
        return lines


class TripElsewhere(Elsewhere, TripDialog):
    """Stop healers on other hosts."""


class ResetElsewhere(Elsewhere, ResetDialog):
    """Let stopped healers on other hosts act again."""


class DryRunElsewhere(Elsewhere, DryRunDialog):
    """Turn rehearsal on other hosts on or off."""


class RunElsewhere(Elsewhere):
    """Run one guarded cycle on other hosts."""

    VERB = "Run"

    def plan_for(self, healer: HealerState) -> ActPlan:
        """Plan the cycle."""
        return self.desk.plan_run(healer, self.console_app.snapshot)
