"""Start what a healer runs, bound it in time and output, and end all of it when it must end.

A command or a function runs in a session of its own. To end it means to end every process of
that session, see ``session``. What has made itself a session (``setsid``) has left on purpose and
is left alone.
"""

from __future__ import annotations

import inspect
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NoReturn

from healconsole.core.frozen import Frozen
from healconsole.engine.session import GRACE, end_session

OUTPUT_LIMIT = 65_536
"""Bytes that are kept of each of a command's two outputs; the rest is read and dropped."""


class Account(Frozen):
    """A user that a command is to run as."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class Beat(Frozen):
    """A sign of life: ``give`` is to be called at least every ``every`` seconds."""

    give: Callable[[], None]
    every: float


Tick = Callable[[], str]
"""Called every ``tick_every`` seconds while something runs; a reason ends it, "" lets it go on."""


class Ended(Frozen):
    """How a command or a function ended.

    ``ended`` says why *we* ended it, and is empty if it ended by itself; ``timed_out`` whether
    that was for its time. ``exit_code`` is as a shell says it: 128 + n for signal n; for a
    function it is 0 or 1. ``error`` is a sentence on what went wrong, empty if nothing did.
    """

    exit_code: int
    error: str = ""
    ended: str = ""
    timed_out: bool = False
    output: bytes = b""
    errors: bytes = b""
    dropped: int = 0
    duration: float = 0.0
    value: Any = None

    @property
    def ok(self) -> bool:
        """Whether it ended by itself, and well."""
        return not self.ended and not self.error and self.exit_code == 0

    @property
    def why(self) -> str:
        """Why it is not ok; empty if it is."""
        return self.ended or self.error


class Command(Frozen):
    """An argv with the environment it is run in (None: ours), and where its output goes."""

    argv: tuple[str, ...]
    environ: Mapping[str, str] | None = None
    pass_output: bool = False


def run_command(
    argv: Sequence[str],
    timeout: float,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: str | None = None,
    account: Account | None = None,
    pass_output: bool = False,
    tick: Tick | None = None,
    tick_every: float = 1.0,
) -> Ended:
    """Run ``argv`` without a shell, with no input, for at most ``timeout`` seconds.

    It runs as ``account`` (None: as ourselves), which only root can give it.
    Its output is captured, or goes where ours goes (``pass_output``). It never raises for what
    the command does: a command that cannot be started is an :class:`Ended` with code 127 or
    126, as in a shell.
    """
    began = time.monotonic()
    sink = None if pass_output else subprocess.PIPE
    try:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env=None if environ is None else dict(environ),
            cwd=cwd,
            start_new_session=True,
            user=account.uid if account is not None else None,
            group=account.gid if account is not None else None,
            extra_groups=list(account.groups) if account is not None else None,
        )
    except FileNotFoundError as error:
        return Ended(127, f"cannot start {argv[0]!r}: {error.strerror}")
    except (OSError, ValueError, IndexError) as error:
        return Ended(126, f"cannot start {argv[0] if argv else ''!r}: {error}")
    pipes = {p.fileno(): bytearray() for p in (child.stdout, child.stderr) if p is not None}
    try:
        ended, timed_out, dropped = _watch(child.pid, timeout, pipes, tick, tick_every, began)
    except BaseException:
        end_session(child.pid)
        raise
    finally:
        status = child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
    code = status if status >= 0 else 128 - status
    outputs = list(pipes.values()) or [bytearray(), bytearray()]
    return Ended(
        code,
        "" if code == 0 or ended else f"exit code {code}",
        ended,
        timed_out,
        bytes(outputs[0]),
        bytes(outputs[1]),
        dropped,
        time.monotonic() - began,
    )


def run_function(
    function: Callable[[], Any],
    timeout: float,
    *,
    environ: Mapping[str, str] | None = None,
    tick: Tick | None = None,
    tick_every: float = 1.0,
) -> Ended:
    """Run ``function`` in a child of its own, for at most ``timeout`` seconds.

    A thread cannot be ended and a process can, so a function that hangs costs its timeout and
    no more. What it returns comes back if JSON can carry it (else only its truth); an awaitable
    is awaited first. Its exception becomes ``error``. What it changes in memory stays in the
    child. ``environ`` is added to the environment.
    """
    began = time.monotonic()
    sys.stdout.flush()
    sys.stderr.flush()
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receiver)
        _be_the_child(function, sender, timeout, environ or {})
    os.close(sender)
    pipes = {receiver: bytearray()}
    try:
        ended, timed_out, dropped = _watch(pid, timeout, pipes, tick, tick_every, began)
    except BaseException:
        end_session(pid)
        raise
    finally:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(receiver)
    duration = time.monotonic() - began
    if ended:
        return Ended(
            128 - status if status < 0 else status, "", ended, timed_out, duration=duration
        )
    try:
        answer = json.loads(pipes[receiver])
        return Ended(
            answer["code"],
            answer["error"],
            dropped=dropped,
            duration=duration,
            value=answer["value"],
        )
    except (ValueError, KeyError, TypeError):
        code = 128 - status if status < 0 else status
        how = f"was killed by signal {-status}" if status < 0 else f"left with exit code {status}"
        return Ended(code or 1, f"the function {how}", duration=duration)


def _be_the_child(
    function: Callable[[], Any], sender: int, timeout: float, environ: Mapping[str, str]
) -> NoReturn:
    """Run ``function`` and write its answer to ``sender``; never returns into the parent's code."""
    code = 1
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        # Bounds the child even when nobody is left to time it out.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, timeout + GRACE + 1)
        if environ:
            os.environ.update(environ)
        answer: dict[str, Any] = {"code": 0, "error": "", "value": None}
        try:
            value = function()
            if not _is_plain(value):
                if inspect.isawaitable(value):
                    import asyncio  # who writes coroutines has it; for others it is half the start

                    value = asyncio.run(_await(value))
                # What JSON cannot carry comes back as its truth, and never as a False it did not
                # say.
                value = value if _is_plain(value) else (True if value else None)
            answer["value"] = value
        except SystemExit as leaving:
            answer["code"] = leaving.code if isinstance(leaving.code, int) else int(bool(leaving))
            if answer["code"]:
                answer["error"] = f"exit code {leaving.code}"
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the action's answer
            answer.update(code=1, error=describe(error))
        code = answer["code"]
        # Every page that a child is the first to touch costs it a microsecond or more: what is said
        # most often needs no encoder.
        data = _NOTHING if answer == _SAYS_NOTHING else json.dumps(answer).encode()
        while data:
            data = data[os.write(sender, data) :]
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


_SAYS_NOTHING: Final = {"code": 0, "error": "", "value": None}
_NOTHING: Final = json.dumps(_SAYS_NOTHING).encode()


async def _await(value: Awaitable[Any]) -> Any:  # noqa: ANN401 - what a user's function returns
    return await value


def _is_plain(value: object) -> bool:
    return (
        value is None
        or isinstance(value, bool | int | float)
        or (isinstance(value, str) and len(value) <= OUTPUT_LIMIT // 8)
    )


@contextmanager
def time_limit(seconds: float, what: str, beat: Beat | None = None) -> Iterator[None]:
    """Raise ``TimeoutError`` in the block after ``seconds``; give ``beat`` meanwhile.

    Works by SIGALRM, so only in the main thread; elsewhere the block has no limit and no beat.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    deadline = time.monotonic() + seconds

    def arm() -> None:
        left = max(deadline - time.monotonic(), 1e-6)  # 0 would switch the alarm off
        signal.setitimer(signal.ITIMER_REAL, left if beat is None else min(left, beat.every))

    def ring(_number: int, _frame: FrameType | None) -> None:
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what} timed out after {seconds:g} s")
        if beat is not None:
            beat.give()
        arm()

    if beat is not None:
        beat.give()
    before = signal.signal(signal.SIGALRM, ring)
    arm()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def describe(error: BaseException) -> str:
    """An exception as one sentence for a fact or a reason, at most 500 characters.

    >>> describe(ConnectionRefusedError(111, "Connection refused"))
    'ConnectionRefusedError: [Errno 111] Connection refused'
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__


def _watch(
    pid: int,
    timeout: float,
    pipes: dict[int, bytearray],
    tick: Tick | None,
    tick_every: float,
    began: float,
) -> tuple[str, bool, int]:
    """Read ``pipes`` until ``pid`` exits or must end: why we ended it, if for time, bytes dropped.

    Leaves it unreaped, so that its id stays its own.
    """
    exit_fd = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(exit_fd, select.POLLIN)
    for descriptor in pipes:
        os.set_blocking(descriptor, False)
        poller.register(descriptor, select.POLLIN)
    dropped = 0
    deadline = began + timeout
    next_tick = began + tick_every
    try:
        while True:
            now = time.monotonic()
            if now >= deadline:
                end_session(pid)
                return f"timed out after {timeout:g} s", True, dropped
            if tick is not None and now >= next_tick:
                next_tick = now + tick_every
                if why := tick():
                    end_session(pid)
                    return why, False, dropped
            wait = min(deadline, next_tick if tick is not None else deadline) - now
            ready = {fd for fd, _ in poller.poll(max(0.0, wait) * 1000 + 1)}
            for descriptor in ready & pipes.keys():
                more, lost = _drain(descriptor, pipes[descriptor])
                dropped += lost
                if not more:
                    poller.unregister(descriptor)
            if exit_fd in ready:
                for descriptor, kept in pipes.items():
                    dropped += _drain(descriptor, kept)[1]
                return "", False, dropped
    finally:
        os.close(exit_fd)


def _drain(descriptor: int, kept: bytearray) -> tuple[bool, int]:
    """Read what is there now; whether more may come, and how many bytes were not kept."""
    dropped = 0
    for _ in range(16):
        try:
            data = os.read(descriptor, 65_536)
        except BlockingIOError:
            return True, dropped
        if not data:
            return False, dropped
        room = max(0, OUTPUT_LIMIT - len(kept))
        kept += data[:room]
        dropped += len(data) - min(room, len(data))
    return True, dropped
