"""Opening a log for its plain text, however it was compressed; told by its first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from healconsole.stores.files import Unreadable
from healconsole.stores.logfile import open_log

SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zst")
"""Endings of names that promise a compressed file."""

DAMAGED: Final = (zlib.error, lzma.LZMAError, EOFError, OSError)
"""What reading raises where the compressed bytes break off or make no sense."""

_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"


class Stream(Protocol):
    """What gives plain bytes, piece by piece."""

    def read1(self, size: int, /) -> bytes:
        """What is there by now, at most ``size`` bytes; none at the end.

        Unlike ``read``, it loses nothing of what came before the place that is damaged.
        """
        ...


@contextmanager
def plain_text(path: Path) -> Iterator[Stream]:
    """Open the log `path` to read it from its beginning, as it was before it was compressed.

    Zstandard is read by the program ``zstd``, for Python 3.11 cannot.

    Raises:
        Missing, Unreadable: it cannot be opened, or nothing here reads it.
    """
    with os.fdopen(open_log(path), "rb") as file:
        magic = os.pread(file.fileno(), 6, 0)
        if magic.startswith(_GZIP):
            yield gzip.GzipFile(fileobj=file, mode="rb")
        elif magic.startswith(_BZIP2):
            yield bz2.BZ2File(file, "rb")
        elif magic.startswith(_XZ):
            yield lzma.LZMAFile(file, "rb")  # noqa: SIM115 - closed with the file below it
        elif magic.startswith(_ZSTD):
            with _zstd(file) as stream:
                yield stream
        elif path.suffix in SUFFIXES:
            kind = "gzip" if path.suffix == ".gz" else path.suffix[1:]
            raise Unreadable(f"no whole {kind} file (its first bytes are of another kind)")
        else:
            yield file


@contextmanager
def _zstd(file: BinaryIO) -> Iterator[Stream]:
    program = shutil.which("zstd")
    if program is None:
        raise Unreadable("it is compressed with zstd: install the program zstd, or unpack it first")
    with subprocess.Popen(
        [program, "-dcq"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            if not isinstance(process.stdout, BufferedReader):
                raise Unreadable("zstd gives no output")
            yield process.stdout
            if process.wait() != 0:
                raise lzma.LZMAError("zstd could not read on")
        finally:
            process.kill()
