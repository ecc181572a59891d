"""The tally of one healer: what its events of a span add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from healconsole.core.auditline import AuditEvent
from healconsole.core.frozen import Frozen
from healconsole.core.records import DEFAULT_POLICY, Policy
from healconsole.core.report.circuits import Circuits, CircuitTally
from healconsole.core.report.repairs import Repairs, RepairTally
from healconsole.core.report.underway import Underway
from healconsole.core.words import FAILURES, Outcome

USUAL: Final = 5
"""Actions on one host in one day that are usual: from 0 to this."""

MOST_HOST_DAYS: Final = 200_000
MOST_WORDS: Final = 100
OTHER: Final = "(other)"
"""Where what comes beyond these bounds is counted: a log may hold anything."""


@dataclass(slots=True)
class HostDay:
    """One healer on one host on one day."""

    actions: int = 0
    would_be: int = 0
    """Acts of a dry-run."""
    failures: int = 0
    denials: int = 0
    events: int = 0
    """Of any outcome: a day with one is a day on which the healer lived."""


class HealerTally(Frozen):
    """One healer over a span."""

    name: str
    events: int
    first: float
    """Epoch seconds of its first event in the span, and of the last."""
    last: float
    actions: int
    would_be: int
    outcomes: Mapping[str, int]
    """How many events had each outcome; denials by their number, not their events."""
    denials: Mapping[str, int]
    """By guardrail."""
    days: Mapping[tuple[str, str], HostDay]
    """By host and day; hosts and days on which nothing happened are absent."""
    circuits: Circuits
    repairs: Repairs
    assumed: bool
    """Whether nobody declared the breaker's limits, and its openings are worked out on a guess."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts that it wrote an event on."""
        return tuple(sorted({host for host, _ in self.days}))

    @property
    def failures(self) -> int:
        """Acts that failed."""
        return sum(self.outcomes.get(outcome, 0) for outcome in FAILURES)


class HealerCount:
    """Counts the events of one healer, in the order of the log.

    Args:
        name: of the healer.
        policy: for its breaker, where the log does not say its limits.
        assumed: whether that policy is a guess.
    """

    def __init__(self, name: str, policy: Policy = DEFAULT_POLICY, *, assumed: bool = True) -> None:
        self._name, self._assumed = name, assumed
        self._events = self._actions = self._would_be = 0
        self._first = self._last = 0.0
        self._outcomes: Counter[str] = Counter()
        self._denials: Counter[str] = Counter()
        self._days: dict[tuple[str, str], HostDay] = {}
        self._underway = Underway()
        self._circuits = CircuitTally(policy)
        self._repairs = RepairTally()

    def add(self, event: AuditEvent, ts: float, day: str) -> None:
        """Take one event, which happened at `ts` on `day` of its host."""
        outcome = event.outcome
        self._first = min(self._first, ts) if self._events else ts
        self._last = max(self._last, ts) if self._events else ts
        self._events += 1
        on = self._host_day(event.host, day)
        on.events += 1
        if outcome == Outcome.DENIED:
            # A run of denials is told when it begins and, with its whole count, when it ends.
            times = event.count - 1 if event.count > 1 else 1
            _count(self._denials, event.guard or OTHER, times)
            _count(self._outcomes, outcome, times)
            on.denials += times
        else:
            _count(self._outcomes, outcome, 1)
        if outcome == Outcome.DRY_RUN:
            self._would_be += 1
            on.would_be += 1
        elif self._underway.begins(event):
            self._actions += 1
            on.actions += 1
        if outcome in FAILURES:
            on.failures += 1
        self._circuits.add(event, ts)
        self._repairs.add(event, ts)

    def result(self, end: float) -> HealerTally:
        """What they add up to at ``end``, the end of the span."""
        return HealerTally(
            name=self._name,
            events=self._events,
            first=self._first,
            last=self._last,
            actions=self._actions,
            would_be=self._would_be,
            outcomes=dict(sorted(self._outcomes.items(), key=_most_first)),
            denials=dict(sorted(self._denials.items(), key=_most_first)),
            days=dict(self._days),
            circuits=self._circuits.result(end),
            repairs=self._repairs.result(),
            assumed=self._assumed,
        )

    def _host_day(self, host: str, day: str) -> HostDay:
        found = self._days.get((host, day))
        if found is None:
            key = (host, day) if len(self._days) < MOST_HOST_DAYS else (OTHER, day)
            found = self._days.setdefault(key, HostDay())
        return found


def _count(counts: Counter[str], word: str, times: int) -> None:
    counts[word if word in counts or len(counts) < MOST_WORDS else OTHER] += times


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
