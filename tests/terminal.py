"""A real terminal for tests and benchmarks: a pty with a screen that is replayed by pyte."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Self

import pyte

from healconsole.engine.waiting import readable
from tests.warm import Started

REPLIES = {
    b"\x1b[c": b"\x1b[?1;2c",
    b"\x1b[6n": b"\x1b[1;1R",
}
"""What a terminal answers of itself when it is asked."""


class Terminal:
    """One program on one pty.

    Args:
        argv: the program.
        environment: its whole environment.
        columns: width of the window.
        rows: height of the window.
        cwd: where it is started.
        warm: whether ``argv`` is the program and need not be loaded anew, see ``tests.warm``.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        columns: int = 80,
        rows: int = 24,
        cwd: str | None = None,
        warm: bool = False,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.replay = True
        """Whether what arrives is put on the screen: that takes a while, so a clock may not."""
        self.received = bytearray()
        """Every byte that reached the terminal."""
        self.status: int | None = None
        """Wait status once the program has ended."""
        self._started: Started | None = None
        if warm:
            self.fd, theirs = os.openpty()
            self._started = Started(
                argv[3:], environment, (theirs, theirs, theirs), cwd=cwd, terminal=True
            )
            self.pid = self._started.pid
            os.close(theirs)
        else:
            self.pid, self.fd = pty.fork()
        if self.pid == 0:  # pragma: no cover - the child
            try:
                if cwd is not None:
                    os.chdir(cwd)
                os.execvpe(argv[0], list(argv), dict(environment))
            finally:
                os._exit(127)
        self.resize(columns, rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = self._started.status() if self._started else os.waitpid(self.pid, 0)[1]
        os.close(self.fd)

    def resize(self, columns: int, rows: int) -> None:
        """Change the window size; the program gets SIGWINCH."""
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, size)
        self.screen.resize(rows, columns)

    def read(self, timeout: float) -> bytes:
        """Take what arrives within ``timeout`` seconds; empty if nothing does or it has ended."""
        if not readable(self.fd, timeout):
            return b""
        try:
            data = os.read(self.fd, 65_536)
        except OSError:
            return b""
        self.received += data
        if self.replay:
            self._stream.feed(data)
        for question, answer in REPLIES.items():
            if question in data:
                os.write(self.fd, answer)
        return data

    def send(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self.fd, keys.encode() if isinstance(keys, str) else keys)

    def text(self) -> str:
        """The screen as it is."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, wanted: str | Callable[[str], bool], timeout: float = 20.0) -> str:
        """Read until the screen shows ``wanted``; the screen.

        Raises:
            TimeoutError: it never did; the message holds the screen.
        """
        shows = wanted if callable(wanted) else lambda text: wanted in text
        deadline = time.monotonic() + timeout
        while not shows(text := self.text()):
            left = deadline - time.monotonic()
            if left <= 0 or (self.ended() and not self.read(0)):
                raise TimeoutError(f"never on the screen: {wanted!r}\n{text}")
            self.read(min(left, 0.25))
        return text

    def wait_for_bytes(self, wanted: bytes, timeout: float = 20.0) -> None:
        """Read until ``wanted`` has arrived, without a look at the screen.

        Raises:
            TimeoutError: it never did.
        """
        deadline = time.monotonic() + timeout
        while wanted not in self.received:
            if time.monotonic() > deadline or (self.ended() and not self.read(0)):
                raise TimeoutError(f"never arrived: {wanted!r}")
            self.read(0.05)

    def ended(self) -> bool:
        """Whether the program is gone; its wait status is then in ``status``."""
        if self.status is None and self._started:
            if self._started.ended():
                self.status = self._started.status()
        elif self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is not None

    def wait_end(self, timeout: float = 10.0) -> int:
        """Read until the program has ended; its exit code, negative for a signal.

        Raises:
            TimeoutError: it did not end.
        """
        deadline = time.monotonic() + timeout
        while not self.ended():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still running:\n{self.text()}")
            self.read(0.05)
        while self.read(0):
            pass
        return os.waitstatus_to_exitcode(self.status or 0)
