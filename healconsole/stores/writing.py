"""Durable writes below a directory's descriptor.

Apart from the reading half, so that a read-only console has no code that can write.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Final

from healconsole.stores.files import Missing, Unreadable, open_below_dir, parent_below

SCRATCH: Final = ".scratch"

_NEW_FILE: Final = 0o644
_CREATE: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC

_OVER: Final = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_serial = itertools.count()


class Dirs:
    """The directories below one root, each opened once, and made where it is missing.

    For the time of one lock: one that is renamed away meanwhile is written all the same.
    """

    __slots__ = ("_known", "_opened", "root")

    def __init__(self, root: int, known: Callable[[str], int | None] | None = None) -> None:
        """Nothing is opened yet. ``known`` gives descriptors that are open, and closes them."""
        self.root = root
        self._known = known
        self._opened: dict[str, int] = {}

    def close(self) -> None:
        """Close all that was opened here."""
        while self._opened:
            os.close(self._opened.popitem()[1])

    def at(self, relpath: str) -> int:
        """The descriptor of the directory ``relpath``, of the root for an empty one.

        Raises:
            OSError: it cannot be made, or something else is in its place.
        """
        if not relpath:
            return self.root
        fd = self._opened.get(relpath)
        if fd is None and self._known is not None:
            fd = self._known(relpath)
        if fd is None:
            fd = self._opened[relpath] = ensure_dir(self.root, relpath)
        return fd

    def replace(self, relpath: str, data: bytes) -> None:
        """Put ``data`` in place of ``relpath``, see ``replace_below``.

        Raises:
            OSError: as there.
        """
        draft = Draft(self, relpath, data)
        try:
            draft.sync()
            draft.place()
        finally:
            draft.discard()


class Draft:
    """A new content of ``relpath``, written to ``.scratch/`` and not yet in place.

    To be placed or discarded before its ``Dirs`` are closed.
    """

    __slots__ = ("_at", "_fd", "_name", "_scratch", "_target")

    def __init__(self, dirs: Dirs, relpath: str, data: bytes) -> None:
        """Write ``data`` to a temporary file that has owner and mode of what it replaces.

        Raises:
            OSError: it cannot be written; nothing is left behind.
        """
        self._name = f"{os.getpid()}.{next(_serial)}"
        self._scratch = dirs.at(SCRATCH)
        self._fd = _create_draft(self._scratch, self._name)
        try:
            write_all(self._fd, data)
            head, _, self._target = relpath.rpartition("/")
            self._at = dirs.at(head)
            _dress(self._fd, self._at, self._target)
        except BaseException:
            self.discard()
            raise

    def sync(self) -> None:
        """Make the bytes durable."""
        os.fsync(self._fd)

    def place(self, *, sync_dir: bool = True) -> None:
        """Rename over ``relpath``; with ``sync_dir`` the rename is durable on return."""
        os.rename(self._name, self._target, src_dir_fd=self._scratch, dst_dir_fd=self._at)
        self._close()
        if sync_dir:
            os.fsync(self._at)

    def discard(self) -> None:
        """Remove the temporary file; what it would have replaced stays as it is."""
        if self._fd >= 0:
            with suppress(OSError):  # in .scratch/ nothing is state: a leftover harms nobody
                os.unlink(self._name, dir_fd=self._scratch)
            self._close()

    def _close(self) -> None:
        os.close(self._fd)
        self._fd = -1


def replace_below(dir_fd: int, relpath: str, data: bytes) -> None:
    """Put ``data`` in place of ``relpath``: whole and durable, or not at all.

    ``dir_fd`` is the healer's directory. Owner, group and mode of what is replaced are kept;
    a new file belongs to the owner of its directory.

    Raises:
        OSError: it could not be written, and what was there stays; or (only from the last
            fsync) it is in place and may not survive a power cut.
    """
    with closing(Dirs(dir_fd)) as dirs:
        dirs.replace(relpath, data)


def remove_below(dir_fd: int, relpath: str, *, sync: bool = True) -> None:
    """Remove the file ``relpath``; one that is not there is no error.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        with parent_below(dir_fd, relpath) as (at, name):
            os.unlink(name, dir_fd=at)
            if sync:
                os.fsync(at)
    except (FileNotFoundError, Missing):
        return
    except Unreadable as error:
        raise OSError(errno.EIO, error.why, relpath) from error


def ensure_dir(dir_fd: int, relpath: str) -> int:
    """A new descriptor of the directory ``relpath``; what is missing of it is made, durably.

    Raises:
        OSError: it cannot be made, or something else is in its place.
    """
    try:
        return open_below_dir(dir_fd, relpath)
    except Missing:
        pass
    except Unreadable as error:
        raise OSError(errno.ENOTDIR, error.why, relpath) from error
    head, _, name = relpath.rpartition("/")
    parent = ensure_dir(dir_fd, head) if head else os.dup(dir_fd)
    try:
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent)
            made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
            try:
                give_to_owner_of(parent, made)
            finally:
                os.close(made)
            os.fsync(parent)
        return os.open(
            name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent
        )
    finally:
        os.close(parent)


def create_new(dir_fd: int, name: str) -> int:
    """A descriptor to write the new file ``name``, which belongs to its directory's owner.

    Raises:
        FileExistsError: something has that name.
        OSError: it cannot be made.
    """
    fd = os.open(name, _CREATE, _NEW_FILE, dir_fd=dir_fd)
    try:
        give_to_owner_of(dir_fd, fd)
    except OSError:
        os.close(fd)
        raise
    return fd


@contextmanager
def parent_to_write(dir_fd: int, relpath: str) -> Iterator[tuple[int, str]]:
    """Like ``files.parent_below``, and makes the directory if it is missing.

    Raises:
        OSError: the directory cannot be made or opened.
    """
    head, _, name = relpath.rpartition("/")
    fd = ensure_dir(dir_fd, head) if head else os.dup(dir_fd)
    try:
        yield fd, name
    finally:
        os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``.

    Raises:
        OSError: some of it could not be written.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def overwrite(dir_fd: int, name: str, data: bytes) -> bool:
    """Write ``data`` over the file ``name`` if that is as long, durably; whether it was.

    For what denies while it is torn: no directory changes, so none has to be synced.

    Raises:
        OSError: it could not be written, or not made durable; it may be torn.
    """
    try:
        fd = os.open(name, _OVER, dir_fd=dir_fd)
    except OSError:  # not there, or no file: for whoever replaces it
        return False
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size != len(data):
            return False
        write_all(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    return True


def write_new(dir_fd: int, name: str, data: bytes) -> None:
    """Make the file ``name``, for nobody but the caller: whole and on the disk, or not at all.

    Raises:
        FileExistsError: something has that name.
        OSError: it could not be written; nothing is left behind.
    """
    fd = os.open(name, _CREATE, 0o600, dir_fd=dir_fd)
    try:
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
    except BaseException:
        with suppress(OSError):  # the first error says what is wrong with the disk
            os.unlink(name, dir_fd=dir_fd)
        raise


def sweep_scratch(dir_fd: int, older_than: float) -> None:
    """Remove temporaries that a killed writer left before ``older_than`` (epoch seconds).

    Raises:
        OSError: ``.scratch/`` cannot be read.
    """
    scratch = ensure_dir(dir_fd, SCRATCH)
    try:
        for name in os.listdir(scratch):  # noqa: PTH208 - below a descriptor
            # Its writer has just renamed it, another sweeper was first, or it is no file of ours.
            with suppress(OSError):
                found = os.stat(name, dir_fd=scratch, follow_symlinks=False)
                if found.st_mtime < older_than:
                    os.unlink(name, dir_fd=scratch)
    finally:
        os.close(scratch)


def give_to_owner_of(dir_fd: int, fd: int) -> None:
    """Let what root makes in another user's state directory belong to that user.

    Raises:
        OSError: the owner cannot be set.
    """
    if os.geteuid() == 0:
        owner = os.fstat(dir_fd)
        if owner.st_uid != 0 or owner.st_gid != 0:
            os.fchown(fd, owner.st_uid, owner.st_gid)


def _create_draft(dir_fd: int, name: str) -> int:
    try:
        return os.open(name, _CREATE, _NEW_FILE, dir_fd=dir_fd)
    except FileExistsError:
        # A writer that was killed had this pid before us; its draft is nobody's.
        os.unlink(name, dir_fd=dir_fd)
        return os.open(name, _CREATE, _NEW_FILE, dir_fd=dir_fd)


def _dress(fd: int, at: int, name: str) -> None:
    """Give the temporary ``fd`` owner, group and mode of what it replaces, ``name`` in ``at``."""
    try:
        old = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        give_to_owner_of(at, fd)
        return
    if not stat.S_ISREG(old.st_mode):
        return
    own = os.fstat(fd)
    if (own.st_uid, own.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(fd, old.st_uid, old.st_gid)
        except PermissionError:
            # Only root can give a file away. A healer that could no longer read its own
            # state would stop, so that is refused; what everybody can read may go on.
            if not old.st_mode & stat.S_IROTH:
                raise
    elif own.st_mode == old.st_mode:
        return
    os.fchmod(fd, stat.S_IMODE(old.st_mode))
