"""Single changes of an operator's act on state files, each of which can be taken back."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import Final

from healconsole.core.frozen import Frozen
from healconsole.core.plan import FileRecord
from healconsole.core.records import Corrupt, CycleRecord
from healconsole.core.recordwords import record_words
from healconsole.stores.files import Missing, Unreadable, open_below_dir, parent_below, read_below
from healconsole.stores.statefiles import parser_of, read_claim, read_state_file
from healconsole.stores.writing import (
    ensure_dir,
    parent_to_write,
    remove_below,
    replace_below,
)

ASIDE: Final = "aside"
_FOLDERS: Final = frozenset({"keys", "rate", "cb", "claims", "dry"})


class Change(Frozen):
    """What ``path``, relative to the healer's directory, is to hold: None = nothing.

    ``restore`` names what was put aside and is to come back, in place of ``after``.
    """

    path: str
    after: bytes | None
    restore: str | None = None


class Done(Frozen):
    """A change that was made. Bytes are None where there was, or is, no file."""

    path: str
    before: bytes | None
    after: bytes | None
    aside: str | None = None
    """Where what was corrupt is kept, relative to the healer's directory."""


def read_for_act(dir_fd: int, path: str) -> FileRecord | Corrupt | None:
    """What ``path`` holds, as ``HealerState`` has it.

    Raises:
        ValueError: ``path`` is none of the files that an operator's act changes.
    """
    if path in _FOLDERS:
        return _folder(dir_fd, path)
    if path.startswith("claims/"):
        try:
            with parent_below(dir_fd, path) as (at, name):
                return read_claim(at, name)
        except Missing:
            return None
        except Unreadable as error:
            return Corrupt("claims", error.word)
    found = read_state_file(dir_fd, path)
    if isinstance(found, CycleRecord):
        raise ValueError(f"{path!r} is not an operator's to change")  # noqa: TRY004 - a wrong path
    return found


def bytes_at(dir_fd: int, path: str) -> bytes | None:
    """The bytes of ``path``; None if it is not there, or is the directory that it should be.

    Raises:
        Unreadable: see the class.
    """
    if path in _FOLDERS and _folder(dir_fd, path) is None:
        return None
    try:
        return read_below(dir_fd, path)
    except Missing:
        return None


def make(dir_fd: int, change: Change, now: float) -> Done:
    """Make one change, durably.

    Raises:
        OSError: it could not be made, and ``path`` holds what it held.
    """
    if change.restore is not None:
        return _restore(dir_fd, change.path, change.restore)
    before, corrupt = _content(dir_fd, change.path)
    aside = _put_aside(dir_fd, change.path, now) if corrupt else None
    after = change.after
    try:
        if change.path in _FOLDERS:
            # In place of what is no directory there comes one; what it holds starts afresh.
            os.close(ensure_dir(dir_fd, change.path))
            after = None
        elif after is None:
            remove_below(dir_fd, change.path)
        else:
            replace_below(dir_fd, change.path, after)
    except OSError:
        if aside is not None:
            with suppress(OSError):  # the first error says what is wrong with the disk
                _move_back(dir_fd, aside, change.path)
        raise
    return Done(change.path, before, after, aside)


def take_back(dir_fd: int, done: Done, now: float) -> None:
    """Put back what ``done`` changed.

    Raises:
        OSError: it could not be put back.
    """
    make(dir_fd, Change(done.path, done.before, restore=done.aside), now)


def describe(
    found: FileRecord | Corrupt | bytes | None, path: str = "", utc_offset_s: int | None = None
) -> str:
    """What a file holds, in one line for people; may hold data from outside.

    Args:
        found: the record, or the bytes of ``path``, which are said as what they mean.
        path: relative to the healer's directory.
        utc_offset_s: see ``core.recordwords.record_words``.

    >>> describe(None), describe(b"on 1764000000 0 ana\\n", "hold")
    ('nothing', 'on since 16:00:00 UTC, by ana')
    """
    if isinstance(found, bytes):
        try:
            parsed = parser_of(path)(found, path)
        except ValueError:  # a claim, whose process is not asked for here
            return repr(found.decode("utf-8", "backslashreplace").rstrip("\n"))
        found = None if isinstance(parsed, CycleRecord) else parsed
    return record_words(found, utc_offset_s)


def _folder(dir_fd: int, path: str) -> Corrupt | None:
    try:
        os.close(open_below_dir(dir_fd, path))
    except Missing:
        return None
    except Unreadable as error:
        return Corrupt(path, error.word)
    return None


def _content(dir_fd: int, path: str) -> tuple[bytes | None, bool]:
    """The bytes of ``path``, and whether they are corrupt."""
    if path in _FOLDERS:
        return None, _folder(dir_fd, path) is not None
    try:
        raw = read_below(dir_fd, path)
    except Missing:
        return None, False
    except Unreadable:
        return None, True
    if path.startswith("claims/"):
        return raw, isinstance(read_for_act(dir_fd, path), Corrupt)
    return raw, isinstance(parser_of(path)(raw, path), Corrupt)


def _put_aside(dir_fd: int, path: str, now: float) -> str:
    """Keep what is at ``path`` under a name in ``aside/`` that nothing has; return that name.

    A link is made where it can be, so that there is no moment without the file: an absent
    breaker would let a legacy healer act. What cannot be linked is moved.
    """
    to = ensure_dir(dir_fd, ASIDE)
    try:
        with parent_to_write(dir_fd, path) as (at, name):
            label = f"{path.replace('/', '%2F')[:200]}.{int(now)}"
            kept, serial = label, 0
            while _exists(to, kept):
                serial += 1
                kept = f"{label}.{serial}"
            if path in _FOLDERS or not _linked(at, name, to, kept):
                os.rename(name, kept, src_dir_fd=at, dst_dir_fd=to)
            os.fsync(to)
    finally:
        os.close(to)
    return f"{ASIDE}/{kept}"


def _linked(from_fd: int, name: str, to_fd: int, kept: str) -> bool:
    try:
        os.link(name, kept, src_dir_fd=from_fd, dst_dir_fd=to_fd, follow_symlinks=False)
    except OSError:  # a directory, a file system without links, or a file that is not ours
        return False
    return True


def _restore(dir_fd: int, path: str, aside: str) -> Done:
    before, _ = _content(dir_fd, path)
    _move_back(dir_fd, aside, path)
    after, _ = _content(dir_fd, path)
    return Done(path, before, after)


def _move_back(dir_fd: int, aside: str, path: str) -> None:
    with (
        parent_to_write(dir_fd, aside) as (source, kept),
        parent_to_write(dir_fd, path) as (target, name),
    ):
        moved = os.stat(kept, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(moved.st_mode) and path not in _FOLDERS:
            remove_below(dir_fd, path)
        elif path in _FOLDERS:
            with suppress(FileNotFoundError):
                os.rmdir(name, dir_fd=target)
        try:
            same = os.path.samestat(moved, os.stat(name, dir_fd=target, follow_symlinks=False))
        except FileNotFoundError:
            same = False
        if same:
            # rename(2) does nothing between two links of one file.
            os.unlink(kept, dir_fd=source)
        else:
            os.rename(kept, name, src_dir_fd=source, dst_dir_fd=target)
        os.fsync(target)


def _exists(dir_fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
    return True
