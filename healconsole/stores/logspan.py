"""Reading any span of the audit log through all its rotated files, line by line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from healconsole.core.ages import DAY
from healconsole.core.auditline import AuditEvent, AuditLine
from healconsole.core.report.report import Source
from healconsole.core.report.span import Span
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.rotated import rotated_lines, rotations

SLACK_S: Final = DAY
"""A log last written longer than this before the span is not opened: clocks differ, and a log
may be touched late, but not by a day early."""

PROBED: Final = 200
"""Lines of a log that are looked at for the time at which it begins."""


def span_logs(path: Path, span: Span) -> tuple[Path, ...]:
    """Return the files of the log `path` that may hold events of `span`, oldest first."""
    return tuple(log for log in (*reversed(rotations(path)), path) if _may_hold(log, span))


def in_time_order(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return logs that a person named, each file once, those that begin first first.

    Acts of one host must come in their order; its rotated logs may be named in any.
    """
    found: dict[tuple[int, int] | str, Path] = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            found[str(path)] = path
        else:
            found.setdefault((status.st_dev, status.st_ino), path)
    return tuple(sorted(found.values(), key=lambda path: (_begins(path), str(path))))


def read_logs(paths: Sequence[Path], take: Callable[[AuditLine, str], object]) -> Iterator[Source]:
    """Hand every line of the logs to `take` with its path, and yield what became of each.

    Takes as much memory as one line does. A log that cannot be read is said and passed over.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        lines = 0
        name = str(path)
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in seen:
                yield Source(name, 0, "was rotated while it was read: run the report again")
                continue
            seen.add((status.st_dev, status.st_ino))
            for line in rotated_lines(path):
                take(line, name)
                lines += 1
        except (Missing, FileNotFoundError):
            yield Source(name, lines, "is not there")
        except Unreadable as error:
            yield Source(name, lines, error.why)
        except OSError as error:
            yield Source(name, lines, f"cannot be read ({(error.strerror or str(error)).lower()})")
        else:
            yield Source(name, lines)


def _may_hold(path: Path, span: Span) -> bool:
    try:
        return os.stat(path).st_mtime >= span.since - SLACK_S  # noqa: PTH116 - a link is told later
    except OSError:
        return True  # what cannot be looked at is said when it is read


def _begins(path: Path) -> float:
    try:
        for number, line in enumerate(rotated_lines(path)):
            if isinstance(line, AuditEvent) and line.ts is not None:
                return line.ts
            if number == PROBED:
                break
    except (Missing, Unreadable):
        pass  # said when it is read
    return 0.0
