"""Whether an event stands in the log as it was written, going by the lines around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from healconsole.core.auditchain import Link, read_link
from healconsole.core.auditline import AuditEvent, AuditLine

UNVERIFIED: Final = "UNVERIFIED"
"""What an operator's event is marked with where the chain does not hold."""

AROUND: Final = 64
"""Lines to either side among which the neighbours in the chain are looked for."""


def is_operators(line: AuditLine) -> bool:
    """Whether the line says that an operator did something."""
    return isinstance(line, AuditEvent) and line.outcome.startswith("operator-")


def doubt(lines: Sequence[AuditLine], index: int) -> str:
    """Why ``lines[index]`` cannot be taken for what was written then; empty if it can.

    ``lines`` are in the order of the log. Where one does not begin at the byte at which the
    one before ends (a filter left some out), nothing is said of the two.
    """
    line = lines[index]
    link = read_link(line.raw)
    if link is None:
        return "it carries no hash: no program of ours wrote it"
    if not link.holds:
        return "its hash is not that of its bytes: it was edited"
    before = _neighbour(_unbroken(lines, range(index, max(-1, index - AROUND), -1)))
    if before is not None and before.hash != link.prev:
        return "it does not follow the event before it"
    behind = _neighbour(_unbroken(lines, range(index, min(len(lines), index + AROUND))))
    if behind is not None and behind.prev != link.hash:
        return "the event behind it does not follow it"
    return ""


def _unbroken(lines: Sequence[AuditLine], order: range) -> Iterator[AuditLine]:
    """The lines that touch, from the first of ``order``, which is left out."""
    last = lines[order[0]]
    for place in order[1:]:
        line = lines[place]
        low, high = (line, last) if order.step < 0 else (last, line)
        if low.offset + low.length != high.offset:
            return
        yield line
        last = line


def _neighbour(lines: Iterable[AuditLine]) -> Link | None:
    return next((link for line in lines if (link := read_link(line.raw)) is not None), None)
