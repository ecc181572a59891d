"""One healer as one line of the table, for the width there is."""

from __future__ import annotations

from collections.abc import Iterable

from healconsole.core.ages import age, countdown
from healconsole.core.frozen import Frozen
from healconsole.core.records import MICRO
from healconsole.core.view import HealerRow
from healconsole.core.words import Circuit
from healconsole.tui.widgets.cells import Cell, Line, cell, fit, gap
from healconsole.tui.words import CIRCUIT_SIGNS, MODE_TONES, SEVERITY_SIGNS, outcome_sign

WIDE = 110
"""Columns from which the table tells more."""

_MAX_PIPS = 5


class Columns(Frozen):
    """Widths of the columns. They depend on the terminal and the names, never on values."""

    name: int
    word: int = 9
    left: int = 6
    scope: int = 0
    pips: int = 3
    tokens: int = 6
    next_token: int = 0
    marks: int = 5
    beat: int = 6
    mode: int = 4
    outcome: int = 1
    last: int = 4

    @property
    def wide(self) -> bool:
        """Whether there is room for the columns that 80 columns leave out."""
        return self.scope > 0


def columns_for(width: int, names: Iterable[str], *, hosts: bool = False) -> Columns:
    """Lay the columns out for ``width``; names with a ``hosts``' before them need more of it."""
    longest = max((len(name) for name in names), default=12)
    if width < WIDE:
        return Columns(name=max(8, width - 53), marks=0) if hosts else Columns(max(8, width - 59))
    # What is left after the columns of fixed width goes to the names, then to the scopes.
    marks = 0 if hosts else 7
    spare = width - 90 + (8 if hosts else 0)
    name = min(max(12, longest + 1), max(20, spare - 8))
    scope = min(28, max(8, spare - name))
    return Columns(
        name=name, left=7, scope=scope, tokens=7, next_token=6, marks=marks, mode=7, outcome=15
    )


def header_line(columns: Columns) -> Line:
    """Return the line of the column heads."""
    circuit = columns.word + columns.left + 1 + (columns.scope + 1 if columns.wide else 0)
    tokens = columns.pips + 1 + columns.tokens
    cells = [
        gap(4),
        fit("HEALER", columns.name, "head"),
        gap(1),
        fit("CIRCUIT", circuit, "head"),
        gap(1),
        fit("TOKENS", tokens, "head"),
        gap(1),
        *((fit("NEXT", columns.next_token, "head", right=True), gap(1)) if columns.wide else ()),
        *((fit("MARKS", columns.marks, "head", right=True), gap(1)) if columns.marks else ()),
        fit("BEAT", columns.beat, "head", right=True),
        gap(2),
        fit("MODE", columns.mode, "head"),
        gap(1),
        fit("LAST", columns.outcome + 1 + columns.last, "head"),
    ]
    return tuple(cells)


def healer_line(
    row: HealerRow, columns: Columns, *, cursor: bool, marked: bool, name: str = ""
) -> Line:
    """Return the line of one healer; ``name`` is what it is called there, else its own."""
    severity = SEVERITY_SIGNS[min(row.severity, len(SEVERITY_SIGNS) - 1)]
    tone = "ok" if row.glyph == "✔" else severity.tone
    strong = "strong" if row.severity >= 3 else "text"
    return (
        cell("+" if marked else " ", "accent"),
        cell("▌" if cursor else " ", "info"),
        cell(row.glyph, tone),
        gap(1),
        fit(name or row.name, columns.name, strong),
        gap(1),
        *_circuit(row, columns),
        gap(1),
        *_tokens(row, columns),
        gap(1),
        *((_marks(row, columns.marks), gap(1)) if columns.marks else ()),
        _beat(row, columns.beat),
        gap(2),
        _mode(row, columns.mode),
        gap(1),
        *_last(row, columns),
    )


def _circuit(row: HealerRow, columns: Columns) -> tuple[Cell, ...]:
    if row.lost_age is not None:
        # What its circuits were when its host was last heard of is no news of now.
        lost = fit("LOST", columns.word, "alarm"), gap(1)
        since = fit(age(row.lost_age), columns.left, "alarm", right=True)
        return (*lost, since, gap(columns.scope + columns.wide))
    if "cb" in row.unread:
        return fit("?", columns.word, "alarm"), gap(1 + columns.left + columns.scope + columns.wide)
    sign = CIRCUIT_SIGNS[row.circuit]
    word = sign.word + (f" x{row.circuits_bad}" if row.circuits_bad > 1 else "")
    if row.assumed:
        word += " ~"
    if row.circuit is Circuit.HALF_OPEN:
        left = "probing" if row.probe_out and columns.wide else "probe"
    elif row.circuit is Circuit.CLOSED or row.circuit is Circuit.CORRUPT:
        left = ""
    else:
        left = "no end" if row.circuit_remaining is None else countdown(row.circuit_remaining)
    cells = (
        fit(word, columns.word, sign.tone),
        gap(1),
        fit(left, columns.left, sign.tone, right=True),
    )
    if not columns.wide:
        return cells
    scope = row.circuit_scope if row.circuit is not Circuit.CLOSED else ""
    return (*cells, gap(1), fit(scope or "", columns.scope, "dim"))


def pips(tokens_micro: int, burst: int, width: int) -> str:
    """Return full and empty pips, one a token, or in proportion where there are too many.

    >>> pips(2_000_000, 3, 3), pips(50_000_000, 100, 5)
    ('●●○', '●●○○○')
    """
    slots = min(burst, width)
    full = min(tokens_micro // MICRO, burst)
    if burst > slots:
        full = full * slots // burst
    return "●" * full + "○" * (slots - full)


def _tokens(row: HealerRow, columns: Columns) -> tuple[Cell, ...]:
    if row.tokens_corrupt or "rate" in row.unread:
        says = "?" if "rate" in row.unread else "CORRUPT"
        spent: tuple[Cell, ...] = (fit(says, columns.pips + 1 + columns.tokens, "alarm"),)
    else:
        tone = "bad" if row.tokens_micro < MICRO else "text"
        tenths = row.tokens_micro * 10 // MICRO
        number = f"{tenths // 10}.{tenths % 10}/{row.burst}{'~' if row.assumed else ''}"
        if len(number) > columns.tokens:
            number = f"{tenths // 10}/{row.burst}"
        bar = pips(row.tokens_micro, row.burst, min(columns.pips, _MAX_PIPS))
        spent = (
            fit(bar, columns.pips, "dim" if tone == "text" else tone),
            gap(1),
            fit(number, columns.tokens, tone),
        )
    if not columns.wide:
        return spent
    waiting = (
        "" if row.next_token_s is None or "rate" in row.unread else countdown(row.next_token_s)
    )
    return (*spent, gap(1), fit(waiting, columns.next_token, "dim", right=True))


def _marks(row: HealerRow, width: int) -> Cell:
    active = "?" if row.markers_active is None else str(row.markers_active)
    if "keys" in row.unread:
        return fit("?", width, "alarm", right=True)
    text = f"{active}/{row.markers_total}"
    if len(text) > width:
        text = f"{active}/{row.markers_total // 1000}k"
    return fit(text, width, "text" if row.markers_active else "dim", right=True)


def _beat(row: HealerRow, width: int) -> Cell:
    if row.beat_age is None:
        return fit("?" if "cycle" in row.unread else "none", width, "dim", right=True)
    text = age(row.beat_age)
    return fit(f"{text} !!" if row.beat_stale else text, width, _beat_tone(row), right=True)


def _beat_tone(row: HealerRow) -> str:
    return "alarm" if row.beat_stale else "text"


def _mode(row: HealerRow, width: int) -> Cell:
    word = "DRY" if row.mode == "DRY-RUN" and width < 7 else row.mode
    if row.mode == "UNKNOWN" and width < 7:
        word = "?"
    return fit(word, width, MODE_TONES.get(row.mode, "warn"))


def _last(row: HealerRow, columns: Columns) -> tuple[Cell, ...]:
    if not row.last_outcome:
        return (fit("", columns.outcome + 1 + columns.last, "dim"),)
    sign = outcome_sign(row.last_outcome)
    word = f"{sign.glyph} {sign.word}" if columns.outcome > 1 else sign.glyph
    ago = "" if row.last_age is None else age(row.last_age)
    return (
        fit(word, columns.outcome, sign.tone),
        gap(1),
        fit(ago, columns.last, "dim", right=True),
    )
