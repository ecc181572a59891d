"""One healer at full size: the answer, what it is decided on, and what it did lately."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from healconsole.core.request import asked_words
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.screens.acting import ActingScreen
from healconsole.tui.screens.audit import AuditScreen
from healconsole.tui.widgets.answer import answer_lines
from healconsole.tui.widgets.cells import Line, cell, folded, gap
from healconsole.tui.widgets.healerfacts import facts_lines
from healconsole.tui.widgets.healerparts import parts_lines
from healconsole.tui.widgets.keybar import KeyBar
from healconsole.tui.widgets.pager import Pager
from healconsole.tui.widgets.rule import Rule
from healconsole.tui.widgets.statusline import StatusLine
from healconsole.tui.widgets.tailpane import TailPane, of_healer


class HealerScreen(ActingScreen):
    """Everything that is known of one healer."""

    SHOWN_KEYS: ClassVar[tuple[Key, ...]] = (
        *keys.ACTS, keys.UNDO, keys.EXPLAIN, keys.AUDIT, keys.LOCKS, keys.BACK, keys.HELP,
        keys.QUIT,
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        keys.binding(keys.BACK),
        keys.binding(keys.EXPLAIN),
        keys.binding(keys.AUDIT),
    ]
    AUTO_FOCUS = "#parts"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.healer_name = name

    def compose(self) -> ComposeResult:
        """Lay the parts out."""
        yield StatusLine(id="status")
        yield Rule(id="healer-rule")
        with Horizontal(id="healer-body"):
            with Vertical(id="healer-left"):
                yield Pager(self._parts, id="parts")
            with Vertical(id="healer-right"):
                yield Rule("Recent events", id="events-rule")
                yield TailPane(id="healer-tail", of_one_healer=True)
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Look closer at this healer."""
        self.console_app.look_at(self.healer_name)
        super().on_mount()

    def subject(self) -> HealerState | None:
        """Return the healer."""
        return self.console_app.healer(self.healer_name)

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Draw what is known at ``now``."""
        app = self.console_app
        self.show_status(snapshot, now)
        healer = self.subject()
        about = healer.catalog.description if healer is not None and healer.catalog else ""
        self.query_one("#healer-rule", Rule).label(self.healer_name, about, whole_title=True)
        self.query_one("#parts", Pager).draw()
        audit = app.key_display(keys.AUDIT)
        self.query_one(TailPane).show(
            of_healer(snapshot.audit.lines, *self._named()),
            longest=12,
            utc_offset_s=app.view.utc_offset_s,
            empty=f"none among the newest lines of the log; {audit} shows the whole log",
        )

    def action_back(self) -> None:
        """Back to the table."""
        self.dismiss()

    def action_explain(self) -> None:
        """Ask for another intent."""
        self.console_app.explain(self.subject())

    def action_audit(self) -> None:
        """The log of this healer alone."""
        name, host = self._named()
        of = f" host:{host}" if host is not None else ""
        self.app.push_screen(AuditScreen(f"healer:{name}{of}"))

    def _named(self) -> tuple[str, str | None]:
        """The healer's own name, and on a fleet its host's."""
        host, slash, name = self.healer_name.rpartition("/")
        return name, host if slash else None

    def _parts(self, width: int) -> list[Line]:
        app = self.console_app
        now, offset = app.clock(), app.view.utc_offset_s
        healer = self.subject()
        if healer is None:
            return [
                (gap(1), cell("This healer is gone: its state directory is not there.", "warn"))
            ]
        asked = [
            (gap(1), cell(part, "warn"))
            for request in app.waiting_requests()
            if request.healer_id == healer.id
            for part in folded(f"! {asked_words(request, now)}", max(20, width - 2), 4)
        ]
        return [
            *asked,
            *answer_lines(healer, app.snapshot, now, width, offset, app.view.thresholds),
            (),
            *facts_lines(healer, now, width, offset),
            (),
            *parts_lines(healer, now, width, offset),
        ]
