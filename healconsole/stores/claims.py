"""Slots of ``claims/``: one file for each action that runs now, kept and emptied, not removed."""

from __future__ import annotations

import os

from healconsole.core.records import ClaimRecord
from healconsole.stores.statefiles import is_slot, read_claim
from healconsole.stores.writing import create_new, ensure_dir

_FLAGS = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def free_slot(dir_fd: int) -> int:
    """The lowest slot that holds nothing. Call it under ``.guard``.

    Raises:
        OSError: ``claims`` cannot be read.
    """
    fd = ensure_dir(dir_fd, "claims")
    try:
        with os.scandir(fd) as entries:
            names = {entry.name for entry in entries if is_slot(entry.name)}
        slot = 0
        while str(slot) in names and read_claim(fd, str(slot)) is not None:
            slot += 1
        return slot
    finally:
        os.close(fd)


def open_slot(claims_fd: int, slot: int) -> tuple[int, bool]:
    """A descriptor to write the slot, and whether its file is new.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        return os.open(str(slot), _FLAGS, dir_fd=claims_fd), False
    except FileNotFoundError:
        return create_new(claims_fd, str(slot)), True


def empty_slot(dir_fd: int, claim: ClaimRecord) -> None:
    """Truncate the claim's slot to nothing, durably.

    Raises:
        OSError: it cannot be written.
    """
    claims_fd = ensure_dir(dir_fd, "claims")
    try:
        fd = os.open(str(claim.slot), _FLAGS, dir_fd=claims_fd)
        try:
            os.ftruncate(fd, 0)
            os.fsync(fd)
        finally:
            os.close(fd)
    finally:
        os.close(claims_fd)
