"""The terminal as the console drives it: Textual's driver, and what it does not see to.

A terminal that is gone ends the program (Textual's own loop would spin on its end of file), text
that is pasted never becomes keystrokes, and no sequence of bytes can end the thread that reads.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import select
import shutil
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from textual import events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from healconsole.tui.output import TerminalOutput
from healconsole.tui.pasting import PasteSplitter

if TYPE_CHECKING:
    from textual.app import App

_LOOK_S: Final = 0.1
"""How often the thread that reads looks whether it shall end, and a sequence is taken for whole."""
_HELD_S: Final = 0.02
_LARGEST: Final = 1000
"""Columns or rows of the largest window that a terminal is believed to have."""

_NO_WINDOW: Final = (80, 25)
"""Columns and rows of a terminal that does not tell them, as on a serial line."""

_POINTER_SHAPE: Final = "\x1b]22;"

RESTORE: Final = (
    "\x1b[?2004l\x1b[?7h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"
    "\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""What Textual sends to leave, in its order."""

_UNREADABLE: Final = (ParseError, ValueError, ArithmeticError, LookupError)
"""What Textual's parser raises on sequences that no terminal sends."""


class ConsoleDriver(LinuxDriver):
    """Draws on standard output, and ends the session with its terminal."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        screen = sys.__stdout__
        assert screen is not None  # noqa: S101 - the command line has looked
        # Typed as a file; the writing thread asks it for no more than this has.
        self._file: Any = TerminalOutput(screen.fileno(), screen.encoding, _hang_up)
        self._suspend_between_callbacks()

    def _suspend_between_callbacks(self) -> None:
        # Textual's handlers write, and run wherever the signal finds the main thread: also inside
        # the queue of what is to be written, whose lock they would then wait for, for ever.
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._sigtstp_application)
        loop.add_signal_handler(signal.SIGCONT, self._sigcont_application)

    def start_application_mode(self) -> None:
        """Begin to draw. What was typed before is not for a screen that nobody has seen yet."""
        with suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def _run_input_thread(self) -> None:
        # A failure is for who looks after threads; Textual would report it with every value.
        self.run_input_thread()

    def run_input_thread(self) -> None:
        """Read until the driver stops, or the terminal is gone."""
        reader = _Reader(self._debug)
        poller = select.poll()
        poller.register(self.fileno, select.POLLIN)
        while not self.exit_event.is_set():
            ready = poller.poll(1000 * (_HELD_S if reader.splitter.holds else _LOOK_S))
            if ready:
                try:
                    data = os.read(self.fileno, 4096)
                except OSError:
                    data = b""
                if not data:
                    _hang_up()
                    return
                found = reader.take(data)
            else:
                found = reader.let_go()
            for message in (*found, *reader.tick()):
                self.process_message(message)

    def _get_terminal_size(self) -> tuple[int, int]:
        """The window's columns and rows; where it has none, those that Rich takes it to have.

        Textual asks Rich first, and then this; two answers would follow each other for ever.
        """
        return shutil.get_terminal_size(_NO_WINDOW)

    def write(self, data: str) -> None:
        """Send ``data``, but no pointer shapes: the older terminals print what they do not know."""
        if not data.startswith(_POINTER_SHAPE):
            super().write(data)

    def process_message(self, message: Message) -> None:
        """Pass on what the terminal says, unless no terminal can mean it."""
        if isinstance(message, events.Resize) and max(message.size) > _LARGEST:
            return
        super().process_message(message)

    def leave_at_once(self) -> None:
        """Give the terminal back without waiting for anything, from any thread."""
        # In the background this would stop us: there is nothing left to be stopped for.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        if self.attrs_before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        writing = threading.Thread(target=self._restore, daemon=True)
        writing.start()
        writing.join(_LOOK_S)  # it may take no more output, ever

    def _restore(self) -> None:
        descriptor = self._file.fileno()
        poller = select.poll()
        poller.register(descriptor, select.POLLOUT)
        if poller.poll(0):
            with suppress(OSError):
                os.write(descriptor, RESTORE.encode())


def _hang_up() -> None:
    """The terminal is gone. That is what SIGHUP says; here it is said when nobody sent it."""
    os.kill(os.getpid(), signal.SIGHUP)


class _Reader:
    """Bytes from the terminal in, events out."""

    def __init__(self, debug: bool) -> None:
        self.splitter = PasteSplitter()
        self._debug = debug
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._parser = XTermParser(debug)

    def take(self, data: bytes) -> list[Message]:
        """The events that ``data`` completes."""
        found: list[Message] = []
        for text, pasted in self.splitter.feed(self._decode(data), time.monotonic()):
            if pasted:
                found.append(events.Paste(text.replace("\x00", "")))
            else:
                found += self._typed(text)
        return found

    def let_go(self) -> list[Message]:
        """The events of what was held, since nothing came behind it."""
        held = self.splitter.let_go()
        return self._typed(held) if held else []

    def tick(self) -> list[Message]:
        """The events of a sequence that is complete because nothing came behind it."""
        return self._gather(self._parser.tick)

    def _typed(self, text: str) -> list[Message]:
        return self._gather(lambda: self._parser.feed(text))

    def _gather(self, parse: Callable[[], Iterable[Message]]) -> list[Message]:
        found: list[Message] = []
        try:
            found.extend(parse())
        except _UNREADABLE:
            # Its state is gone with the sequence that it could not take.
            self._parser = XTermParser(self._debug)
        return found
