"""Reading the acts that wait for a second person; looking changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from healconsole.core.request import Asked, Request
from healconsole.core.scopes import is_healer_name
from healconsole.core.words import Outcome
from healconsole.stores import rawjson
from healconsole.stores.files import (
    Missing,
    Unreadable,
    components,
    open_below_dir,
    open_dir,
    read_name,
)
from healconsole.stores.trust import Untrusted, check_dir, check_file

FOLDER: Final = ".requests"
"""Below the state root."""

LIMIT: Final = 65_536
"""Bytes of a request that are read."""

_MOST: Final = 100
_TEXTS: Final = ("verb", "reason", "incident", "before", "after")
_LINES: Final = ("now_lines", "after_lines", "next_lines", "warnings")


def waiting(root: str | os.PathLike[str], now: float) -> tuple[Request, ...]:
    """The requests that can still be approved, the oldest first.

    Raises:
        Untrusted: somebody else could have put requests there.
        Unreadable, OSError: they cannot be read.
    """
    try:
        with folder(root) as fd:
            found = all_in(fd)
    except Missing:
        return ()
    return tuple(sorted((each for each in found if each.until > now), key=lambda each: each.at))


def all_in(fd: int) -> list[Request]:
    """The requests in their directory, also those whose time is over; at most a hundred files.

    Raises:
        OSError: it cannot be read.
    """
    return [each for name in _names(fd) if (each := _read(fd, name)) is not None]


@contextmanager
def folder(root: str | os.PathLike[str], name: str = FOLDER) -> Iterator[int]:
    """The descriptor of the directory that requests are in, or of another like it.

    Raises:
        Untrusted: somebody else could have put something there.
        Missing, Unreadable: it is not there, or cannot be opened.
    """
    root_fd = open_dir(root)
    try:
        fd = open_below_dir(root_fd, name)
    finally:
        os.close(root_fd)
    try:
        check_dir(os.fstat(fd), f"{os.fspath(root)}/{name}")
        yield fd
    finally:
        os.close(fd)


def _names(fd: int) -> list[str]:
    with os.scandir(fd) as entries:
        return [entry.name for _, entry in zip(range(_MOST), entries, strict=False)]


def _read(fd: int, name: str) -> Request | None:
    """The request of that name; None if it is none, or not one that can be trusted."""
    try:
        raw, info = read_name(fd, name, LIMIT)
        check_file(info, name)
        found = rawjson.load(raw)
        files = tuple(Asked(**each) for each in found.pop("files"))
        lines = {key: tuple(map(str, found.pop(key, ()))) for key in _LINES}
        request = Request(**{**found, "files": files, **lines})
    except (Missing, Unreadable, Untrusted, TypeError, ValueError, KeyError, AttributeError):
        return None
    return request if _sound(request, name) else None


def _sound(request: Request, name: str) -> bool:
    try:
        for each in request.files:
            components(each.path)
            each.bytes_after()
        Outcome(f"operator-{request.verb}")
    except (ValueError, TypeError, AttributeError):
        return False
    return (
        request.id == name
        and request.host == ""
        and is_healer_name(request.healer)
        and isinstance(request.operator, dict)
        and all(isinstance(getattr(request, key), str) for key in _TEXTS)
        and isinstance(request.scope, str | None)
        and all(isinstance(at, int | float) for at in (request.at, request.until))
    )
