"""One read-only console on a pseudo-terminal of its own, whose keyboard is connected to nothing.

Nothing is ever written to the terminal's master side, so no byte of a browser can become a
key. The console is its session's leader: if this server is gone, by whatever signal, the
kernel hangs the terminal up, and the console ends as it does when an SSH link drops.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

from healconsole.serve.wire import Size

CHUNK: Final = 65_536
GRACE_S: Final = 3.0
"""How long a console may take to end by itself."""


class Viewer:
    """A console that runs; made by ``start``, and to be ended with ``end``."""

    def __init__(self, pid: int, pidfd: int, master: int) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._master = master

    @classmethod
    def start(cls, argv: Sequence[str], environment: Mapping[str, str], window: Size) -> Self:
        """Start the program ``argv`` in a window.

        Raises:
            OSError: no terminal or no process is to be had.
        """
        master, slave = pty.openpty()
        try:
            os.set_blocking(master, False)
            _resize(master, window)
            # The leader of a new session that opens a terminal makes it its own.
            pid = os.posix_spawn(
                argv[0],
                list(argv),
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, 0, 1),
                    (os.POSIX_SPAWN_DUP2, 0, 2),
                ],
                setsid=True,
                setsigdef=[signal.SIGPIPE, signal.SIGHUP, signal.SIGINT, signal.SIGTERM],
                setsigmask=[],
            )
            return cls(pid, os.pidfd_open(pid), master)
        except OSError:
            os.close(master)
            raise
        finally:
            os.close(slave)

    def resize(self, window: Size) -> None:
        """Tell the console how large its window is now."""
        _resize(self._master, window)

    async def output(self) -> bytes:
        """What the console wrote; empty once it has ended."""
        while True:
            try:
                return os.read(self._master, CHUNK)
            except BlockingIOError:
                await _readable(self._master)
            except OSError:  # EIO: nobody has the terminal open any more
                return b""

    async def end(self) -> None:
        """Ask the console to end, then make it; returns when it is gone and reaped."""
        try:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    while await self.output():
                        pass  # it may wait for its last words to be taken
                    await _readable(self._pidfd)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the console at once, and reap it; nothing happens if it is gone."""
        if self._pidfd < 0:
            return
        self._signal(signal.SIGKILL)
        os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        os.close(self._pidfd)
        os.close(self._master)
        self._pidfd = self._master = -1

    def _signal(self, number: signal.Signals) -> None:
        if self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)


def _resize(fd: int, window: Size) -> None:
    packed = struct.pack("HHHH", window.rows, window.columns, 0, 0)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, packed)


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
