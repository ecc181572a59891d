"""What could not be read of a healer is drawn as unknown, never as closed, full or untouched."""

from __future__ import annotations

import pytest

from healconsole.core.hostdoc import healer_line as published
from healconsole.core.hostread import read_healer_line
from healconsole.core.snapshot import PARTS, HealerState
from healconsole.core.view import healer_row
from healconsole.tui.widgets.cells import Line
from healconsole.tui.widgets.healerfacts import facts_lines
from healconsole.tui.widgets.healerlines import columns_for, healer_line
from healconsole.tui.widgets.healerparts import parts_lines

NOW = 1_764_000_000.0
BLIND = HealerState("h1", "/h1", problem="cannot be read (permission denied)", unread=PARTS)


def text(*lines: Line) -> str:
    return "\n".join("".join(piece.text for piece in line) for line in lines)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("healer", [BLIND, read_healer_line(published(BLIND, NOW), "web-07")])
def test_a_row_has_a_question_mark_for_each_column(width: int, healer: HealerState) -> None:
    line = healer_line(
        healer_row(healer, NOW), columns_for(width, ["h1"]), cursor=False, marked=False
    )
    shown = text(line)
    assert not any(said in shown for said in ("closed", "●", "3.0/3", "0/0", "none"))
    assert shown.split().count("?") == (4 if width == 120 else 5)
    assert sum(piece.width for piece in line) <= width


def test_its_parts_are_unknown() -> None:
    shown = text(*facts_lines(BLIND, NOW, 80, 0), *parts_lines(BLIND, NOW, 80, 0))
    assert "every scope" not in shown
    assert "nothing was done" not in shown
    assert "no process" not in shown
    assert shown.count("? unknown: cannot be read") == 3
