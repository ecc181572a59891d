"""A forged operator's event is told from a real one."""

from __future__ import annotations

import pytest

from healconsole.core.auditchain import linked, read_link
from healconsole.core.auditdoubt import doubt, is_operators
from healconsole.core.auditline import AuditLine
from healconsole.core.auditparse import parse_line
from tests.core.test_auditchain import LEGACY, events


def parsed(raws: list[bytes]) -> list[AuditLine]:
    offset, lines = 0, []
    for raw in raws:
        lines.append(parse_line(raw, offset))
        offset += len(raw)
    return lines


def test_real_events_are_not_doubted() -> None:
    lines = parsed([*events(8)[:3], LEGACY, *events(8)[3:]])
    assert [doubt(lines, index) for index in range(9) if index != 3] == [""] * 8
    assert is_operators(lines[0])
    assert not is_operators(lines[1])


@pytest.mark.parametrize(
    ("forged", "why"),
    [
        (events(1)[0].replace(b'"ada"', b'"eve"'), "edited"),
        (b'{"v":1,"ts":"x","outcome":"operator-reset","operator":{"user":"ada"}}\n', "no hash"),
        (events(8)[7], "does not follow the event before"),
        (linked(b'{"v":1,"outcome":"operator-reset"}\n', ""), "does not follow the event before"),
    ],
    ids=["edited", "plain", "replayed", "linked-to-nothing"],
)
def test_a_forged_event_is_doubted(forged: bytes, why: str) -> None:
    raws = events(12)
    raws.insert(3, forged)
    assert why in doubt(parsed(raws), 3)


def test_what_was_put_in_with_a_right_link_is_passed_over_by_the_next() -> None:
    raws = events(6)
    link = read_link(raws[2])
    assert link is not None
    raws.insert(3, linked(b'{"v":1,"outcome":"operator-reset"}\n', link.hash))
    assert "behind it" in doubt(parsed(raws), 3)


def test_lines_that_do_not_touch_say_nothing_of_each_other() -> None:
    lines = parsed(events(9))
    assert doubt([lines[0], lines[7]], 1) == ""
    assert doubt([lines[7]], 0) == ""
