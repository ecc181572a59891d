"""What a human should look at: few events, chosen so that each kind of surprise is among them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from healconsole.core.auditline import AuditEvent
from healconsole.core.frozen import Frozen, replace
from healconsole.core.words import FAILURES, Outcome

MOST: Final = 20
"""Events that somebody can be asked to judge one by one."""

_KEPT = 5_000
_TEXT = 1_000
_NEW = frozenset({*map(str, FAILURES), Outcome.SUCCESS, Outcome.DRY_RUN})


class Sample(Frozen):
    """One act, done or rehearsed, for a human to judge."""

    why: str
    """Why this one was chosen."""
    ts: float
    host: str
    intent: str
    outcome: str
    reason: str
    fact: str


class Sampler:
    """Keeps candidates while a log goes by: the first of each kind, the last failures."""

    def __init__(self) -> None:
        self._verbs: dict[str, Sample] = {}
        self._hosts: dict[str, Sample] = {}
        self._days: dict[tuple[str, str], tuple[int, Sample]] = {}
        self._blind: list[Sample] = []
        self._failed: deque[Sample] = deque(maxlen=5)
        self.blind = 0
        """Acts that were decided on a measurement that failed."""

    def add(self, event: AuditEvent, day: str) -> None:
        """Take one event that counts; only acts and rehearsals are candidates."""
        if event.outcome not in _NEW or event.ts is None:
            return
        sample = Sample(
            "",
            event.ts,
            event.host,
            event.intent[:_TEXT],
            event.outcome,
            event.reason[:_TEXT],
            event.fact[:_TEXT],
        )
        _first(self._verbs, event.intent.partition(" ")[0][:_TEXT], sample)
        _first(self._hosts, event.host, sample)
        count, kept = self._days.get((event.host, day), (0, sample))
        if count or len(self._days) < _KEPT:
            self._days[event.host, day] = (count + 1, kept)
        if is_blind(event.fact):
            self.blind += 1
            if len(self._blind) < 3:
                self._blind.append(sample)
        if event.outcome in FAILURES:
            self._failed.append(sample)

    def result(self) -> tuple[Sample, ...]:
        """At most `MOST`, oldest first, no event twice."""
        chosen: dict[Sample, str] = {}
        for why, sample in self._wanted():
            if len(chosen) == MOST:
                break
            chosen.setdefault(sample, why)
        found = [replace(sample, why=why) for sample, why in chosen.items()]
        return tuple(sorted(found, key=lambda sample: sample.ts))

    def _wanted(self) -> Iterator[tuple[str, Sample]]:
        yield from (("its fact is an ERROR: why did decide act on it?", it) for it in self._blind)
        yield from (
            ("it failed: would the same act have helped by hand?", it) for it in self._failed
        )
        busiest = sorted(self._days.items(), key=lambda item: (-item[1][0], item[0]))[:3]
        for (host, day), (count, sample) in busiest:
            if count > 1:
                yield f"busiest: {count} on {host} on {day}", sample
        yield from _evenly("first of its kind", self._verbs.values(), 6)
        yield from _evenly("first on its host", self._hosts.values(), MOST)


def is_blind(fact: str) -> bool:
    """Whether a measurement in the fact failed (``queue_depth=ERROR``).

    >>> is_blind("queue_depth=ERROR,alive=8"), is_blind("state=ERRORS=3")
    (True, False)
    """
    return any(part.partition("=")[2] == "ERROR" for part in fact.split(","))


def _first(kept: dict[str, Sample], key: str, sample: Sample) -> None:
    if key not in kept and len(kept) < _KEPT:
        kept[key] = sample


def _evenly(why: str, samples: Iterable[Sample], most: int) -> Iterator[tuple[str, Sample]]:
    """As many as wanted, spread over all of them in time."""
    found = sorted(samples, key=lambda sample: sample.ts)
    if len(found) > most:
        found = [found[place * (len(found) - 1) // (most - 1)] for place in range(most)]
    yield from ((why, sample) for sample in found)
