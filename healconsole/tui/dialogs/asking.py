"""A dialog that asks why: a reason, an incident, and a button that enter alone never presses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static

from healconsole.core.text import visible
from healconsole.tui.dialogs.secondperson import lacks_why
from healconsole.tui.overlay import Overlay
from healconsole.tui.ports import Acts
from healconsole.tui.safetext import plain
from healconsole.tui.widgets.cells import TONE_CLASSES, Line
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.field import Field

if TYPE_CHECKING:
    from healconsole.tui.app import ConsoleApp

ROOMY = 32
"""Rows from which on a dialog has blank lines between its parts."""
MAX_WIDTH = 110
"""Columns of a dialog at most, as its stylesheet has it."""
AROUND = 4
"""Columns of its border and padding."""
FRAME = 6
"""Rows of border, heading, hint (two) and buttons."""
TOLD = 200
"""Characters of what an act changed that are told after it: a note covers what is below it."""

_LEAVE = "esc: leave everything as it is"


def field(label: str, widget: Widget) -> ComposeResult:
    """Yield one row of a dialog: a label of ours and what is asked."""
    with Horizontal(classes="field"):
        yield Label(plain(label), classes="label")
        yield widget


class AskingDialog(Overlay[None]):
    """What every dialog of an act asks for, and how it answers."""

    COMPONENT_CLASSES: ClassVar[set[str]] = TONE_CLASSES
    VERB: ClassVar[str] = ""
    """What the button says."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False),
        # Bound before the field sees them: what is typed or pasted right behind, on a link that
        # lags, then goes where it was meant to.
        Binding("enter", "next_field", show=False, priority=True),
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("pagedown", "scroll(1)", show=False),
    ]
    AUTO_FOCUS = "#reason"

    def __init__(self, acts: Acts | None) -> None:
        super().__init__(classes="act")
        self._acts = acts
        self.busy = False
        """Whether an act is under way: nothing is asked, and nothing closes, until it ended."""
        self._seen_at = math.inf

    def draw(self) -> None:
        """Show what the dialog has to say, folded for its width."""

    def on_resize(self) -> None:
        """Fold it for the new width."""
        self.call_after_refresh(self._fold)

    def _fold(self) -> None:
        if self.console_app.is_whole(self):  # else it has no widgets yet, or any more
            self.draw()

    def painted(self, at: float) -> None:
        """Take keys from the first time on at which the dialog was painted."""
        self._seen_at = min(self._seen_at, at)

    def was_seen_at(self, pressed: float) -> bool:
        """Whether an operator who pressed a key then could see that this dialog would take it."""
        return pressed >= self._seen_at

    @property
    def acts(self) -> Acts:
        """What can be done; a dialog that was given none does something else."""
        assert self._acts is not None  # noqa: S101 - so says who made the dialog
        return self._acts

    @property
    def console_app(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    @property
    def button_word(self) -> str:
        """What the button says now; words of ours."""
        return self.VERB

    def compose_reason(self) -> ComposeResult:
        """The fields that every act has."""
        yield from field("reason", Field(id="reason", max_length=2000))
        incident = Field(visible(self.console_app.session.incident), id="incident")
        yield from field("incident", incident)

    def compose_buttons(self) -> ComposeResult:
        """What is still missing, and the button."""
        yield Static(id="hint")
        with Horizontal(id="buttons"):
            yield Static("esc cancel", id="cancel-hint")
            yield Button(self.VERB, id="act", compact=True)

    def missing(self) -> str:
        """What keeps the button from working; empty if nothing does. May hold data."""
        raise NotImplementedError

    def lacking(self) -> str:
        """The field that ``missing`` asks for; empty if it is of no field."""
        return "" if self.reason and not lacks_why(self.reason) else "reason"

    def action_next_field(self) -> None:
        """Enter in a field goes to the next one; it never acts.

        It does not leave what is missing, nor go to a button that would only ask for it.
        """
        field = self.focused
        if not isinstance(field, Input):
            raise SkipAction
        behind = self.focus_chain[self.focus_chain.index(field) + 1 :]
        lacking = self.lacking() if self.missing() else ""
        if lacking and (lacking == field.id or isinstance(next(iter(behind), None), Button)):
            self.ask_for_missing()
        else:
            self.focus_next()

    def ask_for_missing(self) -> None:
        """Say what keeps the button from working, and go to its field."""
        missing = self.missing()
        self.tell(missing, bad=True)
        if missing and (lacking := self.lacking()):
            self.set_focus(self.query_one(f"#{lacking}"))

    def action_scroll(self, by: int) -> None:
        """Page through facts that are longer than the screen."""
        for facts in self.query("#facts"):
            facts.scroll_relative(y=by * max(1, facts.size.height - 1), animate=False)

    def ready(self, missing: str) -> None:
        """Show whether the button would act; what is missing is said if it would not."""
        button = self.query_one("#act", Button)
        button.set_class(not missing, "-ready")
        on_button = button.has_focus and not missing
        if str(button.label) != self.button_word:
            button.label = plain(self.button_word)
            button.refresh(layout=True)  # it is as wide as its word
        self.tell(f"enter: {self.button_word.lower()}   {_LEAVE}" if on_button else missing)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Say what enter does once it would do something."""
        if isinstance(event.widget, Button) and event.widget.has_class("-ready"):
            self.ready("")

    def typed(self, field_id: str) -> str:
        """What is in one of the fields, without blanks around it."""
        return self.query_one(f"#{field_id}", Input).value.strip()

    @property
    def reason(self) -> str:
        """The reason as typed."""
        return self.typed("reason")

    def begin(self) -> None:
        """Note that the act is under way, and keep the incident for the next one."""
        self.busy = True
        self.console_app.session.incident = self.typed("incident")

    def tell(self, text: str, *, bad: bool = False) -> None:
        """Say a sentence above the buttons. Data in it is shown, never obeyed."""
        hint = self.query_one("#hint", Static)
        hint.update(Content(visible(text)))
        hint.set_class(bad, "bad")

    def room_in(self, widget: Widget) -> int:
        """The columns of what is in the dialog, as they will be where they are not laid out yet.

        The first frame then has the lines that stay, and not narrow ones for a moment.
        """
        return widget.size.width or min(self.app.size.width, MAX_WIDTH) - AROUND

    def show_facts(self, lines: Callable[[int], list[Line]]) -> None:
        """Show what ``lines`` makes of the columns that there are, above the fields."""
        facts = self.query_one("#facts", VerticalScroll)
        made = lines(max(30, self.room_in(facts) - 2))
        view = self.query_one("#plan", CellView)
        view.styles.height = max(1, len(made))
        view.show_lines(made)
        self.leave_room_for_fields()

    def leave_room_for_fields(self) -> None:
        """Keep the fields and the button in sight: the facts scroll in what is left."""
        fields = sum(row.display for row in self.query(".field"))
        low = self.app.size.height < ROOMY
        self.set_class(low, "-low")
        around = FRAME if low else FRAME + 3
        most = self.app.size.height - around - fields
        self.query_one("#facts").styles.max_height = max(3, most)

    def from_worker(self, show: Callable[[], None]) -> None:
        """From a worker: do ``show`` unless the dialog was left, or is being left, meanwhile."""

        def do() -> None:
            if self.is_attached and self.query("#hint"):
                show()

        self.app.call_from_thread(do)

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Close, with what was opened over it: Textual closes whatever is on top."""
        if self is not self.app.screen:
            self.pop_until_active()
        return super().dismiss(result)

    def action_cancel(self) -> None:
        """Close, with nothing done."""
        if not self.busy:
            self.dismiss()
