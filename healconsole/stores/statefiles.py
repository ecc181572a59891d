"""One file of a state directory, read and parsed into its record; never an exception.

A file that is not there is None. One that cannot be read, or that does not parse, is a
``Corrupt`` record: it denies, and the console shows it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, TypeVar

from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.claim import parse_claim
from healconsole.core.cycle import parse_cycle
from healconsole.core.frozen import replace
from healconsole.core.marker import parse_marker
from healconsole.core.override import parse_override
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    CycleRecord,
    MarkerRecord,
    OverrideRecord,
)
from healconsole.stores.files import (
    CYCLE_LIMIT,
    STATE_LIMIT,
    Missing,
    Unreadable,
    open_below_dir,
    parent_below,
    read_name,
)
from healconsole.stores.processes import identity, is_alive, lock_holder

Record = BucketRecord | BreakerRecord | OverrideRecord | CycleRecord
R = TypeVar("R")

CYCLE: Final = "cycle.json"
SINGLETON: Final = ".singleton"

_SLOT_DIGITS: Final = 6


def read_record(
    dir_fd: int, name: str, path: str, parse: Callable[[bytes, str], R], limit: int = STATE_LIMIT
) -> R | Corrupt | None:
    """The record in the file ``name`` of the directory ``dir_fd``; ``path`` names it for people."""
    try:
        raw, _ = read_name(dir_fd, name, limit)
    except Missing:
        return None
    except Unreadable as error:
        return Corrupt(path, error.word, error.sample)
    return parse(raw, path)


def parser_of(relpath: str) -> Callable[[bytes, str], Record | Corrupt]:
    """What parses the state file ``relpath`` of a healer's directory.

    Raises:
        ValueError: it is no bucket, breaker, override or cycle record.
    """
    if relpath.startswith(("rate/", "rate-", "dry/rate/")):
        return parse_bucket
    if relpath.startswith(("cb/", "cb-")):
        return parse_breaker
    if relpath in {"hold", "dry-run"}:
        return parse_override
    if relpath == CYCLE:
        return parse_cycle
    raise ValueError(f"{relpath!r} is no state file that has a record")


def read_state_file(dir_fd: int, relpath: str) -> Record | Corrupt | None:
    """The record in ``relpath`` below the healer's directory ``dir_fd``.

    Raises:
        ValueError: ``relpath`` is no bucket, breaker, override or cycle record.
    """
    parse = parser_of(relpath)
    limit = CYCLE_LIMIT if relpath == CYCLE else STATE_LIMIT
    try:
        with parent_below(dir_fd, relpath) as (at, name):
            return read_record(at, name, relpath, parse, limit)
    except Missing:
        return None
    except Unreadable as error:
        return Corrupt(relpath, error.word)


def read_marker(
    dir_fd: int,
    key: str,
    folder: str = "keys",
    parse: Callable[[bytes, str, int, str], MarkerRecord | Corrupt] = parse_marker,
) -> MarkerRecord | Corrupt | None:
    """The marker ``key`` in the directory ``dir_fd``; ``folder`` names that for people."""
    try:
        raw, info = read_name(dir_fd, key)
    except Missing:
        return None
    except Unreadable as error:
        return Corrupt(f"{folder}/{key}", error.word, error.sample)
    return parse(raw, key, int(info.st_mtime), folder)


def read_claim(dir_fd: int, name: str) -> ClaimRecord | Corrupt | None:
    """The claim in the slot ``name`` of the directory ``dir_fd``; None if the slot is free.

    ``alive`` says whether that very process lives now.
    """
    try:
        raw, _ = read_name(dir_fd, name)
    except Missing:
        return None
    except Unreadable as error:
        return Corrupt(f"claims/{name}", error.word, error.sample)
    claim = parse_claim(raw, int(name)) if raw else None
    return None if claim is None else living(claim)


def living(claim: ClaimRecord | Corrupt) -> ClaimRecord | Corrupt:
    """The same claim, with ``alive`` said of its process now."""
    if isinstance(claim, ClaimRecord) and is_alive(claim.pid, claim.start, claim.boot):
        return replace(claim, alive=True)
    return claim


def slots_in(names: list[str]) -> list[str]:
    """The names of claim slots among ``names``, in their order: 0, 1, 2 …"""
    return sorted((name for name in names if is_slot(name)), key=int)


def is_slot(name: str) -> bool:
    """Whether ``name`` is a slot number as a claim's file spells it.

    >>> [is_slot(name) for name in ("0", "12", "01", "1.bak", "²")]
    [True, True, False, False, False]
    """
    digits = name.isascii() and name.isdigit() and len(name) <= _SLOT_DIGITS
    return digits and (name == "0" or name[0] != "0")


def read_claims(fd: int) -> tuple[ClaimRecord | Corrupt, ...]:
    """Everything in flight, of the open directory ``claims``, in the order of the slots."""
    try:
        slots = slots_in(os.listdir(fd))
    except OSError:
        return (Corrupt("claims", "not readable"),)
    found = (read_claim(fd, slot) for slot in slots)
    return tuple(claim for claim in found if claim is not None)


def read_claims_of(dir_fd: int) -> tuple[ClaimRecord | Corrupt, ...]:
    """Everything in flight, of the healer's directory ``dir_fd``."""
    try:
        fd = open_below_dir(dir_fd, "claims")
    except Missing:
        return ()
    except Unreadable as error:
        return (Corrupt("claims", error.word),)
    try:
        return read_claims(fd)
    finally:
        os.close(fd)


def daemon_pid(dir_fd: int) -> int | None:
    """Pid of the daemon that holds ``.singleton``; None if nobody does, or nothing tells.

    The file's content is asked first: it names the daemon, with its start time. The kernel
    names who called flock(2), which for bash was a child that has ended.
    """
    try:
        raw, info = read_name(dir_fd, SINGLETON)
    except (Missing, Unreadable):
        return None
    fields = raw.split()
    if len(fields) == 2 and all(field.isdigit() and len(field) < 20 for field in fields):
        pid, start = int(fields[0]), int(fields[1])
        return pid if identity(pid) == start else None
    holder = lock_holder(info.st_dev, info.st_ino)
    return holder if holder is not None and identity(holder) is not None else None
