"""Files that a person names: read whole within a bound, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from healconsole.stores.files import Missing, Unreadable

LIMIT: Final = 256 * 1024 * 1024
"""Most bytes of a document that is read."""


class NotWritten(Exception):  # noqa: N818 - an answer: what was there is still there
    """The document could not be written; the message names it and says why."""


def read_document(path: Path, limit: int = LIMIT) -> bytes:
    """Return the bytes of the file `path`.

    Raises:
        Missing, Unreadable: see the classes; also for more than `limit` bytes.
    """
    try:
        # What a person names may be a pipe from another program; it is read to its end.
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise Missing from None
    except OSError as error:
        raise Unreadable(f"cannot be read ({(error.strerror or str(error)).lower()})") from error
    if len(data) > limit:
        raise Unreadable(f"larger than {limit} bytes")
    return data


def write_document(path: Path, text: str) -> None:
    """Put `text` in the file `path`, in UTF-8; one that is there is replaced as a whole.

    What is no regular file (``/dev/stdout``, a pipe) is written to as it is.

    Raises:
        NotWritten: it could not be written; what was there before is still there.
    """
    data = text.encode("utf-8", "replace")
    try:
        if _is_special(path):
            path.write_bytes(data)
            return
        _replace(path, data)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise NotWritten(f"{path} could not be written ({why})") from error


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _replace(path: Path, data: bytes) -> None:
    target = path.resolve()
    descriptor, draft = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), _mode(target))
        Path(draft).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(draft).unlink()
        raise


def _mode(path: Path) -> int:
    """The mode of the file that is replaced, else what a new file gets."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
