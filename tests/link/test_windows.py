"""Windows of every size, resized in a storm, on the terminals that there are."""

from __future__ import annotations

import os
import random
import signal
import sys
import termios
import time

import pytest

from tests.hostile.grammar import taken_apart
from tests.link.consoles import LONG, ROOT, Console, environment, recorded

SIZES = ((20, 5), (400, 120), (80, 24), (132, 43), (40, 10), (21, 119), (399, 6))


TERMINALS = [("linux", 20, 5), ("screen", 400, 120), ("vt100", 80, 24), ("tmux-256color", 132, 43),
             ("xterm-256color", 40, 200)]  # fmt: skip


@pytest.mark.parametrize(("term", "columns", "rows"), TERMINALS if LONG else TERMINALS[:2])
def test_it_draws_on_every_terminal(term: str, columns: int, rows: int) -> None:
    window = {"columns": columns, "rows": rows}
    with Console(recorded(), environment(TERM=term), cwd=str(ROOT), **window) as opened:
        opened.wait_for(lambda text: "worker" in text or "READ-ONLY" in text or "web-07" in text)
        for key in ("a", "\x1b"):
            opened.send(key)
            while opened.read(0.15):
                pass
        opened.signal(signal.SIGTERM)
        assert opened.ends()[0] == 128 + signal.SIGTERM
        assert opened.is_restored()
        taken_apart(opened.received)


def test_a_terminal_that_tells_no_size_is_drawn_once() -> None:
    with Console(recorded(), environment(), cwd=str(ROOT)) as opened:
        termios.tcsetwinsize(opened.fd, (0, 0))
        opened.wait_for("Would")
        deadline = time.monotonic() + 10
        while opened.read(0.4):
            assert time.monotonic() < deadline, "it draws for ever"
        opened.signal(signal.SIGTERM)
        assert opened.ends()[0] == 128 + signal.SIGTERM


def test_a_dumb_terminal_is_refused_in_one_line() -> None:
    argv = (sys.executable, "-m", "healconsole")
    with Console(argv, environment(TERM="dumb"), cwd=str(ROOT)) as opened:
        assert opened.ends()[0] == 2
        assert "TERM=dumb" in opened.text()
        assert b"\x1b" not in opened.received


def test_a_storm_of_resizes_ends_in_the_right_picture() -> None:
    chance = random.Random(3)  # noqa: S311 - to be repeated
    with Console(recorded(), environment(), cwd=str(ROOT)) as opened:
        opened.wait_for("Would")
        for _ in range(2000 if LONG else 60):
            opened.resize(*chance.choice(SIZES))
            os.kill(opened.pid, signal.SIGWINCH)
            opened.send(chance.choice(["\x1b[B", "a", "\x1b", "e", "?", "\r", "\x10", "R"]))
            if chance.random() < 0.3:
                opened.read(0.01)
        for size in SIZES[:3]:
            opened.resize(*size)
            while opened.read(0.2):
                pass
            assert not opened.ended(), opened.received[-2000:].decode(errors="replace")
        opened.send("\x1b\x1b\x1b\x1b")
        opened.resize(100, 30)
        opened.screen.reset()
        while opened.read(0.3):
            pass
        opened.send("\x0c")
        opened.wait_for("READ-ONLY")
        opened.signal(signal.SIGTERM)
        assert opened.ends()[0] == 128 + signal.SIGTERM
