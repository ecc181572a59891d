"""Acts that wait for a second person, kept where only root or the caller can put them.

A request holds the very bytes that the act would write, and the hash of those that were there
when it was asked for: what is approved is what was shown.
"""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from secrets import token_hex
from typing import Any, Final

import orjson

from healconsole.core.plan import ActPlan
from healconsole.core.scopes import is_healer_name
from healconsole.stores.changes import bytes_at
from healconsole.stores.files import (
    Missing,
    Unreadable,
    components,
    open_below_dir,
    open_dir,
    read_name,
)
from healconsole.stores.trust import Untrusted, check_dir, check_file
from healconsole.stores.writing import write_all

FOLDER: Final = ".requests"
"""Below the state root."""

_LIMIT: Final = 65_536
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """One file of a request: what it was, as a hash, and what it is to be."""

    path: str
    found: str
    """``absent``, ``sha256:…`` or why it could not be read."""
    after: str | None
    """Base64; None removes the file."""

    def bytes_after(self) -> bytes | None:
        """What the file is to hold."""
        return None if self.after is None else base64.b64decode(self.after)


@dataclass(frozen=True, slots=True)
class Request:
    """An act that somebody asked for and somebody else may approve until ``until``."""

    id: str
    verb: str
    healer: str
    scope: str | None
    reason: str
    incident: str
    operator: Mapping[str, Any]
    at: float
    until: float
    before: str
    after: str
    files: tuple[Asked, ...]


class NoRequest(Exception):  # noqa: N818 - an answer
    """There is none that can be approved; the message says why."""


def ask(
    root: str | os.PathLike[str],
    plan: ActPlan,
    operator: Mapping[str, Any],
    reason: str,
    incident: str,
    now: float,
    within: float,
) -> Request:
    """Make the request for ``plan``; nothing is written yet.

    Raises:
        Missing, Unreadable: the healer's directory is not there, or cannot be read.
    """
    root_fd = open_dir(root)
    try:
        fd = open_below_dir(root_fd, plan.healer)
    finally:
        os.close(root_fd)
    try:
        files = tuple(
            Asked(
                change.path,
                found_at(fd, change.path),
                None if change.after is None else base64.b64encode(change.after).decode(),
            )
            for change in plan.changes
        )
    finally:
        os.close(fd)
    return Request(
        token_hex(3), plan.verb, plan.healer, plan.scope, reason, incident, dict(operator),
        now, now + within, plan.before, plan.after, files,
    )  # fmt: skip


def found_at(fd: int, path: str) -> str:
    """What ``path`` holds, as a word to compare."""
    try:
        found = bytes_at(fd, path)
    except Unreadable as error:
        return f"unreadable: {error.word}"
    return "absent" if found is None else f"sha256:{sha256(found).hexdigest()}"


def keep(root: str | os.PathLike[str], request: Request) -> None:
    """Write ``request`` where a second person's console looks.

    Raises:
        OSError: it cannot be written.
        Untrusted: somebody else could have put requests there.
    """
    with _folder(root, create=True) as fd:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(request.id, flags, 0o600, dir_fd=fd)
        try:
            write_all(file, orjson.dumps(asdict(request)))
            os.fsync(file)
        finally:
            os.close(file)
        os.fsync(fd)


def waiting(root: str | os.PathLike[str], now: float) -> tuple[Request, ...]:
    """The requests that can still be approved, the oldest first.

    Raises:
        Untrusted: somebody else could have put requests there.
        Unreadable, OSError: they cannot be read.
    """
    try:
        with _folder(root, create=False) as fd:
            found = [_read(fd, name) for name in _names(fd)]
    except Missing:
        return ()
    return tuple(
        sorted((each for each in found if each and each.until > now), key=lambda each: each.at)
    )


def _names(fd: int) -> list[str]:
    with os.scandir(fd) as entries:
        return [entry.name for _, entry in zip(range(_MOST), entries, strict=False)]


def take(root: str | os.PathLike[str], request: Request) -> None:
    """Take ``request`` away, so that nobody else approves it.

    Raises:
        NoRequest: somebody was faster.
        OSError: it cannot be removed.
    """
    try:
        with _folder(root, create=False) as fd:
            os.unlink(request.id, dir_fd=fd)
            os.fsync(fd)
    except (FileNotFoundError, Missing) as error:
        raise NoRequest(f"{request.id} was approved or withdrawn meanwhile") from error


@contextmanager
def _folder(root: str | os.PathLike[str], *, create: bool) -> Iterator[int]:
    root_fd = open_dir(root)
    try:
        if create:
            try:
                os.mkdir(FOLDER, 0o700, dir_fd=root_fd)
            except OSError as error:
                if error.errno != errno.EEXIST:
                    raise
        fd = open_below_dir(root_fd, FOLDER)
    finally:
        os.close(root_fd)
    try:
        check_dir(os.fstat(fd), f"{os.fspath(root)}/{FOLDER}")
        yield fd
    finally:
        os.close(fd)


def _read(fd: int, name: str) -> Request | None:
    """The request of that name; None if it is none, or not one that can be trusted."""
    try:
        raw, info = read_name(fd, name, _LIMIT)
        check_file(info, name)
        found = orjson.loads(raw)
        files = tuple(Asked(**each) for each in found.pop("files"))
        request = Request(**found, files=files)
    except (Missing, Unreadable, Untrusted, TypeError, ValueError, KeyError, AttributeError):
        return None
    return request if _sound(request, name) else None


def _sound(request: Request, name: str) -> bool:
    try:
        return (
            request.id == name
            and is_healer_name(request.healer)
            and isinstance(request.operator, dict)
            and all(components(each.path) for each in request.files)
        )
    except ValueError:
        return False


def by_id(requests: Sequence[Request], wanted: str) -> Request:
    """The request of that id.

    Raises:
        NoRequest: there is none.
    """
    for request in requests:
        if request.id == wanted:
            return request
    raise NoRequest(f"no request {wanted} waits: it was approved, or its time is over")
