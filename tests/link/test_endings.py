"""However the console ends: the terminal is given back, the exit status tells, nothing goes on.

``HEALCONSOLE_LONG=1 pytest -n0 tests/link`` tries each ending fifty times.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from healconsole.engine.waiting import readable
from tests.link.consoles import (
    A_SECOND,
    LEAVE_ALTERNATE_SCREEN,
    LONG,
    ROOT,
    ROUNDS,
    Console,
    environment,
    ignoring_hangups,
    recorded,
)

pytestmark = pytest.mark.timeout(120 if ROUNDS == 1 else 1200)


@contextmanager
def console(*, hangups: bool = True, **settings: str) -> Iterator[Console]:
    """A console that shows its first screen."""
    argv = recorded() if hangups else ignoring_hangups(recorded())
    with Console(argv, environment(**settings), cwd=str(ROOT)) as opened:
        opened.wait_for("Would")
        yield opened


SIGNALS = [signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGINT]
PLACES = ["thread", "worker", "", "task"]
"""Where a crash happens: in a thread of ours, a worker, a callback, a task."""
FIRST = None if LONG else 2
"""The short run takes the first two of these: each is a console that is started."""


@pytest.mark.parametrize("number", SIGNALS[:FIRST], ids=lambda s: s.name)
def test_a_signal_ends_it_tidily(number: signal.Signals) -> None:
    for _ in range(ROUNDS):
        with console() as opened:
            opened.signal(number)
            code, took = opened.ends()
            assert code == 128 + number
            assert opened.is_restored()
            assert took < A_SECOND
            assert not opened.left_behind()


@pytest.mark.parametrize("hangups", [True, False], ids=["SIGHUP", "SIGHUP ignored"])
def test_a_closed_terminal_ends_it(hangups: bool) -> None:
    for _ in range(ROUNDS):
        with console(hangups=hangups) as opened:
            os.close(opened.fd)
            opened.fd = os.open(os.devnull, os.O_RDWR)
            code, took = opened.ends()
            assert code == 128 + signal.SIGHUP
            assert took < A_SECOND
            assert not opened.left_behind()


def test_a_terminal_that_is_gone_without_a_signal_ends_it() -> None:
    # Not its controlling terminal: nobody sends SIGHUP, and reads give the end of file for ever.
    for _ in range(ROUNDS):
        master, slave = os.openpty()
        termios.tcsetwinsize(slave, (24, 80))
        process = subprocess.Popen(
            recorded(), stdin=slave, stdout=slave, stderr=slave, cwd=ROOT,
            env=environment(), start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        while b"INC-4711" not in os.read(master, 65_536):  # drawn
            assert process.poll() is None
        os.close(master)
        assert process.wait(A_SECOND) == 128 + signal.SIGHUP


def test_a_terminal_that_is_said_to_be_gone_once_more_kills_no_ending() -> None:
    script = (
        "import asyncio, os, signal\n"
        "from healconsole.cli.session import _Ending\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "with _Ending(None).listening(asyncio.new_event_loop()):\n"
        "    pass\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "raise SystemExit(129)"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=ROOT, check=False)
    assert done.returncode == 129


def test_a_link_that_takes_no_more_output_cannot_keep_it() -> None:
    for _ in range(ROUNDS):
        with console() as opened:
            for size in range(400):  # each repaints everything, and nobody reads
                opened.resize(100 + size % 2, 40)
                os.kill(opened.pid, signal.SIGWINCH)
                opened.send("\x0c")
            opened.signal(signal.SIGTERM)
            deadline = os.pidfd_open(opened.pid)
            try:
                _await_readable(deadline, A_SECOND + 1)
            finally:
                os.close(deadline)
            code, _ = opened.ends()
            assert code == 128 + signal.SIGTERM


def _await_readable(descriptor: int, within: float) -> None:
    assert readable(descriptor, within), "it outlives the signal"


@pytest.mark.parametrize("where", PLACES[:FIRST])
def test_a_crash_says_where_and_gives_no_secret_away(where: str) -> None:
    for _ in range(ROUNDS):
        orders, order = os.pipe()
        os.set_inheritable(orders, True)  # noqa: FBT003 - its signature
        with Console(recorded(orders=orders), environment(), cwd=str(ROOT)) as opened:
            os.close(orders)
            opened.wait_for("Would")
            os.write(order, f"crash {where}".strip().encode() + b"\n")
            code, took = opened.ends()
            os.close(order)
            assert code == 1
            assert opened.is_restored()
            assert took < A_SECOND
            said = bytes(opened.received).rpartition(LEAVE_ALTERNATE_SCREEN)[2]
            assert b"RuntimeError: a bug" in said
            assert b"ptychild.py" in said
            assert b"hunter2" not in said
            assert b"\x1b]" not in said
            assert b"local" not in said.replace(b"localhost", b"")


def test_suspended_it_gives_the_terminal_back_and_comes_back() -> None:
    with console() as opened:
        for _ in range(ROUNDS):
            opened.signal(signal.SIGTSTP)
            opened.stops()
            assert opened.is_restored()
            del opened.received[:]
            opened.signal(signal.SIGCONT)
            opened.wait_for_bytes(b"\x1b[?2004h")  # the last that it asks of the terminal
            while opened.read(0.2):
                pass
            assert "Would" in opened.text()
        opened.send("q")
        code, _ = opened.ends()
        assert code == 0
        assert opened.is_restored()


@pytest.mark.parametrize(
    ("redirected", "says"),
    [("<&-", "standard input is none"), (">&-", "standard output is none"),
     (">/dev/full", "standard output is none"), ("</dev/null", "standard input is none")],
)  # fmt: skip
def test_without_a_terminal_it_says_so_in_one_line(redirected: str, says: str) -> None:
    argv = ("bash", "-c", f'exec "$@" {redirected}', "bash", sys.executable, "-m", "healconsole")
    with Console(argv, environment(), cwd=str(ROOT)) as opened:
        code, _ = opened.ends()
        assert code == 2
        assert says in opened.text()
        assert LEAVE_ALTERNATE_SCREEN not in opened.received


def test_errors_sent_elsewhere_leave_the_screen_where_it_is() -> None:
    argv = ("bash", "-c", 'exec "$@" 2>/dev/null', "bash", *recorded())
    with Console(argv, environment(), cwd=str(ROOT)) as opened:
        opened.wait_for("Would")
        opened.send("q")
        assert opened.ends()[0] == 0
