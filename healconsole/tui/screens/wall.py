"""The wall: read from four metres, touched by nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Digits, Label

from healconsole.core.ages import age, clock_time, countdown
from healconsole.core.snapshot import Snapshot
from healconsole.core.view import HealerRow
from healconsole.core.words import SourceState
from healconsole.tui.keys import Key
from healconsole.tui.safetext import plain
from healconsole.tui.screens.base import ConsoleScreen
from healconsole.tui.widgets.cells import EMPTY_LINE, Line, cell, fit, gap
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.widgets.rule import Rule
from healconsole.tui.widgets.statusline import spread, zone_word
from healconsole.tui.widgets.tailpane import TailPane
from healconsole.tui.words import SEVERITY_SIGNS, SOURCE_SIGNS

_BOXES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("-bad", "✖ OPEN", ("open", "forced-open")),
    ("-bad", "✖ BROKEN", ("corrupt", "unreadable")),
    ("-warn", "! STALE", ("stale",)),
    ("-warn", "! LOOK", ("failing", "half-open", "unknown")),
    ("-warn", "! HELD", ("held",)),
    ("-ok", "✔ OK", ("ok",)),
)
"""How bad each box is, what it says, and the states that it counts."""

_LOST = ("-bad", "✖ LOST", ("lost",))
"""The box that a fleet has more."""


class WallScreen(ConsoleScreen):
    """Big counts, only what needs attention, and the last events. Nothing here writes."""

    SHOWN_KEYS: ClassVar[tuple[Key, ...]] = ()
    AUTO_FOCUS = None

    def compose(self) -> ComposeResult:
        """Lay the parts out."""
        yield CellView(id="wall-top")
        with Horizontal(id="wall-boxes"):
            for tone, says, _ in self._boxes():
                with Vertical(classes=f"box {tone}"):
                    yield Digits("0")
                    yield Label(plain(says))
        yield Rule("Needs a look", id="wall-rule")
        yield CellView(id="wall-list")
        yield Rule("Last events", id="wall-tail-rule")
        yield TailPane(id="wall-tail")

    def show(self, snapshot: Snapshot, now: float) -> None:
        """Draw what is known at ``now``."""
        app = self.console_app
        shown = app.board.rows
        self._count(app.board.counts)
        top = self.query_one("#wall-top", CellView)
        top.show_lines([self._top(snapshot, now, top.size.width or self.app.size.width)])
        attention = self.query_one("#wall-list", CellView)
        bad = [row for row in shown if row.severity >= 2]
        room = max(1, attention.size.height)
        width, longest = attention.size.width or self.app.size.width, app.board.longest_name
        lines = [_needs(row, width, longest) for row in bad[:room]]
        if len(bad) > room:
            lines[-1] = (gap(3), cell(f"… and {len(bad) - room + 1} more", "warn"))
        elif 2 * len(bad) <= room:  # with room to spare, air between the lines
            lines = [line for spaced in lines for line in (spaced, EMPTY_LINE)]
        if not bad:
            says = "nothing" if shown else "no healer has left any state yet"
            lines = [(gap(3), cell(says, "ok" if shown else "dim"))]
        attention.show_lines(lines)
        self.query_one(TailPane).show(
            snapshot.audit.lines,
            longest=app.board.longest_name,
            utc_offset_s=app.view.utc_offset_s,
            empty="none yet",
            hosts=app.view.fleet,
        )

    def refresh_keys(self) -> None:
        """A wall has no keys to show; q, ? and a work all the same."""

    def _boxes(self) -> Sequence[tuple[str, str, tuple[str, ...]]]:
        return (_BOXES[0], _LOST, *_BOXES[1:]) if self.console_app.view.fleet else _BOXES

    def _count(self, found: Mapping[str, int]) -> None:
        boxes = self.query(".box").results(Vertical)
        for box, (_, _, words) in zip(boxes, self._boxes(), strict=True):
            number = sum(found.get(word, 0) for word in words)
            digits = box.query_one(Digits)
            if digits.value != str(number):
                digits.update(f"{number:d}")
            box.set_class(number > 0, "-some")

    def _top(self, snapshot: Snapshot, now: float, width: int) -> Line:
        app = self.console_app
        left = [gap(1), cell(snapshot.host or app.view.host or "?", "strong")]
        for name, health in (
            ("audit", snapshot.audit_health),
            ("redis", snapshot.redis_health),
            ("state", snapshot.state_health),
        ):
            if health.state not in {SourceState.LIVE, SourceState.OFF}:
                sign = SOURCE_SIGNS[health.state]
                left += [gap(3), cell(f"{sign.glyph} {name} {sign.word}", sign.tone)]
        if waits := len(app.waiting_requests()):
            says = f"! {waits} request{'s' if waits > 1 else ''} wait{'' if waits > 1 else 's'}"
            left += [gap(3), cell(f"{says} for a second person", "warn")]
        if app.silent_s:
            left += [gap(3), cell(f"! no news for {age(app.silent_s)}", "alarm")]
        offset = app.view.utc_offset_s
        right = (cell(clock_time(now, offset), "strong"), cell(f" {zone_word(offset)}", "dim"))
        return spread(tuple(left), (*right, gap(1)), width, right)


def _needs(row: HealerRow, width: int, longest: int) -> Line:
    sign = SEVERITY_SIGNS[min(row.severity, len(SEVERITY_SIGNS) - 1)]
    left = "" if row.circuit_remaining is None else countdown(row.circuit_remaining)
    name = min(longest + 1, width // 2)
    return (
        gap(1),
        cell(row.glyph, sign.tone),
        gap(1),
        fit(row.name, name, "strong"),
        gap(1),
        fit(row.word.upper(), 12, sign.tone),
        gap(1),
        fit(left, 7, sign.tone, right=True),
        gap(2),
        fit(row.problem, max(0, width - name - 27), "text"),
    )
