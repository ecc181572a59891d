"""Where the screen is drawn: a terminal that may stall, or be gone from one write to the next."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import Final

_FLUSH_AT: Final = 65_536


class TerminalOutput:
    """What Textual's writing thread takes for a text file.

    A terminal that is gone is told once to ``on_lost``, and what is written from then on is
    dropped: the thread that writes must not die, or the queue before it would fill and the whole
    program wait for room.
    """

    def __init__(self, descriptor: int, encoding: str, on_lost: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._on_lost = on_lost
        self._waiting: list[str] = []
        self._size = 0
        self.lost = False

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is (still) a terminal."""
        return os.isatty(self._descriptor)

    def write(self, text: str) -> int:
        """Keep ``text`` until the next flush; a glyph that the locale lacks costs the glyph."""
        self._waiting.append(text)
        self._size += len(text)
        if self._size > _FLUSH_AT:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Send what was kept; waits for as long as the terminal takes nothing."""
        data = "".join(self._waiting).encode(self._encoding, "replace")
        self._waiting, self._size = [], 0
        while data and not self.lost:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # somebody who shares the terminal made it so
                poller = select.poll()
                poller.register(self._descriptor, select.POLLOUT)
                poller.poll()
            except OSError:
                self.lost = True
                self._on_lost()
