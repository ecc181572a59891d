"""What is told of refused requests: whoever can reach the port must not fill a log with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

QUIET_S: Final = 10.0
"""Seconds in which one refusal is told, and the others are counted."""


class Refusals:
    """Tells of the first refusal, and of how many followed with the next that it tells of.

    >>> told: list[str] = []
    >>> refusals = Refusals(told.append)
    >>> for at, why in ((0.0, "a"), (1.0, "b"), (2.0, "c"), (11.0, "d")):
    ...     refusals.tell(why, at)
    >>> told
    ['refused a', 'refused d (and 2 others since the last that was told)']
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._told_at = float("-inf")
        self._untold = 0

    def tell(self, what: str, now: float) -> None:
        """One request was refused at ``now``, seconds of any clock that only goes forward."""
        if now - self._told_at < QUIET_S:
            self._untold += 1
            return
        others = f" (and {self._untold} others since the last that was told)"
        self._log(f"refused {what}{others if self._untold else ''}")
        self._told_at, self._untold = now, 0
