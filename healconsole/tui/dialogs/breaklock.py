"""Take a lock away from the holder that is shown, and from nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from healconsole.core.ages import countdown
from healconsole.core.holding import ghosts
from healconsole.core.plan import ActRefused
from healconsole.core.snapshot import Lock
from healconsole.core.text import visible
from healconsole.tui.dialogs.asking import AskingDialog
from healconsole.tui.dialogs.factlines import labelled
from healconsole.tui.ports import LockActs
from healconsole.tui.widgets.cells import Line
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.field import Field
from healconsole.tui.widgets.locktable import holder_text

_ALIVE = "nothing says that its holder is gone: it may be acting now"
_AFTER = (
    "free: the next host may act. It is taken away only from this token; a holder that lives "
    "ends its action when it finds out."
)


class BreakDialog(AskingDialog):
    """Says who holds the lock and whether they live; wants a reason, and the lock's name typed."""

    VERB: ClassVar[str] = "Break"

    def __init__(self, acts: LockActs, lock: Lock) -> None:
        super().__init__(None)
        self.lock_acts = acts
        self.held = lock

    def compose(self) -> ComposeResult:
        """The lock and what breaking it does, then what is asked."""
        with Vertical(id="dialog"):
            yield Static(Content(visible(f"Break the lock {self.held.key}")), id="heading")
            with VerticalScroll(id="facts", can_focus=False):
                yield CellView(id="plan")
            yield from self.compose_reason()
            with Horizontal(classes="field"):
                yield Label("name", classes="label")
                says = f"type {self.held.key}"
                yield Field(id="name", placeholder=visible(says))
            yield from self.compose_buttons()

    def on_mount(self) -> None:
        """Say what is missing."""
        self.draw()
        self._changed()

    def tick(self, _now: float) -> None:
        """Count on what the lock has left."""
        if self.is_attached and self.console_app.is_whole(self):
            self.draw()

    def names_in_sight(self) -> Iterable[str]:
        """No healer's row is in this dialog."""
        return ()

    def draw(self) -> None:
        """Show the facts."""
        if not self.is_attached:
            return
        self.show_facts(self._facts)

    def _facts(self, width: int) -> list[Line]:
        owner = self.held.owner
        holds = f"{holder_text(owner)}, {self._left()}"
        return [
            *labelled("held by", (holds, *self._lives()), width),
            *labelled("token", (owner,), width),
            *labelled("after", (_AFTER,), width),
        ]

    def _now(self) -> Lock | None:
        """The lock as its holder has it now, who may have prolonged it; None if given up since."""
        held = self.held.key, self.held.owner
        locks = self.console_app.snapshot.locks
        return next((lock for lock in locks if (lock.key, lock.owner) == held), None)

    def _left(self) -> str:
        lock = self._now()
        if lock is None:
            return "who has it no more, as Redis told it last"
        if lock.expires_at is None:
            return "with no end"
        left = lock.expires_at - self.console_app.clock()
        return countdown(left) if left > 0 else "ended"

    def _lives(self) -> tuple[str, ...]:
        """Whether the holder lives, while it is the holder: another one's life says nothing."""
        if self._now() is None:
            return ()
        app = self.console_app
        dead = ghosts(app.snapshot, app.clock(), app.view.thresholds).get(self.held.key)
        return (f"GHOST: {dead}" if dead else _ALIVE,)

    def missing(self) -> str:
        """What keeps the button from working."""
        if not self.reason:
            return "a reason is needed: somebody will ask for it in three months"
        key = visible(self.held.key)
        return "" if self.typed("name") == key else f"type {key} to confirm"

    def lacking(self) -> str:
        """The field that ``missing`` asks for."""
        return "name" if self.reason else "reason"

    @on(Input.Changed)
    def _changed(self) -> None:
        self.ready(self.missing())

    @on(Button.Pressed, "#act")
    def _pressed(self) -> None:
        if self.busy or self.missing():
            self.ask_for_missing()
            return
        self.begin()
        self._break(self.reason, self.typed("incident"))

    @work(thread=True, exclusive=True)
    def _break(self, reason: str, incident: str) -> None:
        from healconsole.stores.apply import ChangedUnderneath, NotApplied
        from healconsole.stores.auditlog import AuditUnwritable
        from healconsole.stores.redisclient import RedisUnknown

        said = ""
        try:
            with self.console_app.session.uncut():
                self.lock_acts.break_lock(
                    self.held.key, self.held.owner, reason=reason, incident=incident
                )
        except (ChangedUnderneath, NotApplied) as problem:
            said = str(problem)
        except (ActRefused, AuditUnwritable, RedisUnknown, OSError) as problem:
            said = f"nothing was changed: {problem}"
        self.app.call_from_thread(self._ended, said)

    def _ended(self, problem: str) -> None:
        self.busy = False
        if problem:
            self.tell(problem, bad=True)
            return
        app = self.console_app
        app.poke()
        app.say(f"broken: the lock {self.held.key}")
        self.dismiss()
