"""The hash to which the next event of a log is linked, read from the end of the log."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from pathlib import Path
from typing import Final

from healconsole.core.auditchain import TRAILER, last_hash
from healconsole.core.pattern import pattern
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.locks import wait_for_flock
from healconsole.stores.logfile import open_log

ROTATED_TAIL: Final = 131_072
"""Bytes at the end of a rotated log in which its last event is looked for (docs/contract.md)."""

_LOCK_TIMEOUT: Final = 5.0
_BLOCK: Final = 65_536
_COMPRESSED: Final = pattern(r"\.(?:gz|bz2|xz|zst)\Z")


def hash_before(fd: int, path: str, size: int, last: bytes) -> str:
    """The hash of the last event in the locked log ``fd``, which is ``path``.

    Where it has none, that of the log that was rotated away from this name, if that is to be
    had; else empty: a chain starts. ``last`` are the last ``TRAILER + 1`` of the ``size`` bytes
    in ``fd``, or all of them.

    Raises:
        OSError: the log cannot be read.
    """
    # Most often the last line is one of ours.
    found = last_hash(last)
    if found or not size:
        return found or _hash_of_rotated(path, fd)
    return _search_back(fd, size) or _hash_of_rotated(path, fd)


def _search_back(fd: int, end: int) -> str:
    """The last hash before byte ``end``, however far back: other writers may have had the log."""
    while end > 0:
        begin = max(0, end - _BLOCK)
        # A line that lies across two blocks ends in one of them, with its whole trailer.
        if found := last_hash(os.pread(fd, end - begin, begin)):
            return found
        end = begin + TRAILER if begin else 0
    return ""


def _hash_of_rotated(path: str, log: int) -> str:
    before = _rotated(path)
    if before is None:
        return ""
    if _is_open_as(before, log):
        # Rotated while this looked: what was before it moved on too.
        before = Path(f"{path}.2")
    try:
        fd = open_log(before)
    except (Missing, Unreadable):
        return ""
    try:
        # Somebody who had the log open when it was renamed may still write his event.
        wait_for_flock(fd, time.monotonic() + _LOCK_TIMEOUT, os.fspath(before))
        size = os.fstat(fd).st_size
        begin = max(0, size - ROTATED_TAIL)
        found = last_hash(os.pread(fd, size - begin, begin))
        fcntl.flock(fd, fcntl.LOCK_UN)
    except OSError as error:
        if error.errno == errno.EIO:
            raise
        return ""
    finally:
        os.close(fd)
    return found


def _is_open_as(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(follow_symlinks=False), os.fstat(fd))
    except OSError:
        return False


def _rotated(path: str) -> Path | None:
    """The plain file that was rotated away last: ``log.1``, else the last ``log-DATE``."""
    log = Path(path)
    numbered = log.with_name(f"{log.name}.1")
    if numbered.is_file() and not numbered.is_symlink():
        return numbered
    dated = re.compile(re.escape(log.name) + r"-[0-9]")
    try:
        names = sorted(os.listdir(log.parent), key=os.fsencode)  # noqa: PTH208 - names, to be matched
    except OSError:
        return None
    for name in reversed(names):
        found = log.with_name(name)
        if (
            dated.match(name)
            and not _COMPRESSED.search(name)
            and found.is_file()
            and not found.is_symlink()
        ):
            return found
    return None
