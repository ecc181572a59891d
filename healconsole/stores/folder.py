"""An open directory of small files, each read again only when its stat has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from healconsole.core.records import Corrupt
from healconsole.stores.files import Missing, Unreadable, read_name

R = TypeVar("R")

_REALTIME_COARSE: Final = 5
"""A clock of Linux that Python has no name for: the one that times of files are taken from."""
_SECOND: Final = 1_000_000_000
_KEPT: Final = 256
"""Names that are remembered at most."""

Parse = Callable[[bytes, os.stat_result, str, str], R | Corrupt | None]
"""Of content, stat, the directory's name for people, and the file's."""


def tick() -> int:
    """The time that a file changed now is given at least, in nanoseconds since the epoch."""
    return time.clock_gettime_ns(_REALTIME_COARSE)


def settled(changed: int, began: int) -> bool:
    """Whether what changes from ``began`` on (a ``tick``) is stamped later than ``changed``.

    Both are nanoseconds since the epoch. A whole second may be all that the file system keeps
    (ext4 with inodes of 128 bytes), or every second one (FAT): then all that changes in these
    two seconds has the same stamp.

    >>> settled(1_000_000_001, 1_004_000_000), settled(1_000_000_000, 1_004_000_000)
    (True, False)
    >>> settled(1_000_000_000, 3_000_000_001)
    True
    """
    return changed + (0 if changed % _SECOND else 2 * _SECOND) < began


class Folder:
    """Files of one directory, and what they were parsed to. Belongs to one thread at a time.

    That a name is absent is known until the directory changes. Nothing is remembered of what
    changed in this tick of the kernel's clock (some 4 ms; or of a coarser file system's), as
    the next change would have the same stamp; and nothing at all without ``remember``.
    """

    def __init__(self, fd: int, name: str, *, remember: bool) -> None:
        self.fd = fd
        """Descriptor of the directory; the caller closes it."""
        self.name = name
        self._remember = remember
        self._absent: dict[str, int] = {}
        self._known: dict[str, tuple[int, int, int, Any]] = {}

    def lacks(self, one: str, other: str) -> bool:
        """Whether neither is there, as is known without looking for each."""
        seen = self._absent.get(one)
        return (
            seen is not None
            and self._absent.get(other) == seen
            and os.fstat(self.fd).st_ctime_ns == seen
        )

    def read(self, name: str, parse: Parse[R]) -> R | Corrupt | None:
        """What ``parse`` makes of the file ``name``, always the same one for one name.

        None where there is none; never an exception for what is there.
        """
        known = self._known.get(name)
        if known is not None:
            try:
                info = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
            except OSError:
                return self._read(name, parse)
            changed, inode, size, record = known
            if info.st_ctime_ns == changed and info.st_ino == inode and info.st_size == size:
                return record  # type: ignore[no-any-return] # of the parse that this name has
        elif name in self._absent and os.fstat(self.fd).st_ctime_ns == self._absent[name]:
            return None
        return self._read(name, parse)

    def _read(self, name: str, parse: Parse[R]) -> R | Corrupt | None:
        self._known.pop(name, None)
        # Before the name is looked up: what changes after that is stamped so, or later.
        began = tick()
        try:
            raw, info = read_name(self.fd, name)
        except Missing:
            if not self._remember:
                return None
            of_dir = os.fstat(self.fd).st_ctime_ns
            if self._keeps(began, of_dir, self._absent):
                self._absent[name] = of_dir
            return None
        except Unreadable as error:
            return Corrupt(f"{self.name}/{name}", error.word, error.sample)
        record = parse(raw, info, self.name, name)
        if self._keeps(began, info.st_ctime_ns, self._known):
            self._known[name] = (info.st_ctime_ns, info.st_ino, info.st_size, record)
        return record

    def _keeps(self, began: int, changed: int, kept: dict[str, Any]) -> bool:
        if not self._remember or not settled(changed, began):
            return False
        if len(kept) >= _KEPT:
            kept.clear()
        return True
