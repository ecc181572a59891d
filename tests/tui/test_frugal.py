"""What the terminal is sent leads to the very screen that Textual drew."""

from __future__ import annotations

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from healconsole.tui.frugal import Terminal
from tests.engine.sites import many

WIDTH, HEIGHT = 24, 4

STYLES = [
    Style.parse(text)
    for text in (
        "white on black",
        "bold red on black",
        "green on #202020",
        "bold underline #d0d0d0 on black",
        "reverse white on black",
    )
]

texts = st.text(alphabet="ab─●✖ 字한", min_size=1, max_size=10)
segments = st.builds(Segment, texts, st.sampled_from(STYLES))
rows = st.builds(
    lambda pieces: Strip(pieces).adjust_cell_length(WIDTH, STYLES[0]),
    st.lists(segments, min_size=1, max_size=5),
)
updates = st.lists(st.tuples(st.integers(0, HEIGHT - 1), rows), min_size=1, max_size=8)


def shown(screen: pyte.Screen) -> list[list[tuple[str, str, str, bool]]]:
    """Text, colours and weight of every column."""
    return [
        [
            (cell.data, cell.fg, cell.bg, cell.bold)
            for cell in (screen.buffer[y][x] for x in range(WIDTH))
        ]
        for y in range(HEIGHT)
    ]


@settings(max_examples=many(25, 50), deadline=None)
@given(st.lists(updates, min_size=1, max_size=5))
def test_the_terminal_shows_what_was_drawn(batches: list[list[tuple[int, Strip]]]) -> None:
    frugal, plain = pyte.Screen(WIDTH, HEIGHT), pyte.Screen(WIDTH, HEIGHT)
    to_frugal, to_plain = pyte.Stream(frugal), pyte.Stream(plain)
    terminal = Terminal()
    for batch in batches:
        pieces = [(0, y, strip) for y, strip in batch]
        to_frugal.feed(terminal.render(pieces, ColorSystem.TRUECOLOR))
        everything = Terminal()
        to_plain.feed(everything.render(pieces, ColorSystem.TRUECOLOR))
    assert shown(frugal) == shown(plain)


def test_what_is_shown_already_costs_nothing() -> None:
    terminal = Terminal()
    line = Strip([Segment("worker-queue-healer  OPEN", STYLES[0])])
    assert terminal.render([(0, 0, line)], ColorSystem.TRUECOLOR)
    assert terminal.render([(0, 0, line)], ColorSystem.TRUECOLOR) == ""


def test_one_changed_digit_costs_one_move_one_style_and_the_digit() -> None:
    terminal = Terminal()
    terminal.render([(0, 0, Strip([Segment("12s", STYLES[0])]))], ColorSystem.TRUECOLOR)
    sent = terminal.render([(0, 0, Strip([Segment("13s", STYLES[0])]))], ColorSystem.TRUECOLOR)
    assert sent == "\x1b[1;2H\x1b[0;37;40m3\x1b[0m"


def test_everything_is_sent_again_after_the_terminal_was_resized() -> None:
    terminal = Terminal()
    line = Strip([Segment("OPEN", STYLES[1])])
    first = terminal.render([(0, 0, line)], ColorSystem.TRUECOLOR)
    terminal.forget()
    assert terminal.render([(0, 0, line)], ColorSystem.TRUECOLOR) == first
