"""Whether a path can be written by nobody but root and the caller."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final

from healconsole.stores.files import Missing, Unreadable

_LINKS_LIMIT: Final = 40
"""As many links as the kernel follows."""
_INTERPRETERS: Final = ("bash", "dash", "sh", "python", "perl", "ruby", "node", "env")
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_STEP: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Untrusted(Exception):  # noqa: N818 - the word for the path, not for an error
    """Somebody else could have written this; the message names what to mend."""


def open_trusted_dir(path: str) -> int:
    """Open an absolute directory, having judged every directory and link on the way.

    Each step is opened below the last, so that nobody can swap one after it was judged.

    Raises:
        Missing, Unreadable: it is not there, or cannot be opened.
        Untrusted: others can write it, or could put something else in its place.
    """
    parts = [part for part in reversed(path.split("/")) if part]
    walked: list[str] = []
    trail = [os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    links = 0
    try:
        while parts:
            part = parts.pop()
            if part == ".":
                continue
            if part == "..":
                if len(trail) > 1:
                    os.close(trail.pop())
                    walked.pop()
                continue
            here = "/" + "/".join([*walked, part])
            fd = _step(trail[-1], part)
            info = os.fstat(fd)
            if not stat.S_ISLNK(info.st_mode):
                trail.append(fd)
                walked.append(part)
                check_dir(info, here)
                continue
            target = os.readlink("", dir_fd=fd)
            os.close(fd)
            links += 1
            _check_owner(info, here)
            if links > _LINKS_LIMIT:
                raise Unreadable(f"{here}: too many symbolic links")
            if target.startswith("/"):
                while len(trail) > 1:
                    os.close(trail.pop())
                walked.clear()
            parts.extend(part for part in reversed(target.split("/")) if part)
        return _readable(trail[-1])
    finally:
        for fd in trail:
            os.close(fd)


def check_program(argv: Sequence[str], search: str) -> None:
    """Judge the program of a command, its link and every directory on the way to it.

    Where it is an interpreter, also the script that is its first argument with a path.

    Args:
        argv: the command.
        search: the PATH in which a bare name is looked for.

    Raises:
        Untrusted: somebody else could have put something else there. What is not there is
            left to who runs it.
    """
    program = argv[0]
    if "/" not in program:
        from shutil import which

        program = which(program, path=search) or ""
    scripts = [part for part in argv[1:] if part.startswith("/") and os.path.isfile(part)]  # noqa: PTH113
    interprets = os.path.basename(program).startswith(_INTERPRETERS)  # noqa: PTH119
    for path in [program, *(scripts[:1] if interprets else ())]:
        if path:
            _check_path(path)


def _check_path(path: str) -> None:
    for _ in range(_LINKS_LIMIT):
        folder, name = os.path.split(path)
        try:
            fd = open_trusted_dir(folder)
        except (Missing, Unreadable):
            return
        try:
            info = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISLNK(info.st_mode):
                check_file(info, path)
                return
            _check_owner(info, path)
            path = os.path.join(folder, os.readlink(name, dir_fd=fd))  # noqa: PTH118
        except FileNotFoundError:
            return
        finally:
            os.close(fd)
    raise Untrusted(f"{path}: too many symbolic links")


def check_dir(info: os.stat_result, path: str) -> None:
    """Judge a directory. A sticky one may be written by all: entries stay their owners'.

    Raises:
        Untrusted: others can replace what is in it.
    """
    _check_owner(info, path)
    if info.st_mode & _OTHERS and not info.st_mode & stat.S_ISVTX:
        raise Untrusted(f"{path} can be written by others; mend it: chmod go-w {path}")


def check_file(info: os.stat_result, path: str) -> None:
    """Judge a file.

    Raises:
        Untrusted: others can write it.
    """
    _check_owner(info, path)
    if info.st_mode & _OTHERS:
        raise Untrusted(f"{path} can be written by others; mend it: chmod go-w {path}")


def _check_owner(info: os.stat_result, path: str) -> None:
    if info.st_uid not in {0, os.geteuid()}:
        raise Untrusted(
            f"{path} belongs to uid {info.st_uid}, who is neither root nor you; "
            f"mend it: chown root {path}"
        )


def _step(dir_fd: int, name: str) -> int:
    try:
        return os.open(name, _STEP, dir_fd=dir_fd)
    except FileNotFoundError:
        raise Missing from None
    except OSError as error:
        raise Unreadable(f"cannot be read ({(error.strerror or '').lower()})") from error


def _readable(path_fd: int) -> int:
    """A descriptor that can be listed, of the very directory that was judged."""
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=path_fd)
    except OSError as error:
        raise Unreadable(f"cannot be read ({(error.strerror or '').lower()})") from error
