"""The console in a real terminal: what it sends, what is then seen, and how it leaves."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest

from healconsole.engine.waiting import readable
from healconsole.tui.app import ConsoleApp

ROOT = Path(__file__).resolve().parents[2]
QUIET = 0.25
"""Seconds without a byte after which the screen is taken to be drawn."""

ITS_END = "\0"
"""What no screen shows: whoever waits for it reads until the child lets go of the terminal."""


class Terminal:
    """A child on a pseudo-terminal, and the screen that its bytes draw."""

    def __init__(self, scene: str, columns: int, rows: int) -> None:
        self.fd, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        orders, self.orders = os.pipe()
        environment = {
            **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "PYTHONPATH": str(ROOT),
        }
        # Textual draws on standard error, so all three are the terminal.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.tui.ptychild", scene, str(orders)],
            stdin=child,
            stdout=child,
            stderr=child,
            pass_fds=(orders,),
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
        os.close(child)
        os.close(orders)
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.last = b""

    def settle(self, until: str = "") -> int:
        """Read until nothing comes any more (and ``until`` is seen); return the bytes."""
        got = bytearray()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if readable(self.fd, QUIET):
                try:
                    data = os.read(self.fd, 65_536)
                except OSError:
                    break
                got += data
                self._stream.feed(data)
            elif until in self.text:
                break
        self.last = bytes(got)
        return len(got)

    def order(self, text: str, until: str = "") -> int:
        """Give an order, and return the bytes that it cost."""
        os.write(self.orders, f"{text}\n".encode())
        return self.settle(until)

    def press(self, keys: str, until: str = "") -> int:
        """Press keys, and return the bytes that they cost."""
        os.write(self.fd, keys.encode())
        return self.settle(until)

    @property
    def text(self) -> str:
        """What is seen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def close(self) -> None:
        """End the child."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.fd)
        os.close(self.orders)


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """A terminal of 80x24 on the scene that the test names."""
    opened = Terminal(getattr(request, "param", "one_open"), 80, 24)
    opened.settle(until="would")
    yield opened
    opened.close()


def test_one_appended_line_costs_less_than_two_kilobytes(terminal: Terminal) -> None:
    costs = [terminal.order("line", until=f"pid={12_000 + 37 * n}") for n in range(1, 9)]
    assert max(costs) < 2000


def test_screens_come_and_go_without_a_trace(terminal: Terminal) -> None:
    home = terminal.text
    there = {"a": "following", "l": "FENCE", "?": "Act on the healer", "e": "Would worker"}
    for key, seen in there.items():
        terminal.press(key, until=seen)
        terminal.press("\x1b", until="Would it act now?")
        assert terminal.text == home


def test_a_key_costs_what_it_changes(terminal: Terminal) -> None:
    assert terminal.press("\x1b[B") < 1500
    assert "broker-restarter would act" in terminal.text


def test_it_leaves_the_terminal_as_it_found_it(terminal: Terminal) -> None:
    terminal.press("q", until=ITS_END)
    assert terminal.process.wait(timeout=10) == 0
    assert b"\x1b[?1049l" in terminal.last
    assert b"\x1b[?25h" in terminal.last


def test_a_crash_leaves_the_terminal_whole_and_names_no_secret(terminal: Terminal) -> None:
    terminal.order("crash", until=ITS_END)
    assert terminal.process.wait(timeout=10) != 0
    left = terminal.last.rpartition(b"\x1b[?1049l")[2]
    assert b"RuntimeError" in left
    assert b"hunter2" not in left
    assert b"\x1b]0;" not in left


def test_a_read_only_console_loads_nothing_that_can_write() -> None:
    code = (
        "import sys\n"
        "from healconsole.stores.config import Config\n"
        "from healconsole.tui.creating import create_app\n"
        "for wall in (False, True):\n"
        "    config = Config(read_only=not wall)\n"
        "    app = create_app(config, lambda give: None, lambda: 0.0, wall=wall)\n"
        "    assert app.acts is None\n"
        "writers = {'healconsole.engine.operators', 'healconsole.stores.writing',\n"
        "           'healconsole.stores.apply', 'healconsole.stores.auditlog',\n"
        "           'healconsole.stores.commit'}\n"
        "print(sorted(writers & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_console_and_textual_agree_on_what_is_overridden() -> None:
    # Private places of Textual that we build on: a new version must still have them.
    from textual.app import App

    for name in ("_display", "_fatal_error"):
        assert hasattr(App, name)
        assert getattr(ConsoleApp, name) is not getattr(App, name)
