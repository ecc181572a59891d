"""Rotated audit logs, ``.1`` and ``.2.gz`` and by date: read from the oldest to the newest."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from healconsole.core.auditline import AuditLine
from healconsole.stores.files import Unreadable
from healconsole.stores.logfile import LineSplitter, open_log

_BLOCK: Final = 65_536
_SUFFIX: Final = re.compile(r"\.([0-9]{1,4})(\.gz)?|-([0-9]{8}(?:[-_]?[0-9]{1,10})?)(\.gz)?")


def rotations(path: Path) -> tuple[Path, ...]:
    """Return the rotated files beside the log `path`, newest first.

    Names as logrotate gives them: ``log.1``, ``log.2.gz``, ``log-20261123.gz``.
    """
    numbered: list[tuple[int, Path]] = []
    dated: list[tuple[str, Path]] = []
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 - names, to be matched
    except OSError:
        return ()
    for name in names:
        match = _SUFFIX.fullmatch(name.removeprefix(path.name)) if path.name in name else None
        if match is None or not name.startswith(path.name):
            continue
        if match[1]:
            numbered.append((int(match[1]), path.parent / name))
        else:
            dated.append((match[3], path.parent / name))
    return (
        *(found for _, found in sorted(numbered)),
        *(found for _, found in sorted(dated, reverse=True)),
    )


def rotated_lines(path: Path) -> Iterator[AuditLine]:
    """Yield the lines of one rotated file, oldest first; offsets are those of its plain text.

    Lazy: takes as much time and memory as what is asked for. A line that the file ends in
    without a newline, or where a damaged ``.gz`` breaks off, comes as unparsable.

    Raises:
        Missing, Unreadable: it cannot be opened, or is not what its name says.
    """
    splitter = LineSplitter()
    with os.fdopen(open_log(path), "rb") as file:
        stream = gzip.GzipFile(fileobj=file, mode="rb") if path.suffix == ".gz" else file
        why = "unfinished when the log was rotated"
        try:
            while data := stream.read(_BLOCK):
                yield from splitter.feed(data)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            if splitter.offset == 0 and not splitter.pending:
                raise Unreadable(f"no whole gzip file ({error})") from error
            why = f"the file is damaged from here on ({error})"
    if torn := splitter.flush(why):
        yield torn
