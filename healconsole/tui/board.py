"""The rows of all healers, kept up to date for what they cost.

A snapshot computes the rows of the healers that changed in it, a tick those in sight and a slice
of the rest: a thousand healers cost what ten do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from healconsole.core.snapshot import EMPTY, HealerState, Snapshot
from healconsole.core.trouble import RANKS
from healconsole.core.view import HealerRow, Thresholds, counts, healer_row

SLICE = 32
"""Rows out of sight that one tick computes again."""

_RANK = {word: rank for rank, word in enumerate(RANKS)}


class Board:
    """Rows by name, and in order: the worst first."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._snapshot = EMPTY
        self._healers: dict[str, HealerState] = {}
        self._rows: dict[str, HealerRow] = {}
        self._order: tuple[str, ...] = ()
        self._counts: Mapping[str, int] = {}
        self._next = 0
        self._listed: tuple[HealerRow, ...] | None = ()
        self._longest = 12

    @property
    def counts(self) -> Mapping[str, int]:
        """How many healers are in which state, worst first."""
        return self._counts

    @property
    def rows(self) -> tuple[HealerRow, ...]:
        """All rows, worst first; the very same until one of them changes."""
        if self._listed is None:
            self._listed = tuple(self._rows[name] for name in self._order)
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
        old, self._snapshot = self._healers, snapshot
        self._healers = {healer.id: healer for healer in snapshot.healers}
        if self._healers.keys() != old.keys():
            self._longest = max(map(len, self._healers), default=12)
        fresh: dict[str, HealerRow] = {}
        for name, healer in self._healers.items():
            if old.get(name) is healer:
                fresh[name] = self._rows[name]
            else:
                fresh[name] = healer_row(healer, now, self._thresholds)
        self._replace(fresh)

    def freshen(self, in_sight: Iterable[str], now: float) -> None:
        """Compute for ``now`` what is in sight, and a slice of the rest."""
        names = set(in_sight) & self._healers.keys()
        if len(names) < len(self._order):
            names.update(self._order[self._next : self._next + SLICE])
            self._next = (self._next + SLICE) % len(self._order)
        made = {name: healer_row(self._healers[name], now, self._thresholds) for name in names}
        self._replace({**self._rows, **made})

    def _replace(self, fresh: dict[str, HealerRow]) -> None:
        moved = fresh.keys() != self._rows.keys() or any(
            row is not (old := self._rows[name]) and row.word != old.word
            for name, row in fresh.items()
        )
        self._rows, self._listed = fresh, None
        if moved:
            self._order = tuple(sorted(fresh, key=lambda name: (_RANK[fresh[name].word], name)))
            self._counts = counts(fresh.values())
