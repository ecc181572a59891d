"""A healer's own file for node_exporter's textfile collector: its counts, and the writing of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from healconsole.core.metrics import Tally, parse_tally
from healconsole.stores.files import Missing, Unreadable, open_dir, read_name
from healconsole.stores.writing import write_all

_LIMIT: Final = 65_536
"""Bytes of one metrics file."""


def read_tally(folder: Path, healer: str) -> Tally:
    """The counts that ``healer`` wrote last; zeros where there is nothing that can be read.

    A counter that begins again is no error: Prometheus takes it for a restart.
    """
    try:
        at = open_dir(folder)
    except (Missing, Unreadable):
        return Tally()
    try:
        data, _ = read_name(at, f"heal_{healer}.prom", _LIMIT)
    except (Missing, Unreadable):
        return Tally()
    finally:
        os.close(at)
    return parse_tally(data.decode("utf-8", "replace"), healer)


def write_metrics(folder: Path, healer: str, text: str) -> None:
    """Put ``text`` in place as the metrics of ``healer``, readable by everybody.

    The collector reads every ``*.prom`` at any time, so the draft has another name. Not
    fsynced: after a power cut an old heartbeat is as true as a new one.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    draft = folder / f".heal_{healer}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(draft, flags, 0o600)
    try:
        os.fchmod(fd, 0o644)  # whatever the umask says
        write_all(fd, text.encode())
        draft.replace(folder / f"heal_{healer}.prom")
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
