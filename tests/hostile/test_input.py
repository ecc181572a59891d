"""What comes in from the terminal: keys, pastes, and bytes that are neither."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.tui.pasting import END, START, PasteSplitter
from tests.cli.program import PROGRAM, Site, cycle
from tests.hostile.payloads import EVERYTHING, PAYLOADS
from tests.link.consoles import LONG, Console, await_state

AT_ONCE = "d" + "drill\r\r\r\r\r"
"""All that an act takes, typed before anything of it can be seen."""


STRANGE = [
    b"\xff\xfe\x80", b"\x1b[9999999999999u", b"\x1b[1;99999999999999999999A",
    b"\x1b[M\xff\xff\xff", b"\x1b[<0;99999;99999M", b"\x1b[<0;0;0M", b"\x1b[48;0;0;0;0t",
    b"\x1b[48;9999999;9999999;1;1t", b"\x1b[99999999R", b"\x1b[?2048;9$y", b"\x9b31m",
    b"\x1b]52;c;AAAA\x07", b"\x1bP1$r\x1b\\",
    *(payload.encode().replace(b"q", b"") for payload in PAYLOADS.values()),
]  # fmt: skip
"""What no terminal sends, or what only a paste without marks would hold. q would quit."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One healer that is well."""
    made = Site(tmp_path, int(time.time()))
    made.write("worker/cycle.json", cycle(made.now, intent="", verdict=None, outcome=""))
    return made


def console(site: Site) -> Console:
    """The console, drawn."""
    opened = Console((*PROGRAM, *site.options), site.environment, columns=100, rows=30, warm=True)
    opened.wait_for("▌")
    return opened


def settled(opened: Console) -> str:
    """The screen when nothing comes any more."""
    while opened.read(0.3):
        pass
    assert not opened.ended(), opened.text()
    return opened.text()


def test_keys_typed_ahead_do_not_reach_a_dialog_that_was_not_there(site: Site) -> None:
    with console(site) as opened:
        opened.send(AT_ONCE)
        opened.wait_for("Dry-run worker")
        assert "drill" not in settled(opened)
        assert not site.audit.exists()
        opened.send("drill\r\r")  # from now on they do
        opened.wait_for("enter: dry-run")
        assert not site.audit.exists()


def test_keys_typed_before_the_first_screen_are_for_none(site: Site) -> None:
    with Console((*PROGRAM, *site.options), site.environment, columns=100, rows=30) as opened:
        opened.send("tq\r")
        opened.wait_for("▌")
        assert "esc cancel" not in settled(opened)


PASTES = [
    [START + "tdqrx\r" + END],
    [START + "\x1bt\x1b[Bq\x1b" + END],
    [START + "\x1b" * 40 + "q" * 40 + END],
    ["\x1b", "[200~q" + END],
    ["\x1b[2", "00~q\x1b[20", "1~"],
    [START, "q", "\x1b", "q", END],
    [START + EVERYTHING.replace(END, "") + END],
]
"""As the link brings them, with a pause between the pieces."""


def test_pasted_text_is_no_keystroke(site: Site) -> None:
    with console(site) as opened:
        for pieces in PASTES:
            for piece in pieces:
                opened.send(piece)
                opened.read(0.15)
            shown = settled(opened)
            assert "would" in shown, pieces
            assert "esc cancel" not in shown, pieces
        assert not site.audit.exists()


def test_lines_pasted_into_a_dialog_act_on_nothing(site: Site) -> None:
    with console(site) as opened:
        opened.send("d")
        opened.wait_for("a reason is needed")
        opened.send(START + "first line\r\r\r\n\n\nsecond" + END)
        opened.wait_for("first line")
        assert "second" not in settled(opened)
        assert not site.audit.exists()


def test_what_is_typed_right_behind_a_key_that_moves_goes_to_the_next_field(site: Site) -> None:
    with console(site) as opened:
        opened.send("d")
        opened.wait_for("a reason is needed")
        opened.send("wrong\tINC-7\x1b[Zdrill")  # what is gone back to is written anew
        shown = settled(opened)
        assert re.search(r"reason +drill +│", shown), shown
        assert re.search(r"incident +INC-7 +│", shown), shown


EDITS = [
    ("abc", "\x7fm", "abm"),
    ("", "abc\x7f\x7fx", "ax"),
    ("abc", "\x1b[Dx", "abxc"),
    ("", "ab\x7fm", "am"),
    ("bc", "\x1b[Ha\x1b[Fd\x1b[H\x1b[3~x", "xbcd"),
    ("one two", "\x17three\x1b[D\x7f", "one thre"),
    ("one two", "\x15three", "three"),
    ("ab", "\x7f" + START + "pasted" + END + "\x7f!", "apaste!"),
]
"""What is in a field, what comes in one read, and what is in it then."""


def test_every_key_of_one_read_is_taken_in_its_order(site: Site) -> None:
    with console(site) as opened:
        opened.send("d")
        opened.wait_for("a reason is needed")
        for before, keys, after in EDITS:
            opened.send("\x1b[F\x15" + before)
            opened.wait_for(holding(before))
            opened.send(keys)
            opened.wait_for(holding(after))
        opened.send("\t\x1b[Hx\x7fINC-7\x1b[Z\x1b[Fno\x7f\x7f drill")
        opened.wait_for(holding("apaste! drill"))
        opened.wait_for(holding("INC-7", "incident"))
        opened.send("\x1b")
        opened.wait_for(lambda text: "esc cancel" not in text)
        opened.send("/wor\x7fz\x7f\x7f")
        opened.wait_for(lambda text: re.search(r"mode:dry-run\) +w *\n", text) is not None)
        opened.send("ork\x7f\x7f\rd")
        opened.wait_for("Dry-run worker")


def holding(wanted: str, field: str = "reason") -> Callable[[str], bool]:
    """Whether a field of the dialog on a screen holds exactly this."""
    row = re.compile(rf"{field} +{re.escape(wanted)} *│")
    return lambda text: row.search(text) is not None


def test_no_bytes_from_the_terminal_end_it(site: Site) -> None:
    chance = random.Random(7)  # noqa: S311 - to be repeated
    with console(site) as opened:
        for _ in range(3000 if LONG else 150):
            opened.send(chance.choice(STRANGE))
            opened.read(0)
            assert not opened.ended(), opened.received[-2000:].decode(errors="replace")
        await_state(opened.pid, "S")
        settled(opened)


@given(
    st.lists(
        st.tuples(st.text("a\x1b[201~q", max_size=9), st.booleans()), max_size=6
    ),
    st.lists(st.integers(0, 60), max_size=8),
)  # fmt: skip
def test_wherever_the_link_cuts_a_paste_is_one(
    parts: list[tuple[str, bool]], cuts: list[int]
) -> None:
    parts = [(t.replace(START, "").replace(END, ""), p) for t, p in parts]
    parts = [(t.rstrip("\x1b[20~1"), p) for t, p in parts]
    sent = "".join(START + text + END if pasted else text for text, pasted in parts)
    splitter = PasteSplitter()
    got = [
        piece
        for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(sent)], strict=True)
        for piece in splitter.feed(sent[begin:end])
    ]
    typed = "".join(piece.text for piece in got if not piece.pasted) + splitter.let_go()
    assert [piece.text for piece in got if piece.pasted] == [t for t, p in parts if p]
    assert typed == "".join(t for t, p in parts if not p)


def test_a_lone_escape_ends_a_paste_whose_end_was_lost() -> None:
    splitter = PasteSplitter()
    assert splitter.feed(START + "q", 0.0) == []
    assert splitter.feed("\x1b", 0.5) == []
    assert splitter.feed("\x1b", 9.0)[0].pasted
    assert [tuple(piece) for piece in splitter.feed("a", 9.1)] == [("a", False)]
