"""Ending every process of a session: what a healer runs is started in one of its own.

First SIGTERM, then SIGKILL after :data:`GRACE` seconds.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from healconsole.engine.waiting import readable

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""


def end_session(leader: int) -> None:
    """End every process of the session that ``leader`` leads; it must not have been reaped yet."""
    _signal_session(leader, signal.SIGTERM)
    exit_fd = os.pidfd_open(leader)
    try:
        readable(exit_fd, GRACE)
    finally:
        os.close(exit_fd)
    # Twice: what was being forked during the first look is found by the second.
    for _ in range(2):
        _signal_session(leader, signal.SIGKILL)


def _signal_session(session: int, number: signal.Signals) -> None:
    for entry in os.listdir("/proc"):  # noqa: PTH208 - only the names are needed
        if entry.isdigit() and _session_of(entry) == session:
            # The pidfd pins the process; asking again makes sure that it is still the one.
            with suppress(ProcessLookupError, PermissionError):
                descriptor = os.pidfd_open(int(entry))
                try:
                    if _session_of(entry) == session:
                        signal.pidfd_send_signal(descriptor, number)
                finally:
                    os.close(descriptor)


def _session_of(pid: str) -> int | None:
    """Field 6 of ``/proc/<pid>/stat``; the name before it may hold blanks and brackets."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:
        return None
    return int(fields[3]) if len(fields) > 3 else None
