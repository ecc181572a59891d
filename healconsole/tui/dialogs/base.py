"""What the dialogs of all acts share: show the plan, ask why, apply it to what was shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from healconsole.core.frozen import replace
from healconsole.core.plan import ActPlan, ActRefused
from healconsole.core.records import ClaimRecord, Corrupt
from healconsole.core.snapshot import HealerState
from healconsole.core.text import visible
from healconsole.core.told import readable
from healconsole.tui import keys
from healconsole.tui.dialogs.asking import TOLD, AskingDialog
from healconsole.tui.dialogs.choice import Choice
from healconsole.tui.dialogs.factlines import now_lines, plan_lines, several_lines
from healconsole.tui.dialogs.secondperson import (
    BREAK_GLASS_WHY,
    button_word,
    lacks_why,
    second_lines,
)
from healconsole.tui.dialogs.session import Done
from healconsole.tui.ports import Acts
from healconsole.tui.widgets.cells import Line
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.field import Field


class ActDialog(AskingDialog):
    """One act on one healer, or on several that were marked.

    A subclass says what the act is called, which choices it offers, and how it is planned.
    """

    WRONG: ClassVar[str] = ""
    """The field that ``wrong_field`` is about."""

    def __init__(self, acts: Acts, healers: Sequence[HealerState]) -> None:
        super().__init__(acts)
        self.healers = tuple(healers)
        self.plans: tuple[ActPlan, ...] = ()
        self.refused: tuple[str, ...] = ()
        self._planned: tuple[ActPlan, ...] = ()
        """The plans, of which what is now is shown also while a field cannot be read."""

    def compose(self) -> ComposeResult:
        """Facts on top, then what is asked, then the buttons."""
        with Vertical(id="dialog"):
            yield Static(Content(visible(self.heading())), id="heading")
            with VerticalScroll(id="facts", can_focus=False):
                yield CellView(id="plan")
            yield from self.compose_choices()
            yield from self.compose_reason()
            with Horizontal(id="name-row", classes="field"):
                yield Label("name", classes="label")
                wanted = f"type {self.name_to_type}"
                yield Field(id="name", placeholder=visible(wanted))
            yield from self.compose_buttons()

    def compose_choices(self) -> ComposeResult:
        """What the subclass asks beside the reason."""
        yield from ()

    def heading(self) -> str:
        """The act and its target; displayable."""
        if len(self.healers) == 1:
            return f"{self.VERB} {visible(self.healers[0].id)}"
        return f"{self.VERB} {len(self.healers)} healers"

    @property
    def name_to_type(self) -> str:
        """What has to be typed where a destructive act wants the name."""
        if len(self.healers) == 1:
            return visible(self.healers[0].id)
        return f"{len(self.healers)} healers"

    def plan_for(self, healer: HealerState) -> ActPlan:
        """Plan the act as it is chosen now; anyhow, where a field cannot be read.

        Raises:
            ActRefused: it cannot be done on this healer.
        """
        raise NotImplementedError

    def wrong_field(self) -> str:
        """Why a field cannot be read, which is said beside it; empty if all can be."""
        return ""

    def on_mount(self) -> None:
        """Show what is, and go on showing it while it changes behind the dialog."""
        self.replan()

    @on(Choice.Taken)
    @on(Input.Changed)
    def _changed(self) -> None:
        self.replan()

    def tick(self, _now: float) -> None:
        """Count on: when the next cycle is due is that of the healer as it is by now."""
        if not self.busy and self.is_attached and self.console_app.is_whole(self):
            could = bool(self.plans)
            self.plan()
            if bool(self.plans) is could:  # what was said above the button stays
                self.draw_facts()
            else:
                self.draw()

    def names_in_sight(self) -> Iterable[str]:
        """No healer's row is in this dialog."""
        return ()

    def replan(self) -> None:
        """Plan for what is chosen now, and show it."""
        self.plan()
        self.draw()

    def plan(self) -> None:
        """Plan for what is chosen now, on what was opened, and on the latest cycle."""
        plans, refused = [], []
        for healer in map(self._with_latest_cycle, self.healers):
            try:
                plans.append(self.plan_for(healer))
            except ActRefused as problem:
                refused.append(str(problem))
        self._planned = tuple(plans)
        self.plans, self.refused = (
            ((), ()) if self.wrong_field() else (self._planned, tuple(refused))
        )

    def _with_latest_cycle(self, healer: HealerState) -> HealerState:
        """The state that is acted on stays the one that was shown; its loop goes on meanwhile.

        Claims are of the loop, but for those that are corrupt: an act may mend them.
        """
        latest = self.console_app.healer(healer.id)
        if latest is None or (latest.cycle, latest.claims) == (healer.cycle, healer.claims):
            return healer
        claims: tuple[ClaimRecord | Corrupt, ...] = (
            *(claim for claim in healer.claims if isinstance(claim, Corrupt)),
            *(claim for claim in latest.claims if not isinstance(claim, Corrupt)),
        )
        return replace(healer, cycle=latest.cycle, heartbeat=latest.heartbeat, claims=claims)

    def fact_lines(self, width: int) -> list[Line]:
        """What the dialog shows above its fields."""
        second = second_lines(self.acts, self.wanted_verb, self.reason, width)
        if self.wrong_field():
            return second + now_lines(self._planned, width)
        if len(self.healers) == 1 and self.plans:
            return second + plan_lines(self.plans[0], width, self.console_app.view.utc_offset_s)
        return second + several_lines(self.plans, self.refused, width)

    @property
    def wanted_verb(self) -> str:
        """The verb of what is planned, as the configuration names it; empty if nothing is."""
        return self._planned[0].verb if self._planned else ""

    @property
    def button_word(self) -> str:
        """That it is only asked for, where the act wants a second person."""
        return button_word(self.VERB, self.acts, self.wanted_verb, self.reason)

    def draw(self) -> None:
        """Show the plan, and say what is still missing."""
        if not self.is_attached:
            return
        self.draw_facts()
        self.ready(self.missing())

    def draw_facts(self) -> None:
        """Show the plan."""
        self.query_one("#name-row").display = self.wants_name
        self.show_facts(self.fact_lines)

    @property
    def wants_name(self) -> bool:
        """Whether the name has to be typed: something destructive is planned."""
        return any(plan.destructive for plan in self._planned)

    def missing(self) -> str:
        """What keeps the button from working; empty if nothing does. May hold data."""
        if self.wrong_field():
            return "mend the field that cannot be read"
        if not self.plans:
            return self.refused[0] if self.refused else "there is nothing to do"
        if not self.reason:
            return "a reason is needed: somebody will ask for it in three months"
        if lacks_why(self.reason):
            return BREAK_GLASS_WHY
        if self.wants_name and self.typed("name") != self.name_to_type:
            return f"type {self.name_to_type} to confirm"
        return ""

    def lacking(self) -> str:
        """The field that ``missing`` asks for."""
        if self.wrong_field():
            return self.WRONG
        if not self.plans:
            return ""
        unnamed = self.wants_name and self.typed("name") != self.name_to_type
        return super().lacking() or ("name" if unnamed else "")

    @on(Button.Pressed, "#act")
    def _pressed(self) -> None:
        if self.busy or self.missing():
            self.ask_for_missing()
            return
        self.begin()
        self.tell("writing the audit event, then the state")
        self._apply(self.plans, self.reason, self.typed("incident"))

    @work(thread=True, exclusive=True, exit_on_error=True)
    def _apply(self, plans: Sequence[ActPlan], reason: str, incident: str) -> None:
        """Apply each plan; one that fails does not keep the others from being applied."""
        from healconsole.engine.secondperson import SecondPersonNeeded
        from healconsole.stores.apply import ChangedUnderneath, NotApplied
        from healconsole.stores.auditlog import AuditUnwritable

        done, unlogged, problems, asked = [], {}, [], {}
        utc_offset_s = self.console_app.view.utc_offset_s
        for plan in plans:
            try:
                with self.console_app.session.uncut():
                    applied = self.acts.apply(plan, reason=reason, incident=incident)
            except SecondPersonNeeded as needed:
                asked[plan.healer] = str(needed)
            except (ChangedUnderneath, NotApplied) as problem:
                problems.append(str(problem))
            except (ActRefused, AuditUnwritable, OSError) as problem:
                problems.append(f"nothing was changed: {problem}")
            else:
                summary = readable(f"{plan.before} → {plan.after}", utc_offset_s)
                done.append(Done(plan.verb, plan.healer, summary, applied.undo))
                if applied.unlogged:
                    unlogged[plan.healer] = applied.unlogged
        self.from_worker(lambda: self._applied(done, unlogged, asked, problems))

    def _applied(
        self,
        done: Sequence[Done],
        unlogged: Mapping[str, str],
        asked: Mapping[str, str],
        problems: Sequence[str],
    ) -> None:
        app = self.console_app
        app.session.done.extend(done)
        app.session.changes += len(done)
        app.poke()
        undo = app.key_display(keys.UNDO)
        for act in done:
            summary = visible(act.summary, TOLD)
            app.say(f"{act.verb} {act.healer}: {summary}   ({undo} takes it back)")
        for healer, said in unlogged.items():
            app.say(f"{healer}: {said}", bad=True)
        for healer, said in asked.items():
            app.say(f"{healer}: {said}")
        if not problems:
            self.dismiss()
            return
        self.busy = False
        names = {act.healer for act in done} | asked.keys()
        self.healers = tuple(
            self.acts.read(healer.name, healer.catalog)
            for healer in self.healers
            if healer.name not in names
        )
        self.replan()
        self.tell("; ".join(problems), bad=True)
