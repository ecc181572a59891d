"""Real child processes for tests: without root's powers, many at once, killed in the middle."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable
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
