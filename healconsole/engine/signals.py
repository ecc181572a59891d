"""Signals as facts that a loop waits for, never as exceptions in the middle of an act."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Final, Self

from healconsole.engine.waiting import readable

STOPPING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Signals:
    """Handlers that only take note, as a context manager in the main thread.

    SIGUSR1 wakes; TERM, HUP and INT ask to stop. ``wait`` returns as soon as one arrives.
    """

    def __init__(self) -> None:
        self.stop: signal.Signals | None = None
        """The first signal that asked to stop."""
        self._woken = False
        self._before: dict[signal.Signals, object] = {}
        self._reader = self._writer = self._wakeup = -1

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGUSR1):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type] # what signal() gave us
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._reader)
        os.close(self._writer)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            self._woken = True
        elif self.stop is None:
            self.stop = signal.Signals(number)

    def taken_wake(self) -> bool:
        """Whether somebody has asked for a cycle since the last time this was asked."""
        woken, self._woken = self._woken, False
        return woken

    def wait(self, seconds: float) -> None:
        """Wait until ``seconds`` have passed or a signal has arrived, whichever is first."""
        if self.stop is None and not self._woken:
            readable(self._reader, seconds)
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            return


def _would_end(handler: object) -> bool:
    """Whether a handler may end the process, or raise where it stands.

    Ignored is ignored (nohup), what was not set from Python stays, and ``Signals`` only notes.
    """
    noting = isinstance(getattr(handler, "__self__", None), Signals)
    return handler is not None and handler is not signal.SIG_IGN and not noting


@contextmanager
def deferred() -> Iterator[None]:
    """Let TERM, HUP and INT take effect only when the block is done.

    Between "started" and its outcome nothing may end the process that can be kept from it.
    Only the main thread can defer; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _frame: arrived.append(got))
        for number in STOPPING
        if _would_end(signal.getsignal(number))
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for caught in dict.fromkeys(arrived):
            signal.raise_signal(caught)
