"""One healer's directory as a whole, for the console: both layouts, any content."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.cycle import parse_cycle
from healconsole.core.override import parse_override
from healconsole.core.records import (
    Corrupt,
    CycleRecord,
    MarkerRecord,
)
from healconsole.core.scopes import is_healer_name, scope_of_file
from healconsole.core.snapshot import (
    PARTS,
    HealerState,
    Heartbeat,
    ScopedBreaker,
    ScopedBucket,
    Shadow,
)
from healconsole.core.words import Library
from healconsole.stores.files import (
    CYCLE_LIMIT,
    Missing,
    Unreadable,
    list_and_count,
    open_below_dir,
    open_dir,
)
from healconsole.stores.statefiles import (
    CYCLE,
    SINGLETON,
    daemon_pid,
    read_claims_of,
    read_marker,
    read_record,
)

KEYS_LIMIT: Final = 10_000
"""Most names of markers that are kept."""
MARKERS_LIMIT: Final = 200
"""Most markers that are read of a healer that is looked at."""
SCOPES_LIMIT: Final = 100_000
"""Most breakers, or buckets, that are read of one healer."""

_DRY_RATE, _DRY_KEYS = "dry/rate", "dry/keys"
_NOT_HEALERS: Final = frozenset({"lost+found"})

_OURS: Final = frozenset({Library.HEAL_SH, Library.PYTHON})
_FLAT: Final = ("cb-", "rate-")

Root = int | str | os.PathLike[str]
"""A state root: its descriptor, or its path."""
R = TypeVar("R")


def list_healers(root: Root) -> list[str]:
    """The names of all directories below the state root, in their order.

    Links are listed too, to be shown with their problem; names with a leading dot are not.

    Raises:
        Missing, Unreadable: the root is not there, or cannot be read.
    """
    with _root_fd(root) as fd:
        try:
            with os.scandir(fd) as entries:
                names = [
                    entry.name
                    for entry in entries
                    if entry.name[0] != "."
                    and entry.name not in _NOT_HEALERS
                    and (entry.is_symlink() or entry.is_dir(follow_symlinks=False))
                ]
        except OSError as error:
            raise Unreadable(f"cannot be read ({(error.strerror or '').lower()})") from error
    return sorted(names)


def read_healer(root: Root, name: str, *, with_markers: bool = False) -> HealerState:
    """Everything that the directory of one healer holds; free of the clock.

    Never raises for what the directory holds: what is bad is a ``Corrupt`` record or the
    healer's ``problem``. Markers are counted and their names kept; only ``with_markers``
    looks into the newest of them. Catalog, audit events and textfile metrics are others'.

    Raises:
        Missing, Unreadable: the state root itself is not there, or cannot be read.
    """
    with _root_fd(root) as root_fd:
        path = name if isinstance(root, int) else os.path.join(root, name)  # noqa: PTH118
        try:
            fd = open_below_dir(root_fd, name)
        except Missing:
            return HealerState(name, path, problem="the directory is gone", unread=PARTS)
        except Unreadable as error:
            return _blind(name, path, error.why)
        try:
            return _read(fd, name, path, with_markers=with_markers)
        finally:
            os.close(fd)


def absent_healer(root: Path, name: str, *, ran: bool) -> HealerState:
    """A healer without a directory below ``root``: one that ran has its state out of sight."""
    return HealerState(name, str(root / name), unread=PARTS if ran else frozenset(), absent=True)


def _blind(name: str, path: str, why: str) -> HealerState:
    return HealerState(name, path, problem=f"{why}; {_mend(why)}", unread=PARTS)


def _read(fd: int, name: str, path: str, *, with_markers: bool) -> HealerState:
    try:
        with os.scandir(fd) as entries:
            names = {entry.name for entry in entries}
    except OSError as error:
        return _blind(name, path, f"cannot be read ({(error.strerror or '').lower()})")
    problems: list[str] = []
    unread: set[str] = set()
    if not is_healer_name(name):
        problems.append(
            "the name is not one of a healer (letters, digits, '.', '_' and '-', at most 64), "
            "so it is shown and not operated; rename the directory"
        )
    cycle = read_record(fd, CYCLE, CYCLE, parse_cycle, CYCLE_LIMIT) if CYCLE in names else None
    breakers = [
        ScopedBreaker(*found) for found in _scoped(fd, names, "cb", parse_breaker, problems, unread)
    ]
    buckets = [
        ScopedBucket(*found) for found in _scoped(fd, names, "rate", parse_bucket, problems, unread)
    ]
    left: tuple[str, ...] = ()
    if isinstance(cycle, CycleRecord) and cycle.library in _OURS:
        files = [part.file for part in breakers] + [part.file for part in buckets]
        left = tuple([file for file in files if _is_leftover(file)])
    if left:
        breakers = [part for part in breakers if part.file not in left]
        buckets = [part for part in buckets if part.file not in left]
    keys, total = _keys(fd, names, "keys", problems, unread)
    markers = _newest_markers(fd, keys, "keys", problems, unread) if with_markers else None
    dry_run = read_record(fd, "dry-run", "dry-run", parse_override) if "dry-run" in names else None
    live = isinstance(cycle, CycleRecord) and cycle.mode != "dry-run" and dry_run is None
    shadow = None
    if "dry" in names and not live:
        shadow = _shadow(fd, problems, unread, with_markers=with_markers)
    return HealerState(
        name=name,
        path=path,
        library=_library(cycle, names, breakers, buckets),
        problem="; ".join(problems),
        unread=frozenset(unread),
        cycle=cycle,
        heartbeat=Heartbeat(cycle.at, CYCLE) if isinstance(cycle, CycleRecord) else cycle,
        hold=read_record(fd, "hold", "hold", parse_override) if "hold" in names else None,
        dry_run=dry_run,
        breakers=tuple(breakers),
        buckets=tuple(buckets),
        leftovers=left,
        claims=read_claims_of(fd) if "claims" in names else (),
        markers_total=total,
        shadow=shadow,
        marker_keys=frozenset(keys),
        markers=markers,
        daemon_pid=daemon_pid(fd) if SINGLETON in names else None,
    )


def _is_leftover(file: str) -> bool:
    """Whether only the legacy library reads a breaker or bucket of this name.

    >>> [_is_leftover(file) for file in ("cb-x", "rate/a b", "rate/a%20b", "cb")]
    [True, True, False, False]
    """
    folder, slash, name = file.rpartition("/")
    return " " in name if slash and folder else file.startswith(_FLAT)


def _scoped(
    fd: int,
    names: set[str],
    folder: str,
    parse: Callable[[bytes, str], R | Corrupt],
    problems: list[str],
    unread: set[str],
) -> Iterator[tuple[str, R | Corrupt, str]]:
    """Scope, record and path of each ``<folder>/<scope>`` and flat ``<folder>-<scope>``."""
    flat = f"{folder}-"
    for name in sorted(name for name in names if name.startswith(flat)):
        record = read_record(fd, name, name, parse)
        if record is not None:
            yield scope_of_file(name.removeprefix(flat)), record, name
    if folder not in names:
        return
    try:
        files, total = list_and_count(fd, folder, SCOPES_LIMIT)
        at = open_below_dir(fd, folder)
    except Missing:
        return
    except Unreadable as error:
        if error.why.startswith("cannot be read"):
            # Something may well be in it: to say of what nothing is known.
            unread.add(folder)
            problems.append(f"{folder}: {error.why}; {_mend(error.why)}")
        else:
            yield "", Corrupt(folder, error.word), folder
        return
    if total > SCOPES_LIMIT:
        problems.append(f"{folder}/ holds {total:,} files, of which {SCOPES_LIMIT:,} are shown")
    try:
        for name in sorted(files):
            path = f"{folder}/{name}"
            record = read_record(at, name, path, parse)
            if record is not None:
                yield scope_of_file(name), record, path
    finally:
        os.close(at)


def _keys(
    fd: int, names: set[str], folder: str, problems: list[str], unread: set[str]
) -> tuple[list[str], int]:
    if folder not in names:
        return [], 0
    try:
        return list_and_count(fd, folder, KEYS_LIMIT)
    except Missing:
        return [], 0
    except Unreadable as error:
        unread.add(folder)
        denied = error.why.startswith("cannot be read")
        problems.append(f"{folder}: {error.why}{f'; {_mend(error.why)}' if denied else ''}")
        return [], 0


def _shadow(fd: int, problems: list[str], unread: set[str], *, with_markers: bool) -> Shadow:
    names = {_DRY_RATE, _DRY_KEYS}
    found = _scoped(fd, names, _DRY_RATE, parse_bucket, problems, unread)
    buckets = tuple([ScopedBucket(*each) for each in found])
    keys, total = _keys(fd, names, _DRY_KEYS, problems, unread)
    markers = _newest_markers(fd, keys, _DRY_KEYS, problems, unread) if with_markers else None
    return Shadow(buckets, total, frozenset(keys), markers)


def _newest_markers(
    fd: int, keys: list[str], folder: str, problems: list[str], unread: set[str]
) -> tuple[MarkerRecord | Corrupt, ...]:
    try:
        at = open_below_dir(fd, folder)
    except (Missing, Unreadable):
        return ()
    try:
        aged: list[tuple[float, str]] = []
        for key in keys:
            try:
                aged.append((os.stat(key, dir_fd=at, follow_symlinks=False).st_mtime, key))
            except FileNotFoundError:
                continue  # pruned since it was listed
            except OSError as error:  # it lists its names, and lets nobody at what they name
                why = f"cannot be read ({(error.strerror or '').lower()})"
                unread.add(folder)
                problems.append(f"{folder}: {why}; {_mend(why)}")
                return ()
        aged.sort(reverse=True)
        found = [(mtime, read_marker(at, key, folder)) for mtime, key in aged[:MARKERS_LIMIT]]
    finally:
        os.close(at)
    dated = [
        (record.at if isinstance(record, MarkerRecord) else mtime, record)
        for mtime, record in found
        if record is not None
    ]
    dated.sort(key=lambda entry: entry[0], reverse=True)
    return tuple(record for _, record in dated)


def _library(
    cycle: CycleRecord | Corrupt | None,
    names: set[str],
    breakers: list[ScopedBreaker],
    buckets: list[ScopedBucket],
) -> Library:
    """Which library wrote the directory.

    ``claims`` is made by ours alone, and never by an operator's act on a legacy healer.
    """
    if isinstance(cycle, CycleRecord):
        return cycle.library
    if "claims" in names or cycle is not None:
        return Library.UNKNOWN
    if breakers or buckets or "keys" in names:
        return Library.LEGACY
    return Library.UNKNOWN


def _mend(why: str) -> str:
    if "permission" in why:
        return "give this user read access to it, or run as a user who has it"
    return "put the healer's real directory in its place"


@contextmanager
def _root_fd(root: Root) -> Iterator[int]:
    if isinstance(root, int):
        yield root
        return
    fd = open_dir(root)
    try:
        yield fd
    finally:
        os.close(fd)
