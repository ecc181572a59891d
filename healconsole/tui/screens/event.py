"""One event of the audit log in full, over the screen it was opened from."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from healconsole.core.ages import age, iso
from healconsole.core.attribution import claimed_words, operator_words
from healconsole.core.auditdoubt import AROUND, UNVERIFIED, doubt, is_operators
from healconsole.core.auditline import AuditEvent, AuditLine, repeated
from healconsole.core.told import readable
from healconsole.core.unfinished import UNFINISHED, is_unfinished
from healconsole.tui import keys
from healconsole.tui.ports import ChainReader
from healconsole.tui.screens.modal import ConsoleModal
from healconsole.tui.widgets.cells import Line, cell, fit, folded, gap
from healconsole.tui.widgets.pager import Pager
from healconsole.tui.words import outcome_sign

_LABEL = 11
_CUT_OFF = f"{UNFINISHED}: it was announced, and no result followed: look at the state"
_MOST_LINES = 3000
_MOST_CHARACTERS = 70_000
"""More than the longest line that a writer of ours leaves."""


class EventScreen(ConsoleModal[None]):
    """Every field of one line of the log, and the line itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        keys.binding(keys.COPY),
        *(
            Binding(key.keys, "back", "close", show=False, id=key.id)
            for key in (keys.OPEN, keys.QUIT)
        ),
    ]
    SHOWN_KEYS = (keys.COPY, keys.BACK)

    def __init__(self, line: AuditLine) -> None:
        super().__init__("One event")
        self._line = line
        self._chain = ""
        self._cut_off = False

    def body(self) -> ComposeResult:
        """The fields, one below the other."""
        yield Pager(self._drawn, id="event")

    def on_mount(self) -> None:
        """Look whether the event stands in the log as it was written."""
        self._look_around()

    @work(thread=True, exit_on_error=False)
    def _look_around(self) -> None:
        reader: object = self.console_app.log_reader
        line = self._line
        if not isinstance(line, AuditEvent):
            return
        lines: list[AuditLine] = [line]
        if isinstance(reader, ChainReader):
            behind = reader.lines_after(line.offset, AROUND)
            if behind and behind[0].raw == line.raw:  # else the log was rotated since
                lines = [*reader.lines_before(line.offset, AROUND), *behind]
        place = next(i for i, each in enumerate(lines) if each.offset == line.offset)
        # Where fewer follow than were asked for, the log ends with them.
        last = lines[-1]
        ends = len(lines) - place < AROUND
        until = self.console_app.clock() if ends else getattr(last, "ts", None) or 0.0
        chained = isinstance(reader, ChainReader)
        cut_off = chained and is_unfinished(lines, place, until) is True
        self.app.call_from_thread(self._looked, doubt(lines, place), cut_off)

    def _looked(self, why: str, cut_off: bool) -> None:
        self._chain = why or "holds"
        self._cut_off = cut_off
        if self.is_attached:
            self.query_one(Pager).draw()

    def action_copy(self) -> None:
        """Copy the line as the log has it."""
        self.app.copy_to_clipboard(self._line.raw.decode("utf-8", "replace").rstrip("\n"))
        self.console_app.say("the line is in the clipboard of your terminal, if it takes OSC 52")

    def _drawn(self, width: int) -> list[Line]:
        line, app = self._line, self.console_app
        if not isinstance(line, AuditEvent):
            return [
                _field("problem", line.why, "warn"),
                _field("offset", f"byte {line.offset}, {line.length} bytes"),
                *_long("line", line.raw, width),
            ]
        sign = outcome_sign(line.outcome)
        when = line.ts_text
        if line.ts is not None:
            ago = age(app.clock() - line.ts)
            when = f"{iso(line.ts, app.view.utc_offset_s, millis=True)}  {ago} ago"
        lines = [
            _field("outcome", f"{sign.glyph} {line.outcome}", sign.tone),
            _field("at", when),
            _field("host", line.host),
            _field("healer", line.healer),
        ]
        for label, text in (
            ("intent", line.intent),
            ("scope", line.scope),
            ("guard", line.guard),
            ("reason", line.reason),
            ("fact", line.fact.replace(",", "  ")),
            ("operator", operator_words(line.operator)),
            ("claimed", claimed_words(line.operator)),
            ("incident", line.incident),
            ("result", _CUT_OFF if self._cut_off else ""),
            ("before", readable(line.before, app.view.utc_offset_s)),
            ("after", readable(line.after, app.view.utc_offset_s)),
            ("key", line.key),
        ):
            if text:
                lines += _long(label, text, width)
        details = [
            f"pid {line.pid}" if line.pid else "",
            f"{line.duration_ms} ms" if line.duration_ms is not None else "",
            f"trigger {line.trigger}" if line.trigger else "",
            repeated(line, app.view.utc_offset_s),
            "dry-run" if line.dry_run else "",
        ]
        if any(details):
            lines.append(_field("details", "  ".join(part for part in details if part)))
        if self._chain and (is_operators(line) or self._chain == "holds"):
            sound = self._chain == "holds"
            says = self._chain if sound else f"{UNVERIFIED}: {self._chain}"
            lines.append(_field("chain", says, "text" if sound else "bad"))
        lines += [(), *_long("line", line.raw, width)]
        return lines


def _field(label: str, text: str, tone: str = "text") -> Line:
    return (gap(1), fit(label, _LABEL, "dim"), gap(1), cell(text, tone))


def _long(label: str, text: str | bytes, width: int) -> list[Line]:
    lines = folded(text, max(20, width - _LABEL - 4), _MOST_LINES, _MOST_CHARACTERS)
    return [
        (gap(1), fit(label if index == 0 else "", _LABEL, "dim"), gap(1), cell(line))
        for index, line in enumerate(lines)
    ]
