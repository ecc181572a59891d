"""``tail``: the end of the audit log, filtered and followed."""

from __future__ import annotations

import argparse
import select
import sys
import time
from collections.abc import Iterable
from typing import Final

from healconsole.cli.errors import DONE, RefusedError, UsageError
from healconsole.cli.eventline import event_line
from healconsole.cli.output import complain, escape_json, show, to_json, width, write_utf8
from healconsole.cli.settings import local_offset, settings
from healconsole.core.auditdoubt import AROUND, doubt, is_operators
from healconsole.core.auditfilter import AuditFilter, FilterError, parse_filter
from healconsole.core.auditline import AuditLine, UnparsableLine
from healconsole.core.unread import unread
from healconsole.stores.history import History
from healconsole.stores.tail import Tail, TailStep

LOOK_EVERY_MS: Final = 100
"""Time between two looks at a log that is followed; a look without news is two stats."""

CLOCKS_DIFFER_S: Final = 60.0
"""Lines are in the order of their writers' clocks, which differ by less than this."""


def run(args: argparse.Namespace) -> int:
    """Show the newest events, oldest first; with ``-f`` go on until interrupted.

    Raises:
        UsageError: the filter cannot be understood.
        RefusedError: the log cannot be read, or is not there and is not waited for.
    """
    config, now = settings(args), time.time()
    try:
        wanted = parse_filter(args.filter, now, local_offset(now))
    except FilterError as error:
        raise UsageError(f"--filter: {error}") from error
    tail = Tail(config.audit)
    step = tail.poll()
    if step.problem:
        raise RefusedError(unread(f"the audit log {config.audit}", step.problem))
    if step.missing:
        said = f"there is no audit log {config.audit} yet"
        if not args.follow:
            raise RefusedError(said)
        complain(f"{said}; waiting for it")
    history = History(config.audit)
    printer = _Printer(history, as_json=args.json)
    printer.write(_newest(step, history, wanted, args.lines))
    if args.follow:
        _follow(tail, step, wanted, printer)
    return DONE


def _newest(step: TailStep, history: History, wanted: AuditFilter, count: int) -> list[AuditLine]:
    """The last ``count`` lines that match; the log is read backwards only as far as needed."""
    oldest = 0
    if wanted.since is not None:
        oldest = history.find_time(wanted.since - CLOCKS_DIFFER_S)
    offset = step.size - step.unfinished
    found: list[AuditLine] = []
    while len(found) < count:
        back = history.scan(wanted.matches, offset, "back")
        found += reversed(back.lines)
        offset = back.offset
        if back.done or offset <= oldest:
            break
    return found[:count][::-1]


def _follow(tail: Tail, step: TailStep, wanted: AuditFilter, printer: _Printer) -> None:
    reader = select.poll()
    reader.register(sys.stdout, 0)
    gap = problem = ""
    while True:
        if not step.more and reader.poll(LOOK_EVERY_MS):
            raise BrokenPipeError  # nobody reads any more
        step = tail.poll()
        printer.write(line for line in step.lines if wanted.matches(line))
        if step.gap and step.gap != gap:
            complain(step.gap)
        if step.problem and step.problem != problem:
            complain(f"{tail.path}: {step.problem}")
        gap, problem = step.gap, step.problem


class _Printer:
    """Writes events as lines for people, or as JSON."""

    def __init__(self, history: History, *, as_json: bool) -> None:
        self._history = history
        self._as_json = as_json

    def write(self, lines: Iterable[AuditLine]) -> None:
        """Write ``lines`` and let them go at once."""
        if self._as_json:
            write_utf8("".join(_json_line(line) for line in lines))
            return
        now, limit = time.time(), width()
        for line in lines:
            doubted = is_operators(line) and self._doubted(line)
            show(event_line(line, now, limit, doubted=doubted))
        sys.stdout.flush()

    def _doubted(self, line: AuditLine) -> bool:
        behind = self._history.lines_after(line.offset, AROUND)
        if not behind or behind[0].raw != line.raw:
            return bool(doubt([line], 0))  # the log was rotated since
        before = self._history.lines_before(line.offset, AROUND)
        return bool(doubt([*before, *behind], len(before)))


def _json_line(line: AuditLine) -> str:
    """The line as it is in the log, or an object that says why it is none."""
    if isinstance(line, UnparsableLine):
        text = line.raw.decode("utf-8", "backslashreplace")
        said = {"unparsable": line.why, "offset": line.offset, "bytes": line.length, "text": text}
        return to_json(said) + "\n"
    return escape_json(line.raw.decode("utf-8").strip()) + "\n"
