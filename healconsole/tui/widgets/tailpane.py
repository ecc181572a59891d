"""The newest lines of the audit log, always following."""

from __future__ import annotations

from collections.abc import Sequence

from healconsole.core.auditdoubt import doubt, is_operators
from healconsole.core.auditline import AuditEvent, AuditLine, AuditTail
from healconsole.tui.widgets.auditlines import audit_columns, audit_detail, audit_line
from healconsole.tui.widgets.cells import EMPTY_LINE, Line, cell, gap
from healconsole.tui.widgets.cellview import CellView

_TWO_EACH_FROM = 14
"""Rows from which each event has a second line for its reason and fact."""

_SCREENFUL = 100


class TailPane(CellView):
    """As many of the newest lines as there is room for, the newest at the bottom."""

    def __init__(self, *, id: str | None = None, of_one_healer: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self._of_one = of_one_healer
        self._source: Sequence[AuditLine] = ()
        self._longest = 12
        self._utc_offset_s = 0
        self._empty = ""
        self._hosts = False
        self._drawn: dict[tuple[int, int, str], tuple[Line, ...]] = {}

    def show(
        self,
        lines: Sequence[AuditLine],
        *,
        longest: int,
        utc_offset_s: int,
        empty: str = "",
        hosts: bool = False,
    ) -> None:
        """Show the end of ``lines``; ``longest`` is the widest healer's name, ``empty`` said for
        none, ``hosts`` whether they are of several.
        """
        self._hosts = hosts
        if longest != self._longest or utc_offset_s != self._utc_offset_s:
            self._drawn.clear()
        if lines is self._source and longest == self._longest and empty == self._empty:
            return
        self._source, self._longest, self._empty = lines, longest, empty
        self._utc_offset_s = utc_offset_s
        self._draw()

    def resized(self) -> None:
        """Draw for the new size."""
        self._drawn.clear()
        self._draw()

    def _draw(self) -> None:
        height, width = self.size.height, self.size.width
        if not height or not width:
            return
        columns = audit_columns(
            width, healer=not self._of_one, longest=self._longest, hosts=self._hosts
        )
        tall = not columns.broad and height >= _TWO_EACH_FROM
        newest = self._source[-height // 2 :] if tall else self._source[-height:]
        if not newest:
            self.show_lines([(gap(1), cell(self._empty, "dim"))])
            return
        drawn: dict[tuple[int, int, str], tuple[Line, ...]] = {}
        lines: list[Line] = []
        first = len(self._source) - len(newest)
        for index, event in enumerate(newest, first):
            # A torn end may be whole the next time, and a rotated log begins at 0 again.
            key = (event.offset, event.length, getattr(event, "ts_text", ""))
            kept = self._drawn.get(key)
            if kept is None:
                doubted = is_operators(event) and bool(doubt(self._source, index))
                kept = (
                    audit_line(event, columns, self._utc_offset_s, alone=not tall, doubted=doubted),
                )
                if tall:
                    kept = (*kept, audit_detail(event, columns))
            drawn[key] = kept
            lines += kept
        self._drawn = drawn
        self.show_lines([*[EMPTY_LINE] * (height - len(lines)), *lines[-height:]])


def newest_lines(tail: AuditTail) -> Sequence[AuditLine]:
    """Return the newest lines, with those of the log that was rotated away a moment ago."""
    if len(tail.lines) >= _SCREENFUL or not tail.earlier:
        return tail.lines
    return (*tail.earlier, *tail.lines)


def of_healer(
    lines: Sequence[AuditLine], name: str, host: str | None = None
) -> tuple[AuditEvent, ...]:
    """Return the events of one healer, on whatever host or on one."""
    return tuple(
        line
        for line in lines
        if isinstance(line, AuditEvent)
        and line.healer == name
        and (host is None or line.host == host)
    )
