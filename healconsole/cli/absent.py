"""Starting up without a module of the standard library that is loaded only in case."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(name: str) -> Iterator[None]:
    """Let a module not be found in the block, by who does without it where it is not installed.

    One that is loaded already stays found. Behind the block it can be imported as ever.
    """
    if name in sys.modules:
        yield
        return
    without: dict[str, object] = sys.modules  # type: ignore[assignment]
    without[name] = None
    try:
        yield
    finally:
        del without[name]
