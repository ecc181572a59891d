"""One session of the console: it ends by its key, by a signal, or with the link, and tidily."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Final, Self

from healconsole.cli.errors import DONE

if TYPE_CHECKING:
    from healconsole.tui.app import ConsoleApp

ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)

GRACE_S: Final = 0.7
"""How long an ending may take, for instance on a link that takes no more output."""

_AFTER_ACT_S: Final = 0.2

_TURN_S: Final = 0.001
"""How long a thread goes on with Python while another one wants to."""

ACT_S: Final = 8.0
"""How long it waits for an act that was begun: the lock is waited for 5 s, then it is written.

A cycle that an operator started is not waited for: it runs in a session of its own, and records
its outcome itself.
"""


def show(app: ConsoleApp) -> int:
    """Run ``app`` on the terminal.

    Returns:
        0 after a quit; 128 + n if signal n ended it, or the terminal was gone (n = SIGHUP); 1
        after a crash.
    """
    # A key that comes while the feed reads a burst waits for one such turn, and what it changed
    # for another. Python's own 5 ms each would be seen; a switch costs microseconds.
    sys.setswitchinterval(_TURN_S)
    with _Ending(app) as ending:
        return asyncio.run(_show(app, ending))


async def _show(app: ConsoleApp, ending: _Ending) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: _fail(app, context.get("exception")))
    with ending.listening(loop):
        await app.run_async()
        code = app.return_code or DONE
        ending.begin(code)  # what still runs in threads has its time, and no more
        return code


class _Ending(threading.Thread):
    """Sees to it that an ending ends, also where the event loop cannot be reached any more.

    A handler of the event loop's own is never called while the loop waits for a terminal that
    takes no output. So the handler of the signal only writes into a pipe, and this reads it.
    """

    def __init__(self, app: ConsoleApp) -> None:
        super().__init__(name="ending", daemon=True)
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader, self._writer = os.pipe()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        os.write(self._writer, b"\0")

    @contextmanager
    def listening(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Take the signals while the block runs, and failures of threads."""
        self._loop = loop
        before = {number: signal.signal(number, self._signalled) for number in ENDING}
        failing, threading.excepthook = threading.excepthook, self._thread_failed
        try:
            yield
        finally:
            threading.excepthook = failing
            # That a terminal is gone is said twice, by the kernel and by the thread that reads,
            # and the second time perhaps now.
            if before[signal.SIGHUP] is signal.SIG_DFL:
                before[signal.SIGHUP] = signal.SIG_IGN
            for number, handler in before.items():
                signal.signal(number, handler)

    def begin(self, code: int) -> None:
        """End within the grace, with ``code``; an ending that has begun goes on."""
        os.write(self._writer, bytes([code]))

    def run(self) -> None:
        """Wait for the word, then see to it."""
        code = os.read(self._reader, 1)[0]
        if self._over.is_set():
            return
        app = self._app
        app.session.leaving.set()
        self._call(lambda: app.exit(return_code=code) if app.is_running else None)
        if self._over.wait(GRACE_S):
            return
        if app.session.wait_for_acts(ACT_S) and self._over.wait(_AFTER_ACT_S):
            return
        app.leave_at_once()
        os._exit(code)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self.begin(128 + number)

    def _thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        error = failure.exc_value
        if error is not None:
            self._call(lambda: _fail(self._app, error))

    def _call(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended before
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function)


def _fail(app: ConsoleApp, error: BaseException | None) -> None:
    if isinstance(error, Exception) and app.is_running:
        app.fail(error)
