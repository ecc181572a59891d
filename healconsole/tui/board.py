"""The rows of all healers, kept up to date for what they cost.

A snapshot computes the rows of the healers that changed in it, a tick those in sight and a slice
of the rest, and a row that changed its word goes to its new place alone: ten thousand healers
cost what ten do.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping

from healconsole.core.explain import halt_reaching
from healconsole.core.snapshot import EMPTY, HealerState, Snapshot
from healconsole.core.stops import stops_in_force
from healconsole.core.trouble import RANKS
from healconsole.core.view import HealerRow, Thresholds, healer_row

SLICE = 32
"""Rows out of sight that one tick computes again."""

_RANK = {word: rank for rank, word in enumerate(RANKS)}


class Board:
    """Rows by name, and in order: the worst first, then by name."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._taken: tuple[HealerState, ...] = ()
        self._healers: dict[str, HealerState] = {}
        self._rows: dict[str, HealerRow] = {}
        self._places: list[tuple[int, str]] = []
        """Rank and name of each row, in order."""
        self._order: tuple[str, ...] | None = ()
        self._numbers: Counter[str] = Counter()
        self._next = 0
        self._listed: tuple[HealerRow, ...] | None = ()
        self._longest = 12
        self._snapshot = EMPTY
        self._stops: tuple[object, ...] = ()
        """The halts in force, and whether they are known: what may change every row."""

    @property
    def counts(self) -> Mapping[str, int]:
        """How many healers are in which state, worst first."""
        return {word: self._numbers[word] for word in RANKS if self._numbers[word]}

    @property
    def order(self) -> tuple[str, ...]:
        """All names, worst first; the very same until one comes, goes or changes its place."""
        if self._order is None:
            self._order = tuple(name for _, name in self._places)
        return self._order

    @property
    def by_name(self) -> Mapping[str, HealerRow]:
        """All rows as they are now; it goes on to change."""
        return self._rows

    @property
    def rows(self) -> tuple[HealerRow, ...]:
        """All rows, worst first; the very same until one of them changes."""
        if self._listed is None:
            self._listed = tuple(map(self._rows.__getitem__, self.order))
        return self._listed

    def healer(self, name: str | None) -> HealerState | None:
        """Return a healer of the snapshot."""
        return None if name is None else self._healers.get(name)

    @property
    def longest_name(self) -> int:
        """Characters of the longest healer's name."""
        return self._longest

    def take(self, snapshot: Snapshot, now: float) -> None:
        """Take a snapshot over; the feed hands on what did not change as the same object."""
        self._snapshot = snapshot
        before, self._taken = self._taken, snapshot.healers
        self._take_stops(now)
        if before is self._taken:
            return
        if len(before) == len(self._taken):
            pairs = zip(before, self._taken, strict=True)
            changed = [(old, new) for old, new in pairs if old is not new]
            if all(old.id == new.id for old, new in changed):
                for _, healer in changed:
                    self._take(healer, now)
                return
        healers = {healer.id: healer for healer in self._taken}
        for gone in self._healers.keys() - healers.keys():
            del self._healers[gone]
            self._leave(gone, self._rows.pop(gone))
        for name, healer in healers.items():
            if self._healers.get(name) is not healer:
                self._take(healer, now)
        self._longest = max(map(len, healers), default=12)

    def freshen(self, in_sight: Iterable[str], now: float) -> None:
        """Compute for ``now`` what is in sight, and a slice of the rest."""
        if self._take_stops(now):
            return
        names = set(in_sight) & self._healers.keys()
        order = self.order
        if len(names) < len(order):
            names.update(order[self._next : self._next + SLICE])
            self._next = (self._next + SLICE) % len(order)
        for name in names:
            self._take(self._healers[name], now)

    def _take_stops(self, now: float) -> bool:
        """Compute every row again where a halt began, or ended; return whether one did."""
        stops = (*stops_in_force(self._snapshot, now), self._snapshot.redis_health.state)
        if stops == self._stops:
            return False
        halted, self._stops = len(stops) > 1 or len(self._stops) > 1, stops
        if halted:
            for healer in tuple(self._healers.values()):
                self._take(healer, now)
        return halted

    def _take(self, healer: HealerState, now: float) -> None:
        halt = halt_reaching(healer, self._snapshot, now)
        row = healer_row(healer, now, self._thresholds, halt)
        name = row.name
        self._healers[name] = healer
        old = self._rows.get(name)
        self._rows[name], self._listed = row, None
        if old is not None:
            if old.word == row.word:
                return
            self._leave(name, old)
        insort(self._places, (_RANK[row.word], name))
        self._numbers[row.word] += 1
        self._order = None

    def _leave(self, name: str, row: HealerRow) -> None:
        """Take a row out of the place that it had."""
        del self._places[bisect_left(self._places, (_RANK[row.word], name))]
        self._numbers[row.word] -= 1
        self._order = self._listed = None
