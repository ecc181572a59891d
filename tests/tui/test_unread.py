"""What could not be read of a healer is drawn as unknown, never as closed, full or untouched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from healconsole.core.hostdoc import healer_line as published
from healconsole.core.hostread import read_healer_line
from healconsole.core.records import MarkerRecord
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


def test_an_act_over_the_edge_of_a_window_is_one_line() -> None:
    """It has a marker in both windows, with one time."""
    one = MarkerRecord("a" * 64, int(NOW), "restart_broker pid=6357", "restart", 7, "success")
    other = MarkerRecord("c" * 64, int(NOW) - 9, "restart_broker pid=9", "restart", 8, "success")
    marks = (one, replace(one, key="b" * 64), other)
    shown = text(*parts_lines(HealerState("h", "/h", markers_total=3, markers=marks), NOW, 80, 0))
    assert shown.count("restart_broker pid=6357 (in 2 windows)") == 1
    assert shown.count("restart_broker") == 2


def test_its_parts_are_unknown() -> None:
    shown = text(*facts_lines(BLIND, NOW, 80, 0), *parts_lines(BLIND, NOW, 80, 0))
    assert "every scope" not in shown
    assert "nothing was done" not in shown
    assert "no process" not in shown
    assert shown.count("? unknown: cannot be read") == 3
