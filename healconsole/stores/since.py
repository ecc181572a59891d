"""What became, since an operator's act, of the files that it wrote: whether it can be undone."""

from __future__ import annotations

import os
from collections.abc import Sequence

from healconsole.core.frozen import Frozen
from healconsole.core.unread import unread
from healconsole.stores.changes import Done, bytes_at, describe
from healconsole.stores.files import Missing, Unreadable, open_below_dir, open_dir


class Since(Frozen):
    """A file that does not hold any more what the act left; both in words, of data."""

    path: str
    left: str
    found: str
    known: bool = True
    """False where it cannot be read now: then it may still hold what the act left."""


def changed_since(
    root: str | os.PathLike[str],
    healer: str,
    done: Sequence[Done],
    utc_offset_s: int | None = None,
) -> tuple[Since, ...]:
    """Return the files of an act that hold something else by now; nothing is locked.

    Args:
        root: the state root.
        healer: whose files they are.
        done: the changes of the act.
        utc_offset_s: see ``core.recordwords.record_words``.
    """
    if not done:
        return ()
    try:
        root_fd = open_dir(root)
        try:
            fd = open_below_dir(root_fd, healer)
        finally:
            os.close(root_fd)
    except Missing:
        return (Since(healer, "a directory", "nothing"),)
    except (Unreadable, ValueError) as error:
        return (Since(healer, "a directory", unread("what", str(error)), known=False),)
    try:
        return tuple(
            changed for each in done if (changed := _changed(fd, each, utc_offset_s)) is not None
        )
    finally:
        os.close(fd)


def _changed(fd: int, done: Done, utc_offset_s: int | None) -> Since | None:
    left = describe(done.after, done.path, utc_offset_s)
    try:
        found = bytes_at(fd, done.path)
    except Unreadable as error:
        return Since(done.path, left, unread("what", error.why), known=False)
    if found == done.after:
        return None
    now = describe(found, done.path, utc_offset_s)
    return Since(done.path, left, f"{now}, written anew" if now == left else now)
