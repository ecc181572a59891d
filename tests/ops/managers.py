"""A service manager as a healer sees it: a real notify socket, which asks the kernel who speaks."""

from __future__ import annotations

import array
import os
import queue
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class Heard:
    """One assignment, when it came (``time.monotonic``), and whose the kernel says it is."""

    text: str
    at: float
    pid: int
    uid: int


class Manager:
    """Hears what is said on one notify socket, at once, and answers barriers as systemd does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[Heard] = []
        self._arrived: queue.Queue[Heard] = queue.Queue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(str(path))
        path.chmod(0o777)
        self._ear = threading.Thread(target=self._listen)
        self._ear.start()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(self.path))
        self._ear.join()
        self._socket.close()

    def _listen(self) -> None:
        while True:
            data, control, _, _ = self._socket.recvmsg(4096, 2 * socket.CMSG_SPACE(64))
            at, pid, uid = time.monotonic(), 0, -1
            for _, kind, value in control:
                if kind == socket.SCM_CREDENTIALS:
                    pid, uid, _ = _CREDENTIALS.unpack(value[: _CREDENTIALS.size])
                elif kind == socket.SCM_RIGHTS:  # a barrier: closing it lets the sender go on
                    for fd in array.array("i", value[: len(value) // 4 * 4]):
                        os.close(fd)
            if not data:
                return
            if data != b"BARRIER=1":
                self._arrived.put(Heard(data.decode(), at, pid, uid))

    def hear(self, within: float = 20.0) -> Heard | None:
        """The next message; None if none comes in time."""
        try:
            found = self._arrived.get(timeout=within)
        except queue.Empty:
            return None
        self.heard.append(found)
        return found

    def until(self, text: str, within: float = 30.0) -> Heard:
        """Listen until a message begins with ``text``."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            found = self.hear(deadline - time.monotonic())
            if found is not None and found.text.startswith(text):
                return found
        said = [one.text for one in self.heard]
        raise AssertionError(f"nobody said {text!r}: {said}")

    def gaps(self, since: float, until: float) -> list[float]:
        """Seconds between the signs of life in a span, its ends included."""
        times = [one.at for one in self.heard if one.text == "WATCHDOG=1"]
        inside = [since, *(at for at in times if since < at < until), until]
        return [later - before for before, later in pairwise(inside)]


@contextmanager
def manager(path: Path) -> Iterator[Manager]:
    """A manager whose socket is ``path``."""
    found = Manager(path)
    try:
        yield found
    finally:
        found.close()
