"""Slots of ``claims/``: one file for each action that runs now, kept and emptied, not removed."""

from __future__ import annotations

import os
from typing import Final

from healconsole.stores.writing import create_new

_KEPT: Final = 256
"""Slots that are remembered at most."""
_durable: set[tuple[int, int, int, int]] = set()
"""Slots whose name this process has made durable: directory and file, as device and inode each."""

_FLAGS = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_slot(claims_fd: int, slot: int) -> int:
    """A descriptor to write the slot; its file is made where there is none.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        return os.open(str(slot), _FLAGS, dir_fd=claims_fd)
    except FileNotFoundError:
        return create_new(claims_fd, str(slot))


def keep_name(claims_fd: int, slot_fd: int) -> None:
    """Make the slot's name durable, once in this process.

    A slot is emptied and not removed. That it is there already does not say that its name is
    on the disk: who made it may have died before that.

    Raises:
        OSError: the directory cannot be synced.
    """
    of_dir, of_slot = os.fstat(claims_fd), os.fstat(slot_fd)
    name = (of_dir.st_dev, of_dir.st_ino, of_slot.st_dev, of_slot.st_ino)
    if name in _durable:
        return
    os.fsync(claims_fd)
    if len(_durable) >= _KEPT:
        _durable.clear()
    _durable.add(name)


def empty_slot(claims_fd: int, slot: int) -> None:
    """Truncate the slot to nothing, durably.

    Raises:
        OSError: it cannot be written.
    """
    fd = os.open(str(slot), _FLAGS, dir_fd=claims_fd)
    try:
        os.ftruncate(fd, 0)
        os.fsync(fd)
    finally:
        os.close(fd)
