"""Consoles to be ended in every way that there is, and what is to be true after that."""

from __future__ import annotations

import os
import sys
import termios
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
LONG = os.environ.get("HEALCONSOLE_LONG") == "1"
ROUNDS = 50 if LONG else 1
"""How often each ending is tried."""
A_SECOND = 1.0 if LONG else 8.0
"""What an ending may take. The short run shares its machine, so its second is longer."""

LEAVE_ALTERNATE_SCREEN = b"\x1b[?1049l"
SHOW_CURSOR = b"\x1b[?25h"
NO_PASTE_MARKS = b"\x1b[?2004l"
NO_MOUSE = b"\x1b[?1003l"
MARK = "HEALCONSOLE_TEST_MARK"


class Console(Terminal):
    """A console on a terminal that remembers how it was before."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], **window: Any) -> None:  # noqa: ANN401 - the size
        self.mark = uuid.uuid4().hex
        super().__init__(argv, {**environment, MARK: self.mark}, **window)
        self.before = termios.tcgetattr(self.fd)

    def signal(self, number: int) -> None:
        """Send a signal to the console alone."""
        os.kill(self.pid, number)

    def ends(self) -> tuple[int, float]:
        """Wait until it has ended: its exit code, and the seconds that it took."""
        began = time.monotonic()
        code = self.wait_end(20.0)
        return code, time.monotonic() - began

    def stops(self, within: float = 10.0) -> None:
        """Read until the kernel says that it is stopped: what is not read would keep it from it."""
        deadline = time.monotonic() + within
        while state(self.pid) != "T":
            assert time.monotonic() < deadline, "it does not stop"
            self.read(0.01)
        while self.read(0):
            pass

    def is_restored(self) -> bool:
        """Whether the terminal is as it was before the console came."""
        left = bytes(self.received[self.received.rfind(b"\x1b[?1049h") :])
        said = all(
            sequence in left
            for sequence in (LEAVE_ALTERNATE_SCREEN, SHOW_CURSOR, NO_PASTE_MARKS, NO_MOUSE)
        )
        return said and termios.tcgetattr(self.fd) == self.before

    def left_behind(self) -> list[str]:
        """The command lines of processes that it started and that are still there."""
        return processes_with(f"{MARK}={self.mark}")


def recorded(scene: str = "one_open", orders: int | None = None) -> tuple[str, ...]:
    """The command of a console on a recorded snapshot; ``orders`` is the pipe of its orders."""
    words = () if orders is None else (str(orders),)
    return (sys.executable, "-m", "tests.tui.ptychild", scene, *words)


def environment(**more: str) -> dict[str, str]:
    """The environment of a console on a recorded snapshot."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "PYTHONPATH": str(ROOT),
        **more,
    }


def processes_with(setting: str) -> list[str]:
    """The command lines of the processes whose environment holds ``setting``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if setting.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


def state(pid: int) -> str:
    """What the kernel says of ``pid``: T for stopped, S for sleeping, R for running."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def await_state(pid: int, wanted: str, within: float = 10.0) -> None:
    """Wait until the kernel says that ``pid`` is in a state."""
    deadline = time.monotonic() + within
    while state(pid) not in wanted:
        assert time.monotonic() < deadline, f"never in state {wanted}"
        time.sleep(0.01)


def ignoring_hangups(argv: Sequence[str]) -> tuple[str, ...]:
    """The command with SIGHUP ignored, as nohup starts it."""
    return ("bash", "-c", 'trap "" HUP; exec "$@"', "bash", *argv)
