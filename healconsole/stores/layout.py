"""Making a healer's state directory."""

from __future__ import annotations

import os
from typing import Final

from healconsole.stores.locks import GUARD, open_lock
from healconsole.stores.writing import SCRATCH, ensure_dir, sweep_scratch

LAYOUT: Final = ("keys", "rate", "cb", "claims", "dry/keys", "dry/rate", SCRATCH)
"""Directories of a healer on our libraries."""
SCRATCH_AGE: Final = 3_600.0
"""Seconds after which a temporary file has lost its writer."""


def prepare(path: str | os.PathLike[str], now: float) -> None:
    """Make a healer's state directory with all that is in it, durably; safe to call again.

    Raises:
        OSError: it cannot be made.
    """
    os.makedirs(path, mode=0o755, exist_ok=True)  # noqa: PTH103 - takes any path
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in LAYOUT:
            os.close(ensure_dir(fd, folder))
        os.close(open_lock(fd, GUARD))
        os.fsync(fd)
        sweep_scratch(fd, older_than=now - SCRATCH_AGE)
    finally:
        os.close(fd)
