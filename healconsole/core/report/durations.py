"""Many durations in little memory: their number, mean and longest exactly, the rest nearly."""

from __future__ import annotations

import math
from collections import Counter

from healconsole.core.ages import DAY, HOUR, MINUTE
from healconsole.core.frozen import Frozen


class DurationSummary(Frozen):
    """What a set of durations is like. Seconds; all None of an empty set but ``count``."""

    count: int = 0
    mean: float | None = None
    median: float | None = None
    p95: float | None = None
    longest: float | None = None


class Durations:
    """A growing set of durations.

    Each is counted in steps that grow with it (a second, from an hour on a minute, from a day
    on an hour), so that a year of them takes some ten thousand counters. Mean and longest are
    exact; median and p95 are right to one such step, and of equal durations exact.
    """

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._total = 0.0
        self._shortest = math.inf
        self._longest = 0.0
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one duration; a clock that stepped back makes it 0, not less."""
        seconds = max(0.0, seconds)
        self.count += 1
        self._total += seconds
        self._shortest = min(self._shortest, seconds)
        self._longest = max(self._longest, seconds)
        self._counts[stepped(seconds)] += 1

    def summary(self) -> DurationSummary:
        """What they are like by now."""
        if not self.count:
            return DurationSummary()
        return DurationSummary(
            self.count,
            self._total / self.count,
            self._nearest_rank(0.5),
            self._nearest_rank(0.95),
            self._longest,
        )

    def _nearest_rank(self, share: float) -> float:
        wanted, passed = max(1, -(-int(share * 1000) * self.count // 1000)), 0
        for seconds in sorted(self._counts):
            passed += self._counts[seconds]
            if passed >= wanted:
                return min(max(float(seconds), self._shortest), self._longest)
        raise AssertionError("the ranks end with the last duration")


def stepped(seconds: float) -> int:
    """Return a duration rounded to the step in which it is counted.

    >>> [stepped(s) for s in (0.4, 59.6, 3725, 100_000)]
    [0, 60, 3720, 100800]
    """
    step = 1 if seconds < HOUR else MINUTE if seconds < DAY else HOUR
    return round(seconds / step) * step
