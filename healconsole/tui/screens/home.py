"""The first screen: which healer stopped, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual._time import get_time
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import ScreenResume
from textual.timer import Timer

from healconsole.core.grouping import Grouping, grouped, row_filter
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.core.view import HealerRow
from healconsole.tui import keys
from healconsole.tui.keys import Key
from healconsole.tui.screens.acting import ActingScreen
from healconsole.tui.widgets.answer import Answer
from healconsole.tui.widgets.healertable import HealerTable
from healconsole.tui.widgets.keybar import KeyBar
from healconsole.tui.widgets.prompt import Prompt
from healconsole.tui.widgets.rule import Rule
from healconsole.tui.widgets.statusline import StatusLine
from healconsole.tui.widgets.tailpane import TailPane, newest_lines

RESTS_S = 0.15
"""Without another key for as long the cursor rests where it is."""


class HomeScreen(ActingScreen):
    """The table of healers, the answer for the one under the cursor, and the live log."""

    SHOWN_KEYS: ClassVar[tuple[Key, ...]] = (
        *keys.ACTS, keys.UNDO, keys.MARK, keys.FILTER, keys.EXPLAIN, keys.OPEN,
        keys.AUDIT, keys.LOCKS, keys.HELP, keys.QUIT,
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        *(keys.binding(key) for key in (keys.MARK, keys.FILTER, keys.EXPLAIN)),
        keys.binding(keys.OPEN),
        keys.binding(keys.SETTLE, show=False),
        keys.binding(keys.GROUP, show=False),
        keys.binding(keys.BACK, show=False),
    ]
    AUTO_FOCUS = "HealerTable"

    def __init__(self) -> None:
        super().__init__()
        self._filter = ""
        self._grouping = Grouping.NONE
        self._listed: object = None
        """The order, or where they are filtered or grouped the rows, that was shown last."""
        self._chosen = (self._filter, self._grouping)
        """With which filter and grouping the rows were shown last."""
        self._left: tuple[int, bool] | None = None
        """How many acts were done, and whether the order was held, when it was left to look."""
        self._acted = False
        """Whether the order is held since an act."""
        self._moved_at = 0.0
        self._resting: Timer | None = None
        """Waits until the cursor rests."""

    def compose(self) -> ComposeResult:
        """Lay the parts out; the stylesheet places them for the size there is."""
        yield StatusLine(id="status")
        yield Rule(id="top-rule")
        yield HealerTable(id="healers")
        with Horizontal(id="below"):
            with Vertical(id="answer-side"):
                yield Rule("Would it act now?", id="answer-rule")
                yield Answer(id="answer")
            with Vertical(id="tail-side"):
                yield Rule("Audit", id="tail-rule")
                yield TailPane(id="tail")
        yield Prompt(id="prompt")
        yield KeyBar(id="keys")

    def subject(self) -> HealerState | None:
        """Return the healer under the cursor."""
        return self.console_app.healer(self.query_one(HealerTable).selected)

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Draw a snapshot, or the same one again at a later time."""
        app, table = self.console_app, self.query_one(HealerTable)
        self._fit(table, len(app.board.order))
        self._show_rows(table)
        self.show_status(snapshot, now)
        self._label_top(table)
        self._show_answer(table, snapshot, now)
        self.query_one(TailPane).show(
            newest_lines(snapshot.audit),
            longest=app.board.longest_name,
            utc_offset_s=app.view.utc_offset_s,
            empty="no audit events yet",
            hosts=app.view.fleet,
        )

    def _show_rows(self, table: HealerTable) -> None:
        board, chosen = self.console_app.board, (self._filter, self._grouping)
        whole = chosen == ("", Grouping.NONE)
        listed = board.order if whole else board.rows
        if listed is self._listed and chosen == self._chosen:
            if whole:
                table.show_changes()
            return
        self._listed, self._chosen = listed, chosen
        if whole:
            table.show_rows(board.order, board.by_name)
            return
        rows: Sequence[HealerRow] = board.rows
        if self._filter:
            rows = tuple(filter(row_filter(self._filter), rows))
        names = [row.name for row in grouped(rows, self._grouping)]
        table.show_rows(names, board.by_name, self._grouping)

    def _show_answer(self, table: HealerTable, snapshot: Snapshot, now: float) -> None:
        app = self.console_app
        at_length = self.has_class("-wide") and self.has_class("-high")
        if self._filter and not table.order and app.board.order:
            self.query_one("#answer-rule", Rule).label("What to do")
            esc = app.key_display(keys.BACK)
            said = f"no healer matches /{self._filter}; {esc} takes the filter away"
            self.query_one(Answer).say(said)
            return
        self._label_answer(table.selected if at_length else None)
        self.query_one(Answer).show(
            app.healer(table.selected),
            snapshot,
            now,
            app.view.utc_offset_s,
            app.view.thresholds,
            at_length=at_length,
        )

    def _tell_of_selected(self) -> None:
        """Say what the cursor is on. The other parts say nothing of it."""
        if not self.is_attached:
            return
        app, table = self.console_app, self.query_one(HealerTable)
        self._look_closer()
        self._label_top(table)
        self._show_answer(table, app.snapshot, app.clock())
        self.refresh_keys()

    def _look_closer(self) -> None:
        """Have the healer under the cursor read whole; where the cursor goes on, when it rests.

        To read each that it passes, and to show what was found, would keep the next key waiting.
        """
        if self._resting is not None:
            self._resting.stop()
        moved_at, self._moved_at = self._moved_at, get_time()
        if self._moved_at - moved_at > RESTS_S:
            self._look_at_selected()
        else:
            self._resting = self.set_timer(RESTS_S, self._look_at_selected)

    def _look_at_selected(self) -> None:
        if self.is_attached:
            self.console_app.look_at(self.query_one(HealerTable).selected)

    def names_in_sight(self) -> Iterable[str]:
        """Return the healers whose rows are in sight."""
        return [name for table in self.query(HealerTable) for name in table.visible_names()]

    def on_healer_table_selected(self) -> None:
        """Look closer at the healer under the cursor."""
        # The cursor is seen to move first; what is said of its healer follows a frame later.
        self.call_after_refresh(self._tell_of_selected)

    def on_healer_table_opened(self, message: HealerTable.Opened) -> None:
        """Open the healer that was clicked twice."""
        self._open(message.name)

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        """Show the healers whose names match what is typed."""
        self._filter = message.text.strip().lower()
        self._again()

    def _filter_typed(self, text: str | None) -> None:
        """Go back to the table; escape takes the filter away."""
        self._filter = (text or "").strip().lower()
        self._again()
        self.query_one(HealerTable).focus()

    def subjects(self) -> Sequence[HealerState]:
        """Return the marked healers, or the one under the cursor."""
        marked = self.query_one(HealerTable).marked
        if not marked:
            return super().subjects()
        return tuple(h for h in self.console_app.snapshot.healers if h.id in marked)

    def stay(self) -> None:
        """Keep the cursor on its healer, which may not be the worst after the act."""
        table = self.query_one(HealerTable)
        if self._left is None:
            self._left = (self.console_app.session.changes, table.held)
        table.hold()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Keep the order, and say so, if something was done meanwhile; looking holds nothing.

        Textual calls the one of the class above next.
        """
        del event
        if self._left is None:
            return
        (changes, held), self._left = self._left, None
        if changes != self.console_app.session.changes:
            self._acted = True
        elif not held:
            self._let_go()

    def action_open(self) -> None:
        """Open the healer under the cursor."""
        name = self.query_one(HealerTable).selected
        if name is None:
            self.console_app.say("open: there is no healer under the cursor")
        else:
            self._open(name)

    def _open(self, name: str) -> None:
        from healconsole.tui.screens.healer import HealerScreen  # not before it is wanted

        self.stay()  # it may be acted on there
        self.app.push_screen(HealerScreen(name))

    def action_explain(self) -> None:
        """Ask the guardrails for any intent."""
        self.console_app.explain(self.subject())

    def action_filter(self) -> None:
        """Type a part of a healer's name."""
        self.query_one(Prompt).ask(
            "filter",
            "filter (name, state:open, mode:dry-run)",
            self._filter,
            self._filter_typed,
        )

    def action_group(self) -> None:
        """Put together what is on one host, or what is one healer."""
        if not self.console_app.view.fleet:
            self.console_app.say("group: all of these healers are of one host")
            return
        self._grouping = self._grouping.after()
        self._let_go()
        self._again()

    def action_back(self) -> None:
        """Take the marks away, then the filter."""
        table = self.query_one(HealerTable)
        if table.marked:
            table.clear_marks()
        elif self._filter:
            self._filter = ""
            self._again()

    def action_mark(self) -> None:
        """Mark the healer under the cursor."""
        self.query_one(HealerTable).toggle_mark()

    def action_settle(self) -> None:
        """Put the worst first again."""
        self._let_go()
        self._again()

    def _let_go(self) -> None:
        self.query_one(HealerTable).settle()
        self._listed, self._left, self._acted = None, None, False

    def _again(self) -> None:
        self.tick(self.console_app.clock())

    def _label_answer(self, name: str | None) -> None:
        """Whom the question is about, where the answer does not name it."""
        rule = self.query_one("#answer-rule", Rule)
        if not self.console_app.board.order:
            rule.label("What to do")
        else:
            rule.label(f"Would {name or 'it'} act now?")

    def _label_top(self, table: HealerTable) -> None:
        """What of the table is not in sight, on the rule above it."""
        hidden = len(table.order) - len(table.visible_names()) if table.size.height else 0
        notes = [
            f"/{self._filter}" if self._filter else "",
            self._grouping.value if self._grouping is not Grouping.NONE else "",
            f"{len(table.marked)} marked" if table.marked else "",
            self._held_words() if self._acted else "",
            f"{len(table.order)} healers, {hidden} out of sight" if hidden > 0 else "",
        ]
        self.query_one("#top-rule", Rule).label("", "  ".join(filter(None, notes)))

    def _held_words(self) -> str:
        return f"order kept since the act: {self.console_app.key_display(keys.SETTLE)} sorts"

    def _fit(self, table: HealerTable, number: int) -> None:
        """Give the table the rows that it needs, and leave the better half to the rest."""
        most = max(5, self.app.size.height * 2 // 5)
        height = min(max(number, 3) + 1, most)
        if table.styles.height is None or table.styles.height.value != height:
            table.styles.height = height
