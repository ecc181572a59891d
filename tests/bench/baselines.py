"""What the figures are compared with: the same job done with what Textual ships.

Run as ``python -m tests.bench.baselines empty|table N``.
"""

from __future__ import annotations

import sys
import time
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import DataTable, Static


class Empty(App[None]):
    """The least that Textual can show."""

    def compose(self) -> ComposeResult:
        yield Static("healer-0000 ready")


class Table(App[None]):
    """Ages of N rows, once a second, in a DataTable."""

    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "Quit")]

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.began = time.time()

    def compose(self) -> ComposeResult:
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for column in ("HEALER", "CIRCUIT", "TOKENS", "MARKS", "BEAT", "MODE", "LAST"):
            table.add_column(column, key=column, width=12)
        for number in range(self.rows):
            name = f"healer-{number:04d}"
            table.add_row(name, "closed", "3.0/3", "0/0", "0s", "LIVE", "ok", key=name)
        self.set_interval(1.0, self.tick)

    def tick(self) -> None:
        table = self.query_one(DataTable)
        age = int(time.time() - self.began)
        for number in range(self.rows):
            table.update_cell(f"healer-{number:04d}", "BEAT", f"{age + number % 50}s")


def main() -> None:
    """Run one of the baselines."""
    if sys.argv[1] == "empty":
        Empty().run()
    else:
        Table(int(sys.argv[2])).run()


if __name__ == "__main__":
    main()
