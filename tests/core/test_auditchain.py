"""The chain: what was done to a line of the log is found, and the line is named."""

from __future__ import annotations

import os
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.auditchain import LINK_ROOM, last_hash, linked, read_link, should_be_linked
from healconsole.core.auditparse import LINE_MAX, format_event
from healconsole.core.auditwalk import Finding, walk

LONG = os.environ.get("HEALCONSOLE_LONG") == "1"
LEGACY = b'{"ts":"2026-11-23T14:30:09+00:00","healer":"old","outcome":"success"}\n'


def events(count: int, prev: str = "", reason: str = "") -> list[bytes]:
    """``count`` events of ours, linked."""
    lines: list[bytes] = []
    for number in range(count):
        event = format_event(
            ts_text="2026-11-23T14:30:09.123+00:00",
            host="web1",
            healer=f"h{number % 3}",
            outcome="operator-reset" if number % 7 == 0 else "success",
            intent=f"restart n={number}",
            operator={"user": "ada", "uid": 0} if number % 7 == 0 else None,
            reason=reason,
        )
        lines.append(linked(event, prev))
        prev = last_hash(lines[-1])
    return lines


def found(lines: list[bytes]) -> Finding:
    """The first finding, for there is one."""
    findings = walk(lines).findings()
    assert findings
    return findings[0]


def test_what_nobody_touched_holds() -> None:
    lines = events(50)
    done = walk(lines)
    assert done.findings() == ()
    assert (done.linked, done.unlinked, len(done.starts)) == (50, 0, 1)
    assert done.last == last_hash(lines[-1])


@given(st.lists(st.integers(0, 50), max_size=12), st.integers(0, 10_000))
def test_lines_of_others_in_between_are_counted(places: list[int], cut: int) -> None:
    """Legacy lines, and what a writer that died left of its own."""
    lines = events(50)
    torn = lines[-1][: cut % (len(lines[-1]) - 1)] + b"\n"
    for at in places:
        lines.insert(at, LEGACY)
        lines.insert(at, torn)
    done = walk(lines)
    assert done.findings() == ()
    assert done.unlinked == 2 * len(places)


def test_each_flipped_byte_of_a_hundred_lines_is_found() -> None:
    """In its line or the one behind it; for the last line, which has none behind it, too."""
    lines = events(100)
    dice = random.Random(5)  # noqa: S311 - to try, not to hide
    for number, line in enumerate(lines):
        # What is far before and behind can be left out: what it is was tested above.
        before, behind = lines[max(0, number - 1) : number], lines[number + 1 : number + 2]
        step = 1 if LONG or number in {0, 7, 99} else 5
        for at in range(dice.randrange(step), len(line), step):
            for bits in range(1, 256) if LONG and number in {0, 99} else (dice.randrange(1, 256),):
                spoiled = bytearray(line)
                spoiled[at] ^= bits
                text = b"".join([*before, bytes(spoiled), *behind])
                finding = found(re.findall(rb"[^\n]*\n|[^\n]+", text))
                assert finding.place.line == len(before) + 1 or 10 in spoiled[:-1], (at, bits)


@pytest.mark.parametrize("at", range(1, 9))
def test_a_removed_line_is_missed_by_the_one_behind_it(at: int) -> None:
    lines = events(10)
    del lines[at]
    finding = found(lines)
    assert (finding.kind, finding.place.line) == ("removed", at + 1)


@pytest.mark.parametrize("at", range(8))
def test_lines_that_changed_places(at: int) -> None:
    lines = events(10)
    lines[at], lines[at + 1] = lines[at + 1], lines[at]
    finding = found(lines)
    assert finding.place.line == at + 1
    assert finding.kind == "reordered"


@pytest.mark.parametrize("at", range(10))
def test_a_forged_line_is_named(at: int) -> None:
    """One without a link, one with another's, and one that is linked as it should be."""
    for forged in (
        events(1)[0].split(b',"prev"')[0] + b"}\n",
        events(1, reason="forged")[0].split(b',"prev"')[0] + events(11)[-1][-LINK_ROOM - 2 :],
    ):
        lines = events(10)
        lines.insert(at, forged)
        finding = found(lines)
        assert finding.place.line == at + 1, finding
    lines = events(10)
    if at:
        lines.insert(at, events(1, last_hash(lines[at - 1]), reason="forged")[0])
        finding = found(lines)
        assert (finding.kind, finding.place.line) == ("inserted", at + 1)


def test_a_copied_line_is_an_inserted_one() -> None:
    lines = events(10)
    lines.insert(7, lines[2])
    finding = found(lines)
    assert (finding.kind, finding.place.line) == ("inserted", 8)


def test_a_chain_that_starts_in_the_middle_hides_something() -> None:
    finding = found([*events(5), *events(5)[1:2], *events(3)])
    assert finding.place.line == 6
    assert found([*events(5), *events(3, reason="other")]).kind == "removed"


def test_a_line_with_its_link_fits_the_limit() -> None:
    raw = format_event(ts_text="x", host="h", healer="x", outcome="success", fact="é" * 70_000)
    assert LINE_MAX - 12 <= len(linked(raw, "0" * 32)) <= LINE_MAX


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd(raw: bytes) -> None:
    assert read_link(raw) is None or raw.endswith((b"}", b"}\n"))
    should_be_linked(raw)
    walk([raw, raw])
