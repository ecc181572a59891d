"""The whole audit log: follow or read, filter, jump to a time, one event in full, copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.worker import get_current_worker

from healconsole.core.ages import clock_time, iso
from healconsole.core.auditfilter import AuditFilter, FilterError, parse_filter
from healconsole.core.auditline import AuditLine
from healconsole.core.fleetplace import told_time
from healconsole.core.snapshot import Snapshot
from healconsole.stores.redisclient import RedisUnknown
from healconsole.tui import keys
from healconsole.tui.fleetwindow import FleetWindow
from healconsole.tui.jump import JumpError, parse_jump
from healconsole.tui.keys import Key
from healconsole.tui.logwindow import LogWindow
from healconsole.tui.ports import LogStep, LogStretch
from healconsole.tui.screens.base import ConsoleScreen
from healconsole.tui.screens.event import EventScreen
from healconsole.tui.widgets.auditview import AuditView
from healconsole.tui.widgets.keybar import KeyBar
from healconsole.tui.widgets.prompt import Prompt
from healconsole.tui.widgets.rule import Rule
from healconsole.tui.widgets.statusline import StatusLine

CHUNK = 500
"""Lines read at one time when the reader comes to the edge of what is in memory."""

_ENOUGH = 200
"""Matches after which a search waits until the reader comes near the last of them."""

_DAY = 86_400.0
_FILTER_SAYS = "filter (healer: outcome: since:2h -word)"
_JUMP_SAYS = "jump to (14:30, -2h, 2026-11-23 14:30)"
_NO_TIME_SAYS = "not a time (14:30, -2h, 2026-11-23 14:30)"


def _any_line(line: AuditLine) -> bool:
    del line
    return True


class AuditScreen(ConsoleScreen):
    """The log at full size. It follows its end until somebody moves away from it."""

    SHOWN_KEYS: ClassVar[tuple[Key, ...]] = (
        keys.FOLLOW, keys.FILTER, keys.JUMP, keys.OPEN, keys.COPY, keys.BACK, keys.LOCKS,
        keys.HELP, keys.QUIT,
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        *(keys.binding(key) for key in (keys.FOLLOW, keys.FILTER, keys.JUMP, keys.COPY)),
        keys.binding(keys.OPEN),
        keys.binding(keys.BACK),
    ]
    AUTO_FOCUS = "AuditView"

    def __init__(self, filter_text: str = "") -> None:
        super().__init__()
        self._window = LogWindow()
        self._follow = True
        self._new = 0
        self._filter_text = filter_text
        self._problem = ""
        """Why the filter cannot be read."""
        self._no_time = ""
        """Why the time to jump to cannot be read, until it is mended or left."""
        self._searching = ""
        self._unread = ""
        """Why what was asked for could not be read."""

    @property
    def at_start(self) -> bool:
        """Whether the window reaches back to the first line of the log."""
        return self._window.at_start

    def compose(self) -> ComposeResult:
        """Lay the parts out."""
        yield StatusLine(id="status")
        yield Rule("Audit", id="audit-rule")
        yield AuditView(id="log")
        yield Rule(id="audit-foot")
        yield Prompt(id="prompt")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Begin with the filter that was asked for."""
        if self.console_app.view.fleet:
            self._window = FleetWindow()
        if self._filter_text:
            self._choose(self._filter_text)
        super().on_mount()

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Take new lines in; follow them, or count them."""
        app = self.console_app
        self.show_status(snapshot, now)
        view = self.query_one(AuditView)
        view.lay_out(
            longest=app.board.longest_name,
            utc_offset_s=app.view.utc_offset_s,
            hosts=app.view.fleet,
        )
        view.told_until(self._told_until(now))
        added = self._window.take_tail(snapshot.audit, follow=self._follow)
        if added or len(view.events) != len(self._window.lines):
            self._new = 0 if self._follow else self._new + added
            self._draw()
        self._label(snapshot)

    def _told_until(self, now: float) -> float | None:
        """Up to when the lines tell everything; None where a filter leaves some out."""
        if self._window.filter is not None:
            return None
        if self._window.live:
            return now
        times = (getattr(line, "ts", None) for line in reversed(self._window.lines))
        return next((ts for ts in times if ts is not None), 0.0)

    def action_follow(self) -> None:
        """Follow the end of the log, or pause."""
        self._set_follow(follow=not self._follow)

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(Prompt).ask("filter", _FILTER_SAYS, self._filter_text, self._filter_typed)

    def action_jump(self) -> None:
        """Type a time to jump to."""
        self._ask_jump(_JUMP_SAYS, "")

    def _ask_jump(self, says: str, text: str) -> None:
        self.query_one(Prompt).ask("jump", says, text, self._time_typed)

    def action_open(self) -> None:
        """Show the event under the cursor in full."""
        line = self.query_one(AuditView).current
        if line is not None:
            self.app.push_screen(EventScreen(line))

    def action_copy(self) -> None:
        """Copy the line under the cursor, exact as the log has it, to the terminal's clipboard."""
        line = self.query_one(AuditView).current
        if line is None:
            self.console_app.say("there is no line to copy")
            return
        # OSC 52 carries it base64-encoded: the terminal cannot be made to obey what is in it.
        self.app.copy_to_clipboard(line.raw.decode("utf-8", "replace").rstrip("\n"))
        self.console_app.say("the line is in the clipboard of your terminal, if it takes OSC 52")

    def action_back(self) -> None:
        """Close what is open, then the screen."""
        prompt = self.query_one(Prompt)
        if prompt.display:
            prompt.close()
            self._forget_time()
            self.query_one(AuditView).focus()
        elif self._searching:
            self.workers.cancel_group(self, "log")
            self._found("")
        elif self._filter_text:
            self._choose("")
        else:
            self.dismiss()

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        """Filter as it is typed."""
        if message.purpose == "filter":
            self._choose(message.text)

    def _filter_typed(self, text: str | None) -> None:
        """Take the filter; on escape as it was last seen."""
        if text is not None and text != self._filter_text:
            self._choose(text)
        self.query_one(AuditView).focus()

    def _time_typed(self, text: str | None) -> None:
        """Jump to a time. What is none is to be mended, not to be typed again."""
        if text and not self._jump(text):
            self._ask_jump(_NO_TIME_SAYS, text)
            return
        self._forget_time()
        self.query_one(AuditView).focus()

    def on_audit_view_moved(self, message: AuditView.Moved) -> None:
        """Pause when the reader moves away from the end, follow when they come back."""
        at_end = message.last and self._window.live
        if at_end != self._follow:
            self._set_follow(follow=at_end)

    def on_audit_view_near_edge(self, message: AuditView.NearEdge) -> None:
        """Read on in the direction in which the reader goes."""
        if message.older and not self._window.at_start:
            self._read_older()
        elif not message.older and not self._window.live:
            self._read_newer()

    def on_audit_view_opened(self) -> None:
        """Show the event that was clicked twice."""
        self.action_open()

    def _set_follow(self, *, follow: bool) -> None:
        self._follow = follow
        self._new = 0
        if follow:
            self._window.follow()
            self._draw()
        self._label(self.console_app.snapshot)

    def _choose(self, text: str) -> None:
        """Filter by ``text``; while it cannot be read, the last good filter stays."""
        self._filter_text = text
        chosen: AuditFilter | None = None
        try:
            if text.strip():
                chosen = parse_filter(
                    text, self.console_app.clock(), self.console_app.view.utc_offset_s
                )
        except FilterError as error:
            self._problem = str(error)
        else:
            self._problem = ""
            self._window.set_filter(chosen)
            self._follow, self._new = True, 0
            self._draw()
            if chosen is not None and len(self._window.lines) < _ENOUGH:
                self._read_older()
        self._label(self.console_app.snapshot)

    def _draw(self) -> None:
        view = self.query_one(AuditView)
        view.told_until(self._told_until(self.console_app.clock()))
        view.show_events(self._window.lines, follow=self._follow)

    def _label(self, snapshot: Snapshot) -> None:
        title = "Audit"
        if self._filter_text:
            title += f"  /{self._filter_text}"
        note, tone = "▾ following", "dim"
        if self._no_time or self._problem:
            note, tone = self._no_time or self._problem, "warn"
        elif not self._follow:
            note, tone = (f"PAUSED, {self._new} new" if self._new else "PAUSED"), "warn"
        self.query_one("#audit-rule", Rule).label(title, note, tone)
        path = snapshot.audit.path or self.console_app.view.audit
        self.query_one("#audit-foot", Rule).label(path, self._place(snapshot))

    def _place(self, snapshot: Snapshot) -> str:
        """Where in the log the window is, and what is being looked for."""
        parts = [snapshot.audit.gap, self._searching, self._unread]
        size = snapshot.audit.size
        if not self._window.lines:
            parts.append("nothing matches" if self._filter_text else "no events yet")
        elif self.console_app.view.fleet:
            parts.append(self._told_since())
        elif not self._window.live and size:
            parts.append(f"{self._window.end * 100 // size} % of the log")
        return "  ".join(part for part in parts if part)

    def _told_since(self) -> str:
        """How far back the stream was read, where somebody reads back."""
        if self._follow and not self._filter_text:
            return ""
        if self._window.at_start:
            return "the stream begins here"
        view, since = self.console_app.view, told_time(self._window.start)
        recent = self.console_app.clock() - since < _DAY
        at = (clock_time if recent else iso)(since, view.utc_offset_s)
        return f"told since {at}"

    @work(thread=True, exclusive=True, group="log")
    def _read_older(self) -> None:
        """Read back until enough matches were found, or the log begins."""
        reader, window = self.console_app.log_reader, self._window
        if reader is None:
            return
        worker, chosen = get_current_worker(), window.filter
        matches = _any_line if chosen is None else chosen.matches
        start, found, goes_on = window.start, 0, True
        if self.console_app.view.fleet:
            self._if_shown(partial(self._found, "reading back…"))
        with self._telling():
            while goes_on and start > 0 and found < _ENOUGH:
                step = reader.scan(matches, start)
                if worker.is_cancelled:
                    return
                goes_on = self._if_shown(partial(self._got_older, chosen, step, start))
                start, found = step.offset, found + len(step.lines)
            self._if_shown(partial(self._found, ""))

    def _got_older(self, chosen: AuditFilter | None, step: LogStep, since: int) -> bool:
        """Take in what was read back from ``since``; whether that is what is wanted still."""
        if chosen is not self._window.filter or since != self._window.start:
            return False  # somebody typed on, or moved: these lines answer another question
        self._window.before(step.lines, step.offset)
        if self._filter_text:
            self._found(f"searching, {self._seen(step.offset)} seen")
        self._draw()
        return True

    def _seen(self, start: int) -> str:
        """How much of the log was searched."""
        if self.console_app.view.fleet:
            return clock_time(told_time(start), self.console_app.view.utc_offset_s)
        size = max(1, self.console_app.snapshot.audit.size)
        return f"{(size - start) * 100 // size} %"

    def _found(self, searching: str, unread: str = "") -> bool:
        self._searching, self._unread = searching, unread
        self._label(self.console_app.snapshot)
        return True

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """In a worker: what could not be read is said, and what was read before stays."""
        try:
            yield
        except RedisUnknown as unknown:
            if not get_current_worker().is_cancelled:
                self._if_shown(partial(self._found, "", f"NOT READ ON: {unknown.why}"))

    @work(thread=True, exclusive=True, group="log")
    def _read_newer(self) -> None:
        reader, window = self.console_app.log_reader, self._window
        if reader is None:
            return
        worker, since, goes_on = get_current_worker(), window.end, True
        with self._telling():
            while goes_on:
                step = reader.newer(since, CHUNK)
                # Of a whole chunk of the fleet's stream nothing may be an event of ours.
                if worker.is_cancelled or not (step.lines or step.offset > since):
                    return
                took = self._if_shown(partial(self._got_newer, step, since))
                since, goes_on = step.offset, took and not step.lines

    def _got_newer(self, step: LogStep, since: int) -> bool:
        """Take in what was read on from ``since``; whether that is what is wanted still."""
        if since != self._window.end:
            return False
        self._window.after(step.lines, step.offset)
        self._draw()
        return self._found("")

    def _jump(self, text: str) -> bool:
        """Jump to a time; return whether the text is one."""
        try:
            ts = parse_jump(text, self.console_app.clock(), self.console_app.view.utc_offset_s)
        except JumpError as error:
            self._no_time = str(error)
            self._label(self.console_app.snapshot)
            return False
        self._follow = False
        self._jump_to(ts)
        return True

    def _forget_time(self) -> None:
        if self._no_time:
            self._no_time = ""
            self._label(self.console_app.snapshot)

    @work(thread=True, exclusive=True, group="log")
    def _jump_to(self, ts: float) -> None:
        reader = self.console_app.log_reader
        if reader is None:
            return
        with self._telling():
            there = reader.around(ts, CHUNK)
            self._if_shown(partial(self._arrive, there))

    def _arrive(self, there: LogStretch) -> bool:
        self._window.jump(there.lines, there.start, there.end)
        self._draw()
        lines = self._window.lines
        landed = [index for index, line in enumerate(lines) if line.offset >= there.at]
        self.query_one(AuditView).put_cursor(landed[0] if landed else len(lines) - 1)
        return self._found("")

    def _if_shown(self, change: Callable[[], bool]) -> bool:
        """From a worker: do ``change`` unless the screen was left, or is being left, meanwhile.

        Returns:
            What ``change`` says, or False if it was not done.
        """

        def do() -> bool:
            return self.is_attached and bool(self.query(AuditView)) and change()

        return self.app.call_from_thread(do)
