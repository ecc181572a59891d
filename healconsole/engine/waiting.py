"""Waiting for a descriptor, whatever its number: ``select`` knows only those below 1,024."""

from __future__ import annotations

import select
from typing import Final

LONGEST: Final = 86_400.0
"""Seconds that one wait takes at most: the kernel's counter ends at 24 days."""


def readable(descriptor: int, seconds: float) -> bool:
    """Whether ``descriptor`` can be read, or is at its end, within ``seconds`` (at least 0)."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    # Rounded up, so that a wait is never cut to a busy loop of zero milliseconds.
    return bool(poller.poll(min(max(0.0, seconds), LONGEST) * 1000 + 1))
