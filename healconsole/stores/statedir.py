"""A healer's state directory, as the console shows it and as the engine decides on it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import Final, Self, TypeVar

from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.dryrun import effective
from healconsole.core.frozen import replace
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.marker import parse_marker
from healconsole.core.override import parse_override
from healconsole.core.records import (
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    OverrideRecord,
    Policy,
)
from healconsole.core.scopes import scope_file_name
from healconsole.core.verdict import FleetState, GuardState, Intent
from healconsole.stores.files import Missing, Unreadable, open_below_dir, open_dir
from healconsole.stores.healerdir import list_healers, read_healer
from healconsole.stores.statefiles import read_claim, read_marker, read_record, slots_in

__all__ = ["StateDir", "list_healers", "read_healer"]

R = TypeVar("R")

_KEPT: Final = 256
"""Answers that are remembered of each pure function below; what a file holds is read anew."""
_bucket_in = lru_cache(_KEPT)(parse_bucket)
_breaker_in = lru_cache(_KEPT)(parse_breaker)
_marker_in = lru_cache(_KEPT)(parse_marker)
_key_of = lru_cache(_KEPT)(marker_key)
_file_of = lru_cache(_KEPT)(scope_file_name)


_REALTIME_COARSE: Final = 5
"""A clock of Linux that Python has no name for: the one that times of files are taken from."""


def _tick() -> int:
    """The time that a file changed now is given at least, in nanoseconds since the epoch."""
    return time.clock_gettime_ns(_REALTIME_COARSE)


class StateDir:
    """The guard state of one healer, read again and again by one process.

    A denial is the common case and costs microseconds: descriptors of the directories stay
    open, and that ``hold`` and ``dry-run`` are absent is known until their directory
    changes. A directory that was replaced is noticed by the times of its parent. Some kernels
    and file systems keep these to 4 ms, so times that young are not relied on; and whoever
    commits reads anew under the lock (``commit.hold``).

    Safe to use from several threads.
    """

    def __init__(self, path: str | os.PathLike[str], *, pinned: bool = False) -> None:
        """Open the directory ``path``.

        With ``pinned`` it stays that very directory, whatever the name leads to later: for
        whoever holds a lock in it.

        Raises:
            Missing, Unreadable: it is not there, or cannot be opened.
        """
        self.path = os.fspath(path)
        self.fd = open_dir(self.path)
        """Descriptor of the directory; another one after ``reopen``."""
        self._pinned = pinned
        self._lock = threading.RLock()
        self._dirs: dict[str, int] = {}
        self._absent: set[str] = set()
        self._slots: tuple[int, list[str]] = (-1, [])
        self._stamp = (0, 0)

    def __enter__(self) -> Self:
        """Nothing more is opened."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all descriptors."""
        self.close()

    def close(self) -> None:
        """Close all descriptors. The object cannot be used any more."""
        with self._lock:
            self._forget()
            if self.fd >= 0:
                os.close(self.fd)
                self.fd = -1

    def reopen(self) -> None:
        """Forget what was remembered, and open the directory of that name anew.

        Raises:
            Missing, Unreadable: it is not there any more, or cannot be opened.
        """
        with self._lock:
            fd = open_dir(self.path)
            self._forget()
            os.close(self.fd)
            self.fd = fd

    def guard_state(
        self,
        intent: Intent,
        policy: Policy,
        now: float,
        *,
        dry: bool | None = None,
        dry_env: str | None = None,
        fleet: FleetState | None = None,
    ) -> GuardState:
        """All that the verdict on ``intent`` is decided on. Takes no lock, changes nothing.

        Args:
            intent: what is asked for.
            policy: the limits; only the bucket size is used.
            now: epoch seconds.
            dry: whether to read the shadow state; None: what the ``dry-run`` file and
                ``dry_env`` say.
            dry_env: ``DRY_RUN`` of the environment, handed through.
            fleet: what Redis says, handed through.
        """
        with self._lock:
            self._notice_changes()
            hold = self._override("hold")
            dry_run = self._override("dry-run")
            if dry is None:
                dry = effective(dry_run, dry_env, now).dry
            scope_file = _file_of(intent.scope)
            keys = "dry/keys" if dry else "keys"
            number = bucket_number(now, policy.bucket)
            return GuardState(
                hold=hold,
                dry_run=dry_run,
                marker=self._marker(keys, _key_of(intent.text, number)),
                previous_marker=self._marker(keys, _key_of(intent.text, number - 1)),
                bucket=self._file("dry/rate" if dry else "rate", scope_file, _bucket_in),
                breaker=self._file("cb", scope_file, _breaker_in),
                claims=self._claims(),
                fleet=fleet,
                dry_env=dry_env,
            )

    def _notice_changes(self) -> None:
        info = os.fstat(self.fd)
        if (info.st_mtime_ns, info.st_ctime_ns) == self._stamp:
            return
        # Removed, renamed, or something in it was: the name may lead elsewhere by now. If it
        # leads nowhere, what is still open says what was true last, and the commit refuses.
        if not self._pinned:
            with suppress(Missing, Unreadable):
                self.reopen()
        self._forget()
        tick = _tick()
        info = os.fstat(self.fd)
        stamp = (info.st_mtime_ns, info.st_ctime_ns)
        if max(stamp) < tick:
            self._stamp = stamp

    def _forget(self) -> None:
        for fd in self._dirs.values():
            os.close(fd)
        self._dirs.clear()
        self._absent.clear()
        self._slots = (-1, [])
        self._stamp = (0, 0)

    def _dir(self, name: str) -> int | Corrupt | None:
        fd = self._dirs.get(name)
        if fd is not None:
            return fd
        try:
            fd = self._dirs[name] = open_below_dir(self.fd, name)
        except Missing:
            return None
        except Unreadable as error:
            return Corrupt(name, error.word)
        return fd

    def _override(self, name: str) -> OverrideRecord | Corrupt | None:
        if name in self._absent:
            return None
        record = read_record(self.fd, name, name, parse_override)
        if record is None:
            self._absent.add(name)
        return record

    def _file(
        self, folder: str, name: str, parse: Callable[[bytes, str], R | Corrupt]
    ) -> R | Corrupt | None:
        fd = self._dir(folder)
        if isinstance(fd, int):
            return read_record(fd, name, f"{folder}/{name}", parse)
        return fd if fd is None else replace(fd, path=f"{folder}/{name}")

    def _marker(self, folder: str, key: str) -> MarkerRecord | Corrupt | None:
        fd = self._dir(folder)
        if isinstance(fd, int):
            return read_marker(fd, key, folder, _marker_in)
        return fd if fd is None else replace(fd, path=f"{folder}/{key}")

    def _claims(self) -> tuple[ClaimRecord | Corrupt, ...]:
        fd = self._dir("claims")
        if not isinstance(fd, int):
            return () if fd is None else (fd,)
        if os.fstat(fd).st_mtime_ns != self._slots[0]:
            tick = _tick()
            changed = os.fstat(fd).st_mtime_ns
            found = slots_in(os.listdir(fd))  # noqa: PTH208 - of a descriptor
            self._slots = (changed if changed < tick else -1, found)
        claims = [read_claim(fd, slot) for slot in self._slots[1]]
        return tuple([claim for claim in claims if claim is not None])
