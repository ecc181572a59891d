"""Rotated audit logs, by number and by date, compressed or not; oldest line first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from healconsole.core.auditline import AuditLine, UnparsableLine
from healconsole.stores.compressed import DAMAGED, plain_text
from healconsole.stores.files import Unreadable
from healconsole.stores.logfile import LineSplitter

_BLOCK: Final = 65_536
_SUFFIX: Final = re.compile(
    r"(?:\.([0-9]{1,4})|-([0-9]{8}(?:[-_T]?[0-9]{1,10})?|[0-9]{4}-[0-9]{2}-[0-9]{2}))"
    r"(?:\.(?:gz|bz2|xz|zst))?"
)


def rotations(path: Path) -> tuple[Path, ...]:
    """Return the rotated files beside the log `path`, newest first.

    Names as logrotate gives them: ``log.1``, ``log.2.gz``, ``log-20261123.gz``;
    ``.bz2``, ``.xz`` and ``.zst`` as well.
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
            dated.append((match[2].replace("-", ""), path.parent / name))
    return (
        *(found for _, found in sorted(numbered)),
        *(found for _, found in sorted(dated, reverse=True)),
    )


def log_of(path: Path) -> Path | None:
    """The log from which ``path`` was rotated away, going by its name; None if it says none.

    >>> log_of(Path("log/audit.jsonl.2.gz"))
    PosixPath('log/audit.jsonl')
    >>> log_of(Path("log/audit.jsonl")) is None
    True
    """
    for match in re.finditer(r"[.-]", path.name):
        if match.start() and _SUFFIX.fullmatch(path.name, match.start()):
            return path.with_name(path.name[: match.start()])
    return None


def rotated_lines(path: Path) -> Iterator[AuditLine]:
    """Yield the lines of one rotated file, oldest first; offsets are those of its plain text.

    Lazy: takes as much time and memory as what is asked for. A line that the file ends in
    without a newline, or where a damaged file breaks off, comes as unparsable.

    Raises:
        Missing, Unreadable: it cannot be opened, or is not what its name says.
    """
    splitter = LineSplitter()
    why = "unfinished when the log was rotated"
    try:
        with plain_text(path) as stream:
            while data := stream.read1(_BLOCK):
                yield from splitter.feed(data)
    except DAMAGED as error:
        if splitter.offset == 0 and not splitter.pending:
            raise Unreadable(f"cannot be unpacked ({error})") from error
        why = f"the file is damaged from here on ({error})"
        if not splitter.pending:
            # It breaks off between two lines: how many are gone, nobody can tell.
            yield UnparsableLine(splitter.offset, 0, b"", why)
    if torn := splitter.flush(why):
        yield torn
