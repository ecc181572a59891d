"""One daemon for each healer: a lock that is held for the daemon's life."""

from __future__ import annotations

import os
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from healconsole.stores.locks import LockTimeout, wait_for_flock
from healconsole.stores.processes import identity

NAME: Final = ".singleton"
PATIENCE: Final = 10.0
"""Seconds that a lock is waited for in which no living process is named: a command that
outlived its healer holds it, for as long as it takes."""

_HELD: weakref.WeakSet[Singleton] = weakref.WeakSet()


class AlreadyRunning(RuntimeError):  # noqa: N818 - says what is the case
    """Another instance lives. ``pid`` is its process, None if it cannot be told."""

    def __init__(self, healer: str, pid: int | None) -> None:
        who = f"as pid {pid}" if pid is not None else "in a process that cannot be named"
        super().__init__(f"{healer} already runs {who}; it is asked to run a cycle with SIGUSR1")
        self.pid = pid


class Singleton:
    """The lock on ``.singleton`` in a state directory, as a context manager.

    The lock belongs to the open file, which a forked child shares; so a child closes its copy
    at once, and commands do not get one: an orphan must not keep a dead healer's lock.

    Raises:
        AlreadyRunning: on entry, if another process holds it.
        OSError: on entry, if the file cannot be opened or is not a regular one.
    """

    def __init__(self, healer: str, state_dir: Path) -> None:
        self.healer = healer
        self.path = state_dir / NAME
        self._descriptor = -1

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self.path, flags, 0o644)
        try:
            self._take(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {identity(os.getpid()) or 0}\n".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _HELD.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
        self._drop()

    def _take(self, descriptor: int) -> None:
        until = time.monotonic()
        end = until + PATIENCE
        while True:
            try:
                wait_for_flock(descriptor, until, NAME)
            except LockTimeout:
                # Looked at again and again: who has just taken it is about to write its name.
                pid = _named_in(descriptor)
                if pid is not None or until >= end:
                    raise AlreadyRunning(self.healer, pid) from None
                until = min(end, time.monotonic() + 0.1)
            else:
                return

    def _drop(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        _HELD.discard(self)
        if descriptor >= 0:
            os.close(descriptor)


def _named_in(descriptor: int) -> int | None:
    """The living process that a lock file names; None if there is none."""
    pid, _, start = os.pread(descriptor, 64, 0).strip().partition(b" ")
    if not (pid.isdigit() and start.isdigit()):
        return None
    return int(pid) if identity(int(pid)) == int(start) else None


def _drop_in_child() -> None:
    for singleton in tuple(_HELD):
        singleton._drop()


os.register_at_fork(after_in_child=_drop_in_child)
