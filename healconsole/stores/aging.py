"""Removing what has served from the state directories of healers that may run meanwhile.

What may go is found without a lock. It goes in batches under the healer's ``.guard``, each
file judged once more, below descriptors that follow no link; between two batches healers have
their turn.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from healconsole.core.aging import (
    Retention,
    claim_served,
    in_use,
    is_marker_name,
    marker_served,
    retention,
    shadow_served,
)
from healconsole.core.bucket import parse_bucket
from healconsole.core.cycle import parse_cycle
from healconsole.core.frozen import Frozen
from healconsole.core.records import CycleRecord, Policy
from healconsole.core.scopes import is_healer_name
from healconsole.stores.files import CYCLE_LIMIT, Missing, Unreadable, open_below_dir, open_dir
from healconsole.stores.locks import GUARD, locked
from healconsole.stores.statefiles import (
    CYCLE,
    is_slot,
    read_claims_of,
    read_marker,
    read_record,
)

BATCH: Final = 200
"""Files that are judged and removed while healers wait for the lock: a few milliseconds."""

Judge = Callable[[int, str, os.stat_result, frozenset[str]], bool]
"""Whether the file of that name in that directory has served. It was stat'ed just now; the keys
are those of acts that have no outcome yet."""


@dataclass(slots=True)
class Aged:
    """What was, or with ``dry_run`` would be, removed of one healer."""

    healer: str
    removed: list[str] = field(default_factory=list)
    """Paths relative to the healer's directory."""
    kept: int = 0
    strange: list[str] = field(default_factory=list)
    """What is no file of ours where only such files should be; it stays."""
    problem: str = ""
    """Why not all was looked at; empty if it was."""


class _Folder(Frozen):
    path: str
    named: Callable[[str], bool]
    judge: Judge


def age_healer(
    root: str | os.PathLike[str],
    name: str,
    declared: Policy | None,
    age: int,
    clock: Callable[[], float],
    *,
    dry_run: bool,
) -> Aged:
    """Age the markers, shadows and emptied claims of one healer.

    Args:
        root: the state root.
        name: of the healer's directory.
        declared: what the catalog says of its limits.
        age: seconds for which what has served is kept.
        clock: epoch seconds.
        dry_run: list only; no lock is taken and nothing is touched.
    """
    aged = Aged(name)
    if not is_healer_name(name):
        aged.problem = "the name is not one of a healer"
        return aged
    try:
        with _opened(root, name) as fd:
            policies = _policies(fd, declared)
            rule = retention(policies, age)
            for folder in _folders(policies[0] if policies else Policy(), rule, clock):
                _age_folder(fd, folder, aged, dry_run=dry_run)
    except Missing:
        aged.problem = "the directory is gone"
    except Unreadable as error:
        aged.problem = error.why
    except OSError as error:
        what = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        aged.problem = f"{what}{(error.strerror or str(error)).lower()}"
    return aged


@contextmanager
def _opened(root: str | os.PathLike[str], name: str) -> Iterator[int]:
    root_fd = open_dir(root)
    try:
        fd = open_below_dir(root_fd, name)
    finally:
        os.close(root_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _policies(fd: int, declared: Policy | None) -> list[Policy]:
    cycle = read_record(fd, CYCLE, CYCLE, parse_cycle, CYCLE_LIMIT)
    found = [cycle.policy] if isinstance(cycle, CycleRecord) else []
    return [*found, declared] if declared is not None else found


def _folders(policy: Policy, rule: Retention, clock: Callable[[], float]) -> tuple[_Folder, ...]:
    def marker(folder: str) -> Judge:
        def judge(at: int, name: str, info: os.stat_result, busy: frozenset[str]) -> bool:
            found = None if name in busy else read_marker(at, name, folder)
            return found is not None and marker_served(found, info.st_mtime, rule, clock())

        return judge

    def shadow(at: int, name: str, info: os.stat_result, _busy: frozenset[str]) -> bool:
        found = read_record(at, name, f"dry/rate/{name}", parse_bucket)
        return found is not None and shadow_served(found, info.st_mtime, policy, rule, clock())

    def claim(_at: int, name: str, info: os.stat_result, _busy: frozenset[str]) -> bool:
        return claim_served(int(name), info.st_size, info.st_mtime, rule, clock())

    return (
        _Folder("keys", is_marker_name, marker("keys")),
        _Folder("dry/keys", is_marker_name, marker("dry/keys")),
        _Folder("dry/rate", lambda _name: True, shadow),
        _Folder("claims", is_slot, claim),
    )


def _age_folder(fd: int, folder: _Folder, aged: Aged, *, dry_run: bool) -> None:
    try:
        at = open_below_dir(fd, folder.path)
    except Missing:
        return
    try:
        with os.scandir(at) as entries:
            names = sorted(entry.name for entry in entries)
        served = []
        busy = in_use(read_claims_of(fd))
        for name in names:
            info = _look(at, name)
            if info is None:
                continue
            if not folder.named(name) or not stat.S_ISREG(info.st_mode):
                aged.strange.append(f"{folder.path}/{name}")
            elif folder.judge(at, name, info, busy):
                served.append(name)
            else:
                aged.kept += 1
        gone = served if dry_run else _remove(fd, at, folder, served)
    finally:
        os.close(at)
    aged.removed += [f"{folder.path}/{name}" for name in gone]
    aged.kept += len(served) - len(gone)


def _remove(fd: int, at: int, folder: _Folder, names: Sequence[str]) -> list[str]:
    """Remove what under the lock still has served; return the names."""
    gone = []
    for first in range(0, len(names), BATCH):
        with locked(fd, GUARD):
            busy = in_use(read_claims_of(fd))
            for name in names[first : first + BATCH]:
                info = _look(at, name)
                regular = info is not None and stat.S_ISREG(info.st_mode)
                if info is not None and regular and folder.judge(at, name, info, busy):
                    with suppress(FileNotFoundError):  # a healer without a lock was first
                        os.unlink(name, dir_fd=at)
                        gone.append(name)
    return gone


def _look(at: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None
