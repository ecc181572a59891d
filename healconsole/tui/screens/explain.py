"""Would it act now? Asked for any intent, answered while it is typed."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Input, Label

from healconsole.core.explain import latest_intent
from healconsole.core.snapshot import Snapshot
from healconsole.core.text import visible
from healconsole.tui.screens.modal import ConsoleModal
from healconsole.tui.widgets.answer import answer_lines
from healconsole.tui.widgets.cells import Line, cell, gap
from healconsole.tui.widgets.field import Field
from healconsole.tui.widgets.pager import Pager


class ExplainScreen(ConsoleModal[None]):
    """The guardrails' answer for one healer and the intent in the field."""

    AUTO_FOCUS = "Input"

    def __init__(self, name: str) -> None:
        super().__init__(f"Would {name} act now?")
        self._healer_name = name
        self._latest = ""

    def body(self) -> ComposeResult:
        """A field for the intent, and the ladder."""
        healer = self.console_app.healer(self._healer_name)
        self._latest = latest_intent(healer) if healer else ""
        yield Label("intent", classes="field-label")
        yield Field(visible(self._latest), id="intent")
        yield Pager(self._drawn, id="ladder")

    def on_mount(self) -> None:
        """Answer, and go on answering."""
        super().on_mount()
        self.watch(self.app, "snapshot", self._changed)

    def on_input_changed(self) -> None:
        """Answer for what is typed."""
        self.query_one(Pager).draw()

    def tick(self, now: float) -> None:
        """Answer for a later time."""
        del now
        self.query_one(Pager).draw()

    def _changed(self, _snapshot: Snapshot) -> None:
        self.query_one(Pager).draw()

    def _drawn(self, width: int) -> list[Line]:
        app = self.console_app
        healer = app.healer(self._healer_name)
        if healer is None:
            return [(gap(1), cell("This healer is gone.", "warn"))]
        intent = self.query_one("#intent", Input).value
        if intent == visible(self._latest):  # left as it is: asked for exactly as it was wanted
            intent = self._latest
        return answer_lines(
            healer,
            app.snapshot,
            app.clock(),
            width,
            app.view.utc_offset_s,
            app.view.thresholds,
            intent or None,
        )
