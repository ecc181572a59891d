"""One line of the audit log as one line of the screen."""

from __future__ import annotations

from healconsole.core.ages import clock_time
from healconsole.core.auditdoubt import UNVERIFIED
from healconsole.core.auditline import AuditEvent, AuditLine, repeated
from healconsole.core.frozen import Frozen
from healconsole.core.unfinished import UNFINISHED
from healconsole.tui.widgets.cells import Cell, Line, cell, fit, gap
from healconsole.tui.words import outcome_sign

_BROAD = 100


class AuditColumns(Frozen):
    """Widths of the columns of an audit line. The rest of the line is free text."""

    width: int
    healer: int
    outcome: int = 15
    hosts: bool = False
    """Whether the host stands before the healer."""
    date: bool = False

    @property
    def broad(self) -> bool:
        """Whether reason and fact fit on the line."""
        return self.width >= _BROAD


def audit_columns(
    width: int, *, healer: bool = True, longest: int = 20, hosts: bool = False
) -> AuditColumns:
    """Lay out an audit line for ``width``; without the healer where all are of one, and with
    the host before it where they are of several.
    """
    most = (20 if width < _BROAD else 28) + (4 if hosts else 0)
    name = min(max(12, longest), most) if healer else 0
    return AuditColumns(width, name, hosts=hosts)


def audit_line(
    line: AuditLine,
    columns: AuditColumns,
    utc_offset_s: int,
    *,
    alone: bool = True,
    doubted: bool = False,
    unfinished: bool = False,
) -> Line:
    """Return the line of one event, or of what did not parse.

    ``alone`` False leaves the intent to the second line, `audit_detail`; ``doubted`` marks an
    event that does not stand in the log as it was written, ``unfinished`` one without a result.
    """
    if not isinstance(line, AuditEvent):
        return _pad(
            [
                gap(1),
                fit("--:--:--", 8, "dim"),
                gap(1),
                cell("? unparsable ", "warn"),
                cell(line.why, "dim"),
                gap(2),
                cell(line.raw if alone else "", "dim"),
            ],
            columns.width,
        )
    sign = outcome_sign(line.outcome)
    when = "??:??:??" if line.ts is None else clock_time(line.ts, utc_offset_s)
    cells: list[Cell] = [gap(1), cell(when, "dim"), gap(1)]
    if columns.healer:
        of = f"{line.host}/" if columns.hosts else ""
        cells += [fit(of + (line.healer or "-"), columns.healer), gap(1)]
    if doubted:
        cells += [cell(UNVERIFIED, "bad"), gap(1)]
    if unfinished:
        cells += [cell(UNFINISHED, "bad"), gap(1)]
    outcome = _outcome(line, columns.outcome, sign.tone)
    cells += [cell(sign.glyph, sign.tone), gap(1), outcome, gap(1)]
    if alone:
        cells.append(cell(line.intent or line.scope or "", "text"))
    if line.count > 1:
        cells.append(cell(f"  {repeated(line, utc_offset_s)}", "strong"))
    if line.outcome.startswith("operator-") and line.operator:
        cells.append(cell(f"  by {line.operator.get('user', '?')}", "accent"))
    tail = line.reason if alone and (columns.broad or not line.intent) else ""
    if tail:
        cells += [gap(2), cell(tail, "dim")]
    if columns.broad and line.fact:
        cells += [gap(2), cell(line.fact, "dim")]
    return _pad(cells, columns.width)


def audit_detail(line: AuditLine, columns: AuditColumns) -> Line:
    """Return the second line of an event, where there is room for two: reason and fact."""
    if not isinstance(line, AuditEvent):
        return _pad([gap(10), cell(line.raw, "dim")], columns.width)
    says = "  ".join(part for part in (line.intent, line.reason, line.fact) if part)
    return _pad([gap(10), cell(says, "dim")], columns.width)


def _outcome(event: AuditEvent, width: int, tone: str) -> Cell:
    word = event.outcome or "no outcome"
    if word == "denied" and event.guard:
        word = f"no: {event.guard}"
    return fit(word.removeprefix("operator-"), width, tone)


def _pad(cells: list[Cell], width: int) -> Line:
    """Cut the line at ``width``, so that what is out of sight is neither kept nor compared."""
    shown: list[Cell] = []
    used = 0
    for piece in cells:
        room = width - used
        if piece.width > room:
            if room > 0:
                shown.append(fit(piece.text, room, piece.tone))
            break
        shown.append(piece)
        used += piece.width
    return tuple(shown)
