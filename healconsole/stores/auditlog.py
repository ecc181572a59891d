"""Appending to the audit log: whole lines, one at a time, by any number of processes."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Required, TypedDict, Unpack

from healconsole.core.auditchain import TRAILER, linked
from healconsole.core.auditparse import format_event
from healconsole.stores.auditchain import hash_before
from healconsole.stores.locks import leads_to, release, require_regular, wait_for_flock

LOCK_TIMEOUT: Final = 5.0
"""Seconds that an event waits for the other writers."""

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NEW_LOG: Final = 0o644


class AuditUnwritable(Exception):  # noqa: N818 - the guardrail's own word: nothing may act
    """The event is not in the log, so what it announces must not happen.

    ``readable`` says that it can be read there all the same: it was written, and may not
    survive a power cut.
    """

    def __init__(self, message: str, *, readable: bool = False) -> None:
        super().__init__(message)
        self.readable = readable


class EventFields(TypedDict, total=False):
    """Fields of an event as ``core.auditparse.format_event`` takes them."""

    healer: Required[str]
    outcome: Required[str]
    intent: str
    reason: str
    fact: str
    scope: str
    key: str
    guard: str
    pid: int
    duration_ms: int
    dry_run: bool
    trigger: str
    count: int
    until: int
    operator: Mapping[str, Any] | None
    incident: str
    before: str
    after: str
    cause: str


class AuditWriter:
    """Writes events of one host to one audit log.

    The file is opened anew for each event: between two of them it may have been rotated.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Callable[[], float], host: str) -> None:
        """``clock`` gives the epoch seconds of an event; nothing is opened yet."""
        self.path = os.fspath(path)
        self._clock = clock
        self._host = host

    def append(self, *, sync: bool = False, **fields: Unpack[EventFields]) -> None:
        """Append one event; see ``EventFields``.

        ``ts`` and ``host`` are added. With ``sync`` the event is on the disk when this
        returns: for what must be known even if the machine dies during the act.

        Raises:
            AuditUnwritable: the event could not be written; the message says where and why.
            ValueError: an event of this size cannot be written at all.
        """
        line = format_event(ts_text=timestamp(self._clock()), host=self._host, **fields)
        readable = False
        try:
            fd, size = self._open_locked()
            try:
                last = os.pread(fd, TRAILER + 1, max(0, size - TRAILER - 1))
                line = linked(line, hash_before(fd, self.path, size, last))
                if size and not last.endswith(b"\n"):
                    # A writer died in the middle of its line: it keeps its line, we take ours.
                    line = b"\n" + line
                if os.write(fd, line) != len(line):
                    raise OSError(errno.ENOSPC, "only a part of the line fitted")
                readable = True
                if sync:
                    os.fdatasync(fd)
            finally:
                release(fd)
        except OSError as error:
            why = error.strerror or str(error)
            raise AuditUnwritable(
                f"{self.path}: the audit log cannot be written ({why.lower()}); "
                "make room or mend its permissions",
                readable=readable,
            ) from error

    def _open_locked(self) -> tuple[int, int]:
        """The log, opened and locked, and still the file of that name; and how long it is."""
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            fd = self._open()
            try:
                require_regular(fd, self.path)
                wait_for_flock(fd, deadline, self.path)
                info = os.fstat(fd)
                current = leads_to(self.path, info)
            except BaseException:
                os.close(fd)
                raise
            if current:
                return fd, info.st_size
            release(fd)

    def _open(self) -> int:
        try:
            return os.open(self.path, _FLAGS)
        except FileNotFoundError:
            return self._create()

    def _create(self) -> int:
        folder = os.path.dirname(self.path) or "."  # noqa: PTH120 - bytes in, bytes out
        os.makedirs(folder, mode=0o755, exist_ok=True)  # noqa: PTH103
        fd = os.open(self.path, _FLAGS | os.O_CREAT, _NEW_LOG)
        try:
            parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)
        except BaseException:
            os.close(fd)
            raise
        return fd


def timestamp(at: float) -> str:
    """The time ``at`` as an event says it: local, in milliseconds, with the offset.

    A time that the zone database cannot place is told in UTC.
    """
    try:
        zone = timezone(timedelta(seconds=time.localtime(at).tm_gmtoff))
    except (OverflowError, ValueError, OSError):
        zone = UTC
    # Rounded to milliseconds first, so that .9996 carries into the second.
    whole, milli = divmod(round(at * 1000), 1000)
    moment = datetime.fromtimestamp(whole, zone).replace(microsecond=milli * 1000)
    return moment.isoformat(timespec="milliseconds")
