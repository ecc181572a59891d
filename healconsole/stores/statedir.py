"""A healer's state directory, as the console shows it and as the engine decides on it."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import Final, Self

from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.claim import parse_claim
from healconsole.core.dryrun import effective
from healconsole.core.frozen import replace
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.marker import parse_marker
from healconsole.core.override import parse_override
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    OverrideRecord,
    Policy,
)
from healconsole.core.scopes import scope_file_name
from healconsole.core.verdict import FleetState, GuardState, Intent
from healconsole.stores.files import Missing, Unreadable, open_below_dir, open_dir
from healconsole.stores.folder import Folder, Parse, R, settled, tick
from healconsole.stores.healerdir import list_healers, read_healer
from healconsole.stores.statefiles import living, read_record, slots_in

__all__ = ["StateDir", "list_healers", "read_healer"]

_KEPT: Final = 256
"""Answers that are remembered of each pure function below."""

_file_of = lru_cache(_KEPT)(scope_file_name)
_parsed_bucket = lru_cache(_KEPT)(parse_bucket)
_parsed_breaker = lru_cache(_KEPT)(parse_breaker)


class StateDir:
    """The guard state of one healer, read again and again by one process.

    A denial is the common case and costs microseconds: descriptors of the directories stay
    open, that ``hold`` and ``dry-run`` are absent is known until their directory changes,
    and what a file says until its stat does (``Folder``). A directory that was replaced is
    noticed by the times of its parent. Some kernels and file systems keep these to 4 ms or to
    two seconds, so times that young are not relied on (``settled``); and whoever commits reads
    anew under the lock (``commit.hold``).

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
        self._dirs: dict[str, Folder] = {}
        self._absent: set[str] = set()
        self._slots: tuple[int, list[str]] = (-1, [])
        self._taken: frozenset[str] = frozenset()
        self._in_flight: tuple[ClaimRecord | Corrupt, ...] | None = None
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
            key, before = _keys_of(intent.text, number)
            marker = previous = None
            folder = self._dirs.get(keys)
            if folder is None or not folder.lacks(key, before):
                marker = self._file(keys, key, _marker_in)
                previous = self._file(keys, before, _marker_in)
            return GuardState(
                hold,
                dry_run,
                marker,
                previous,
                self._file("dry/rate" if dry else "rate", scope_file, _bucket_in),
                self._file("cb", scope_file, _breaker_in),
                self._claims(),
                fleet,
                dry_env,
            )

    def claims(self) -> tuple[ClaimRecord | Corrupt, ...]:
        """Everything in flight, ``alive`` filled in."""
        with self._lock:
            self._notice_changes()
            return self._claims()

    def free_slot(self) -> int:
        """The lowest slot that holds nothing, true while a lock is held.

        Raises:
            OSError: ``claims`` cannot be read, so that each slot may hold an act in flight.
        """
        with self._lock:
            for one in self._claims():
                if isinstance(one, Corrupt) and one.path == "claims":
                    raise OSError(errno.EIO, one.why, one.path)
            slot = 0
            while str(slot) in self._taken:
                slot += 1
            return slot

    def claims_changed(self) -> None:
        """To be told by whoever wrote a claim under the lock."""
        self._in_flight = None

    def bucket(self, folder: str, scope_file: str) -> BucketRecord | Corrupt | None:
        """The bucket in the file ``scope_file`` of ``rate`` or ``dry/rate``."""
        with self._lock:
            return self._file(folder, scope_file, _bucket_in)

    def breaker(self, scope_file: str) -> BreakerRecord | Corrupt | None:
        """The breaker in the file ``scope_file``."""
        with self._lock:
            return self._file("cb", scope_file, _breaker_in)

    def marker(self, folder: str, key: str) -> MarkerRecord | Corrupt | None:
        """The marker ``key`` in ``keys`` or ``dry/keys``."""
        with self._lock:
            return self._file(folder, key, _marker_in)

    def descriptor(self, folder: str) -> int | None:
        """The descriptor of a directory that is open already."""
        opened = self._dirs.get(folder)
        return None if opened is None else opened.fd

    def _notice_changes(self) -> None:
        if self._pinned:
            return
        info = os.fstat(self.fd)
        if (info.st_mtime_ns, info.st_ctime_ns) == self._stamp:
            return
        # Removed, renamed, or something in it was: the name may lead elsewhere by now. If it
        # leads nowhere, what is still open says what was true last, and the commit refuses.
        with suppress(Missing, Unreadable):
            self.reopen()
        self._forget()
        began = tick()
        info = os.fstat(self.fd)
        stamp = (info.st_mtime_ns, info.st_ctime_ns)
        if all(settled(changed, began) for changed in stamp):
            self._stamp = stamp

    def _forget(self) -> None:
        for folder in self._dirs.values():
            os.close(folder.fd)
        self._dirs.clear()
        self._absent.clear()
        self._slots = (-1, [])
        self._in_flight = None
        self._stamp = (0, 0)

    def _dir(self, name: str) -> Folder | Corrupt | None:
        folder = self._dirs.get(name)
        if folder is not None:
            return folder
        try:
            fd = open_below_dir(self.fd, name)
        except Missing:
            return None
        except Unreadable as error:
            return Corrupt(name, error.word)
        folder = self._dirs[name] = Folder(fd, name, remember=not self._pinned)
        return folder

    def _override(self, name: str) -> OverrideRecord | Corrupt | None:
        if name in self._absent:
            return None
        record = read_record(self.fd, name, name, parse_override)
        if record is None and not self._pinned:
            self._absent.add(name)
        return record

    def _file(self, folder: str, name: str, parse: Parse[R]) -> R | Corrupt | None:
        found = self._dirs.get(folder) or self._dir(folder)
        if isinstance(found, Folder):
            return found.read(name, parse)
        return found if found is None else replace(found, path=f"{folder}/{name}")

    def _claims(self) -> tuple[ClaimRecord | Corrupt, ...]:
        if self._in_flight is not None:
            return self._in_flight
        folder = self._dir("claims")
        if not isinstance(folder, Folder):
            self._taken = frozenset()
            return () if folder is None else (folder,)
        found: list[ClaimRecord | Corrupt] = []
        taken: list[str] = []
        try:
            slots = self._slots_in(folder)
        except OSError:
            return (Corrupt("claims", "not readable"),)
        for slot in slots:
            claim = folder.read(slot, _claim_in)
            if claim is not None:
                found.append(living(claim))
                taken.append(slot)
        claims = tuple(found)
        if self._pinned:
            # Who writes a claim holds the lock, which here is ours.
            self._taken, self._in_flight = frozenset(taken), claims
        return claims

    def _slots_in(self, folder: Folder) -> list[str]:
        if self._pinned:
            return slots_in(os.listdir(folder.fd))  # noqa: PTH208 - of a descriptor
        if os.fstat(folder.fd).st_mtime_ns != self._slots[0]:
            began = tick()
            changed = os.fstat(folder.fd).st_mtime_ns
            slots = slots_in(os.listdir(folder.fd))  # noqa: PTH208 - of a descriptor
            self._slots = (changed if settled(changed, began) else -1, slots)
        return self._slots[1]


@lru_cache(_KEPT)
def _keys_of(intent_text: str, number: int) -> tuple[str, str]:
    return marker_key(intent_text, number), marker_key(intent_text, number - 1)


def _bucket_in(raw: bytes, _: os.stat_result, folder: str, name: str) -> BucketRecord | Corrupt:
    return _parsed_bucket(raw, f"{folder}/{name}")


def _breaker_in(raw: bytes, _: os.stat_result, folder: str, name: str) -> BreakerRecord | Corrupt:
    return _parsed_breaker(raw, f"{folder}/{name}")


def _marker_in(raw: bytes, info: os.stat_result, folder: str, name: str) -> MarkerRecord | Corrupt:
    return parse_marker(raw, name, int(info.st_mtime), folder)


def _claim_in(
    raw: bytes, _: os.stat_result, _folder: str, name: str
) -> ClaimRecord | Corrupt | None:
    # A free slot is an empty file.
    return parse_claim(raw, int(name)) if raw else None
