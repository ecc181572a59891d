"""The newest lines of the audit log, always following."""

from __future__ import annotations

from collections.abc import Sequence

from healconsole.core.auditline import AuditEvent, AuditLine
from healconsole.tui.widgets.auditlines import audit_columns, audit_line
from healconsole.tui.widgets.cells import EMPTY_LINE, Line, cell, gap
from healconsole.tui.widgets.cellview import CellView


class TailPane(CellView):
    """As many of the newest lines as there is room for, the newest at the bottom."""

    def __init__(self, *, id: str | None = None, of_one_healer: bool = False) -> None:  # noqa: A002
        super().__init__(id=id)
        self._of_one = of_one_healer
        self._source: Sequence[AuditLine] = ()
        self._longest = 12
        self._utc_offset_s = 0
        self._empty = ""
        self._drawn: dict[tuple[int, int], Line] = {}

    def show(
        self, lines: Sequence[AuditLine], *, longest: int, utc_offset_s: int, empty: str = ""
    ) -> None:
        """Show the end of ``lines``; ``longest`` is the widest healer's name, ``empty`` said for
        none.
        """
        if longest != self._longest or utc_offset_s != self._utc_offset_s:
            self._drawn.clear()
        if lines is self._source and longest == self._longest and empty == self._empty:
            return
        self._source, self._longest, self._empty = lines, longest, empty
        self._utc_offset_s = utc_offset_s
        self._draw()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self._drawn.clear()
        self._draw()

    def _draw(self) -> None:
        height, width = self.size.height, self.size.width
        if not height or not width:
            return
        columns = audit_columns(width, healer=not self._of_one, longest=self._longest)
        newest = self._source[-height:]
        if not newest:
            self.show_lines([(gap(1), cell(self._empty, "dim"))])
            return
        drawn: dict[tuple[int, int], Line] = {}
        lines: list[Line] = [EMPTY_LINE] * (height - len(newest))
        for event in newest:
            # Offset and length tell lines apart while a file lives; its end can be torn, then whole.
            key = (event.offset, event.length)
            kept = self._drawn.get(key)
            drawn[key] = kept or audit_line(event, columns, self._utc_offset_s)
            lines.append(drawn[key])
        self._drawn = drawn
        self.show_lines(lines[-height:])


def of_healer(lines: Sequence[AuditLine], name: str) -> tuple[AuditEvent, ...]:
    """Return the events of one healer."""
    return tuple(line for line in lines if isinstance(line, AuditEvent) and line.healer == name)
