"""Which process is which: start times, the boot, and who holds a lock. Linux's /proc only."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Final

_STATE: Final = 0
_THREADS: Final = 17
_START: Final = 19
"""Indices into the fields of ``/proc/<pid>/stat`` after the command's closing bracket."""


def identity(pid: int) -> int | None:
    """Start time of the process ``pid`` (field 22 of its stat, clock ticks since boot).

    A process that is dead and only waits to be reaped is None: it can do nothing any more.
    Pid and start time together name one process until the next boot.
    """
    raw = _read(f"/proc/{pid}/stat") if pid > 0 else b""
    fields = raw[raw.rfind(b")") + 1 :].split()
    if len(fields) <= _START:
        return None
    if fields[_STATE] in {b"Z", b"X"} and int(fields[_THREADS]) <= 1:
        return None
    return int(fields[_START])


@lru_cache(maxsize=1)
def boot_id() -> str:
    """First 8 hex digits of the kernel's boot id; 8 zeros where /proc does not tell."""
    text = _read("/proc/sys/kernel/random/boot_id")[:8].decode("ascii", "replace")
    return text if len(text) == 8 else "0" * 8


def is_alive(pid: int, start: int, boot: str) -> bool:
    """Whether that very process lives, rather than one that was given its pid later."""
    return boot == boot_id() and identity(pid) == start


def own_identity() -> tuple[int, int, str]:
    """Pid, start time and boot of this process.

    Raises:
        OSError: /proc does not tell; a claim without a start time could not be recovered.
    """
    pid = os.getpid()
    start = _start_of(pid)
    if start is None:
        _start_of.cache_clear()
        raise OSError(f"/proc/{pid}/stat does not tell when this process started")
    return pid, start, boot_id()


@lru_cache(maxsize=1)
def _start_of(own_pid: int) -> int | None:
    """Kept by pid: a fork, by whatever call, is another process."""
    return identity(own_pid)


os.register_at_fork(after_in_child=_start_of.cache_clear)


def lock_holder(st_dev: int, st_ino: int) -> int | None:
    """Pid that took a flock on a file, from ``/proc/locks``; no lock is taken to find out.

    It is the pid that called flock(2): for bash that is the flock(1) which has ended since,
    so a caller prefers what the lock file's content says.
    """
    wanted = f"{os.major(st_dev):02x}:{os.minor(st_dev):02x}:{st_ino}".encode()
    for line in _read("/proc/locks", 1 << 20).splitlines():
        fields = line.split()
        # A waiter's line has "->" in field 2 and is no holder.
        if len(fields) >= 6 and fields[1] == b"FLOCK" and fields[5] == wanted:
            pid = int(fields[4])
            return pid if pid > 0 else None
    return None


def _read(path: str, limit: int = 4_096) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        data = b""
        while len(data) < limit and (more := os.read(fd, limit - len(data))):
            data += more
    except OSError:
        return b""
    else:
        return data
    finally:
        os.close(fd)
