"""Reading below a directory's descriptor: no links followed, nothing waited on, all bounded.

A state directory may hold anything: links that lead out of it, FIFOs, directories where a
file should be, gigabytes. Each component of a path is opened on its own with ``O_NOFOLLOW``,
files with ``O_NONBLOCK``, and what is not regular is refused before a byte is read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Final, Never

STATE_LIMIT: Final = 4_096
"""Most bytes of a state file."""
CYCLE_LIMIT: Final = 65_536
"""Most bytes of ``cycle.json``."""
SAMPLE: Final = 64
"""Bytes of a refused file that are kept to be shown."""

READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
DIR_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC

_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Missing(Exception):  # noqa: N818 - an answer that every caller expects, not an error
    """There is nothing under that name."""


class Unreadable(Exception):  # noqa: N818 - the word that the screen uses for it
    """There is something under that name that cannot be read as a state file.

    ``why`` is for people: "a FIFO, not a regular file". ``word`` is what the contract says
    of a corrupt file, the same from every library: "not a regular file". ``sample`` holds the
    first bytes where some were read.
    """

    def __init__(self, why: str, word: str = "not readable", sample: bytes = b"") -> None:
        super().__init__(why)
        self.why = why
        self.word = word
        self.sample = sample[:SAMPLE]


@lru_cache(256)
def components(relpath: str) -> tuple[str, ...]:
    """The parts of a path below a directory.

    Raises:
        ValueError: the path is absolute, empty, or has an empty, ``.`` or ``..`` part.
    """
    parts = tuple(relpath.split("/"))
    if "\0" in relpath or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"{relpath!r} is not a path below a directory")
    return parts


def open_dir(path: str | os.PathLike[str]) -> int:
    """Open the directory that a person or a setting names; links in ``path`` are followed.

    Raises:
        Missing, Unreadable: see the classes.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise Missing from error
        raise Unreadable(_reason(error)) from error


def open_below_dir(dir_fd: int, relpath: str) -> int:
    """A new descriptor of the directory ``relpath`` below ``dir_fd``; the caller closes it.

    Raises:
        Missing, Unreadable: see the classes.
        ValueError: ``relpath`` is not a path below a directory.
    """
    fd = -1
    at = dir_fd
    for part in components(relpath):
        try:
            opened = os.open(part, DIR_FLAGS, dir_fd=at)
        except OSError as error:
            _refuse(error, part, at, wanted="directory")
        finally:
            if fd >= 0:
                os.close(fd)
                fd = -1
        at = fd = opened
    return fd


@contextmanager
def parent_below(dir_fd: int, relpath: str) -> Iterator[tuple[int, str]]:
    """The descriptor of the directory that holds ``relpath``, and the last component.

    Raises:
        Missing, Unreadable: the directory is not there, or cannot be opened.
        ValueError: ``relpath`` is not a path below a directory.
    """
    parts = components(relpath)
    if len(parts) == 1:
        yield dir_fd, parts[0]
        return
    fd = open_below_dir(dir_fd, "/".join(parts[:-1]))
    try:
        yield fd, parts[-1]
    finally:
        os.close(fd)


def read_name(dir_fd: int, name: str, limit: int = STATE_LIMIT) -> tuple[bytes, os.stat_result]:
    """Content and stat of the regular file ``name`` (one component) in ``dir_fd``.

    Raises:
        Missing, Unreadable: see the classes; a file over ``limit`` bytes is unreadable.
    """
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
    except FileNotFoundError:
        raise Missing from None
    except OSError as error:
        _refuse(error, name, dir_fd, wanted="regular file")
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise Unreadable(f"{kind(info.st_mode)}, not a regular file", "not a regular file")
        data = os.read(fd, limit + 1)
    except OSError as error:
        raise Unreadable(_reason(error)) from error
    finally:
        os.close(fd)
    if len(data) > limit:
        why = f"larger than {limit} bytes"
        raise Unreadable(f"{why} ({info.st_size:,})", why, data)
    return data, info


def read_below(dir_fd: int, relpath: str, limit: int = STATE_LIMIT) -> bytes:
    """Content of the regular file ``relpath`` below ``dir_fd``.

    Raises:
        Missing, Unreadable: see the classes; a file over ``limit`` bytes is unreadable.
        ValueError: ``relpath`` is not a path below a directory.
    """
    with parent_below(dir_fd, relpath) as (at, name):
        return read_name(at, name, limit)[0]


def list_below(dir_fd: int, relpath: str, limit: int) -> list[str]:
    """At most ``limit`` names in the directory ``relpath`` below ``dir_fd``, in no order.

    Raises:
        Missing, Unreadable: see the classes.
        ValueError: ``relpath`` is not a path below a directory.
    """
    return list_and_count(dir_fd, relpath, limit)[0]


def list_and_count(dir_fd: int, relpath: str, limit: int) -> tuple[list[str], int]:
    """At most ``limit`` names in a directory, and how many there are; nothing is stat'ed.

    Raises:
        Missing, Unreadable: see the classes.
        ValueError: ``relpath`` is not a path below a directory.
    """
    fd = open_below_dir(dir_fd, relpath)
    try:
        with os.scandir(fd) as entries:
            names = [entry.name for entry in islice(entries, limit)]
            return names, len(names) + sum(1 for _ in entries)
    except OSError as error:
        raise Unreadable(_reason(error)) from error
    finally:
        os.close(fd)


def kind(mode: int) -> str:
    """What a file of ``mode`` is, in words: "a FIFO"."""
    return _KINDS.get(stat.S_IFMT(mode), "a file of an unknown kind")


def _refuse(error: OSError, name: str, dir_fd: int, wanted: str) -> Never:
    """Say why ``name`` could not be opened; the kind of file is asked for only now."""
    if error.errno == errno.ENOENT:
        raise Missing from error
    if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENODEV}:
        try:
            mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
        except OSError:
            raise Unreadable(_reason(error)) from error
        found = "a regular file" if stat.S_ISREG(mode) else kind(mode)
        raise Unreadable(f"{found}, not a {wanted}", f"not a {wanted}") from error
    raise Unreadable(_reason(error)) from error


def _reason(error: OSError) -> str:
    if error.errno == errno.EACCES:
        return "cannot be read (permission denied)"
    return f"cannot be read ({(error.strerror or str(error)).lower()})"
