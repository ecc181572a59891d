"""Starting up without the garbage collector: what is imported stays, so each search is in vain."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector off in the block, and spare it what was made there.

    A tenth of a start-up goes to it otherwise, and as much of the end: the interpreter looks
    through everything once more when it ends.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
