"""Locks between processes: flock(2) on files that healers of both languages share."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from healconsole.stores.files import kind
from healconsole.stores.writing import give_to_owner_of

GUARD: Final = ".guard"
LOCK_TIMEOUT: Final = 10.0
"""Seconds that a writer waits for a lock. What it guards takes milliseconds; who holds it
for longer hangs."""

_NEW_LOCK: Final = 0o660
"""Who can open a lock file can hold it, and so stop a healer: not everybody may."""
_LOCK: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class LockTimeout(OSError):  # noqa: N818 - a timeout by name, an OSError by kind
    """Somebody held the lock for longer than the caller would wait."""


@contextmanager
def locked(dir_fd: int, name: str = GUARD, timeout: float = LOCK_TIMEOUT) -> Iterator[int]:
    """Hold the exclusive flock on ``name`` in ``dir_fd``; yields the lock's descriptor.

    Raises:
        LockTimeout, OSError: as ``take_lock`` does.
    """
    fd = take_lock(dir_fd, name, timeout)
    try:
        yield fd
    finally:
        release(fd)


def take_lock(dir_fd: int, name: str = GUARD, timeout: float = LOCK_TIMEOUT) -> int:
    """Take the exclusive flock on ``name`` in ``dir_fd``: a descriptor, to be given to ``release``.

    No child inherits it.

    Raises:
        LockTimeout: somebody held it for longer than ``timeout`` seconds.
        OSError: the lock file cannot be made, or is not a regular file.
    """
    deadline = time.monotonic() + timeout
    while True:
        fd = open_lock(dir_fd, name)
        try:
            wait_for_flock(fd, deadline, name)
            # Whoever cleared the directory while this one waited left it a lock on nothing.
            current = same_file(fd, name, dir_fd)
        except BaseException:
            release(fd)
            raise
        if current:
            return fd
        release(fd)


def open_lock(dir_fd: int, name: str, mode: int = _NEW_LOCK) -> int:
    """Open a lock file, which is made if it is missing; never waits on a FIFO.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
    """
    new = False
    try:
        fd = os.open(name, _LOCK, dir_fd=dir_fd)
    except FileNotFoundError:
        try:
            fd = os.open(name, _LOCK | os.O_CREAT | os.O_EXCL, mode, dir_fd=dir_fd)
            new = True
        except FileExistsError:  # somebody else was first
            fd = os.open(name, _LOCK, dir_fd=dir_fd)
    try:
        require_regular(fd, name)
        if new:
            give_to_owner_of(dir_fd, fd)
    except OSError:
        os.close(fd)
        raise
    return fd


def require_regular(fd: int, name: str) -> None:
    """Refuse an open file that is not regular.

    Raises:
        OSError: EINVAL, with what it is.
    """
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"{kind(mode)}, not a regular file", name)


def wait_for_flock(fd: int, deadline: float, name: str) -> None:
    """Take the exclusive flock on ``fd`` before ``deadline`` (``time.monotonic``).

    Raises:
        LockTimeout: the deadline passed.
        OSError: the file system has no locks.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not _Waiter(fd).wait(deadline - time.monotonic()):
            raise LockTimeout(
                errno.ETIMEDOUT, "is held by another process that does not let go", name
            ) from None


class _Waiter:
    """A thread that waits in the kernel's queue for a flock, on behalf of one that gives up.

    flock(2) takes no timeout. To try again and again would starve beside processes that
    queue, as flock(1) does; a signal to end the wait would need the main thread.
    """

    def __init__(self, fd: int) -> None:
        # A second descriptor of the same open file: the lock is the caller's, and the
        # caller may close its own while the thread still waits.
        self._fd = os.dup(fd)
        self._answered = threading.Event()
        self._turn = threading.Lock()
        self._abandoned = False
        self._problem: OSError | None = None

    def wait(self, timeout: float) -> bool:
        """Whether the lock was had within ``timeout`` seconds."""
        threading.Thread(target=self._queue, name="flock", daemon=True).start()
        try:
            self._answered.wait(max(timeout, 0))
        finally:
            with self._turn:
                answered = self._answered.is_set()
                self._abandoned = not answered
        if self._problem is not None:
            raise self._problem
        return answered

    def _queue(self) -> None:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError as error:
            self._problem = error
        with self._turn:
            if self._abandoned:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)
            self._answered.set()


def release(fd: int) -> None:
    """Let go of a flock and close its file.

    Closing alone would leave the lock with a child that was forked and did not exec.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_UN)
    finally:
        os.close(fd)


def same_file(fd: int, path: str, dir_fd: int | None = None) -> bool:
    """Whether ``path`` still leads to the open file ``fd``."""
    return leads_to(path, os.fstat(fd), dir_fd)


def leads_to(path: str, info: os.stat_result, dir_fd: int | None = None) -> bool:
    """Whether ``path``, and no link, is the file of ``info``."""
    try:
        named = os.stat(path, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(info, named)
