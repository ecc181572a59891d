"""A line to type into that costs nothing while nobody types."""

from __future__ import annotations

from typing import Any

from textual.widgets import Input


class Field(Input):
    """An input whose cursor stands still: a blink is bytes on a slow link, twice a second."""

    def __init__(self, value: str = "", **options: Any) -> None:  # noqa: ANN401 - Input's own
        super().__init__(value, compact=True, **options)
        self.cursor_blink = False
