"""Real child processes for tests: without root's powers, many at once, killed in the middle."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NOBODY = 65_534


def fork(work: Callable[[], None]) -> int:
    """Run ``work`` in a child of its own; its pid. The child ends 0, or 1 with a traceback."""
    with warnings.catch_warnings():
        # A test worker has a thread of its own that waits on a pipe; the child never needs it.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException:  # noqa: BLE001 - whatever it is, the parent is told
        traceback.print_exc(file=sys.__stderr__)
        os._exit(1)
    os._exit(0)


def wait(pid: int) -> None:
    """Wait for a child, which must have ended well."""
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def until_open(pid: int, path: Path) -> None:
    """Wait until the child has opened the file that now has the name ``path``."""
    wanted = path.stat()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed since it was listed
                if os.path.samestat(fd.stat(), wanted):
                    return
        time.sleep(0.001)
    raise AssertionError(f"the child never opened {path}")


@contextmanager
def lock_holder(path: Path) -> Iterator[int]:
    """A child that holds the flock on ``path`` until it is killed, at the latest at the end."""
    ready, told = os.pipe()

    def hold() -> None:
        fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(told, b"x")
        signal.pause()

    child = fork(hold)
    try:
        os.read(ready, 1)
        yield child
    finally:
        end(child)
        os.close(ready)
        os.close(told)


def end(pid: int) -> None:
    """Kill a child and wait for it; one that was ended already is no error."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def as_nobody(reach: Path, work: Callable[[], None]) -> None:
    """Run ``work`` as a user who is not root; directories down to ``reach`` are opened to all."""
    if os.geteuid() != 0:
        work()
        return
    for folder in (reach, *reach.parents):
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o055)

    def unprivileged() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        work()

    wait(fork(unprivileged))
