"""The program in a process of its own that need not load it: forked from one that has.

A test that starts the program does not mean its start, which takes longer than most commands.
What a process is to others is as ever: its pid, arguments of its own, environment, files, signals,
exit status. Only ``/proc/PID/cmdline`` and ``environ`` are of the process that it was forked from.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import locale
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

from healconsole.engine.waiting import readable

ROOT = Path(__file__).resolve().parents[1]
PLAIN = {"LANG": "C.UTF-8"}
"""What the one that is forked was started with, and what cannot be changed after the start."""
_PACKAGES = ("healconsole.cli", "healconsole.engine", "healconsole.report", "healconsole.tui")
_MOST = 1 << 17
"""Bytes of a request: arguments and environment."""


def fits(environment: Mapping[str, str]) -> bool:
    """Whether an interpreter that is started with this environment is like the one that waits."""
    fixed = ("LC_", "LANG", "PYTHON", "TEXTUAL", "MALLOC", "LD_")
    return {k: text for k, text in environment.items() if k.startswith(fixed)} == PLAIN


class Started:
    """One run of the program; ``words`` are its arguments, ``files`` its 0, 1 and 2.

    With ``terminal`` it leads a session of its own, whose terminal is its standard input.
    """

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        files: tuple[int, int, int],
        *,
        cwd: str | None = None,
        terminal: bool = False,
    ) -> None:
        assert fits(environment), "it cannot be given to one that is started already"
        request = json.dumps([list(words), dict(environment), cwd or str(Path.cwd()), terminal])
        self._told, theirs = os.pipe()
        parts = [request.encode(errors="surrogateescape")]
        rights = array.array("i", [*files, theirs])
        _nursery().sendmsg(parts, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        os.close(theirs)
        self.pid = self._number()
        """Its process id."""

    def ended(self) -> bool:
        """Whether ``status`` would not wait."""
        return readable(self._told, 0)

    def status(self, within: float = 60.0) -> int:
        """Wait for its end; its wait status. It is killed if it does not end."""
        try:
            if not readable(self._told, within):
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError("the program does not end")
            return self._number()
        finally:
            os.close(self._told)

    def _number(self) -> int:
        told = os.read(self._told, 8)
        assert len(told) == 8, "what starts the program is gone"
        return int.from_bytes(told, "little")


@cache
def _nursery() -> socket.socket:
    """The process that waits; one for each process of the tests, with which it ends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **PLAIN}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    process.returncode = 0  # not waited for: it ends when nobody holds the other end any more
    theirs.close()
    return ours


def _load() -> None:
    """Import what the program may."""
    from healconsole.cli import main  # noqa: F401 - what every run begins with

    for package in _PACKAGES:
        where = importlib.import_module(package).__path__
        for found in pkgutil.walk_packages(where, f"{package}."):
            importlib.import_module(found.name)
    importlib.import_module("redis")
    gc.collect()
    gc.freeze()


def _serve(descriptor: int) -> None:
    """Fork for each request until nobody can ask any more."""
    _load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as asked:
        while True:
            request, ancillary, _, _ = asked.recvmsg(_MOST, socket.CMSG_SPACE(4 * 4))
            if not request:
                return
            files = array.array("i")
            files.frombytes(ancillary[0][2])
            if os.fork() == 0:
                asked.close()
                _watch_over(json.loads(request.decode()), files.tolist())
            for file in files:
                os.close(file)


def _watch_over(request: list[object], files: list[int]) -> NoReturn:
    """Fork the program, and tell its pid and its wait status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *standard, told = files
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _become(request, standard)
    for file in standard:
        os.close(file)
    os.write(told, pid.to_bytes(8, "little"))
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):  # who asked has ended
        os.write(told, status.to_bytes(8, "little"))
    os._exit(0)


def _become(request: list[object], standard: list[int]) -> NoReturn:
    """Be the program, as if it had been started."""
    words, environment, cwd, terminal = request
    assert isinstance(words, list)
    assert isinstance(environment, dict)
    if terminal:
        os.setsid()
        fcntl.ioctl(standard[0], termios.TIOCSCTTY, 0)
    for number, file in enumerate(standard):
        os.dup2(file, number)
    os.closerange(3, 64)
    os.chdir(str(cwd))
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    locale.setlocale(locale.LC_CTYPE, "")
    sys.argv = ["healconsole", *words]
    sys.stdin = _text(0, "rb", "surrogateescape")
    sys.stdout = _text(1, "wb", "surrogateescape")
    sys.stderr = _text(2, "wb", "backslashreplace")
    from healconsole.cli.main import main

    code: object = 1
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        sys.excepthook(*sys.exc_info())
    # Not the rest of an interpreter's end: to take apart what was loaded takes longer than a run.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    if isinstance(code, str):
        os.write(2, f"{code}\n".encode())
    os._exit(code if isinstance(code, int) else int(code is not None))


def _text(descriptor: int, mode: str, errors: str) -> io.TextIOWrapper:
    """A standard stream as the interpreter makes it."""
    stream = open(descriptor, mode, closefd=False)  # noqa: SIM115 - for the whole run
    by_line = descriptor == 2 or os.isatty(descriptor)
    return io.TextIOWrapper(stream, encoding="utf-8", errors=errors, line_buffering=by_line)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
