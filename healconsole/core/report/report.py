"""A whole report: every healer of the log over one span."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from healconsole.core.auditline import AuditEvent, AuditLine, UnparsableLine
from healconsole.core.frozen import Frozen
from healconsole.core.records import DEFAULT_POLICY, Policy
from healconsole.core.report.span import Span, day_of, days_of
from healconsole.core.report.tally import OTHER, HealerCount, HealerTally

MOST_HEALERS: Final = 2_000
"""Healers told apart; a log may hold any number of names."""

SAMPLES: Final = 5
"""Unparsable lines that are shown; all are counted."""


class Source(Frozen):
    """One log that was read."""

    path: str
    lines: int
    problem: str = ""
    """Why not all of it could be read; empty if it could."""


class Unparsable(Frozen):
    """A line that did not parse, to be looked at."""

    path: str
    offset: int
    why: str
    raw: bytes


class Reading(Frozen):
    """How much of the logs there was, and how much of it counts."""

    lines: int = 0
    outside: int = 0
    """Events before or after the span."""
    timeless: int = 0
    """Events whose ``ts`` is no time, which lie in no span."""
    unparsable: int = 0
    samples: tuple[Unparsable, ...] = ()
    sources: tuple[Source, ...] = ()


class Report(Frozen):
    """What a span of the audit log adds up to."""

    span: Span
    utc_offset_s: int
    """Of the reader's clock, on which times are told."""
    days: tuple[str, ...]
    """Every day of the span, quiet ones too."""
    healers: tuple[HealerTally, ...]
    """By name."""
    reading: Reading

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host that wrote an event of a healer in the report."""
        return tuple(sorted({host for healer in self.healers for host in healer.hosts}))


Limits = Callable[[str], tuple[Policy, bool]]
"""The policy of a healer by its name, and whether it is a guess."""


def _guess(_name: str) -> tuple[Policy, bool]:
    return DEFAULT_POLICY, True


class ReportCount:
    """Counts lines into a report.

    Args:
        span: events outside of it are left out.
        names: the healers that are asked for; none = all.
        limits: of each healer.
    """

    def __init__(self, span: Span, names: Iterable[str] = (), limits: Limits = _guess) -> None:
        self.span = span
        self._names = frozenset(names)
        self._limits = limits
        self._healers: dict[str, HealerCount] = {}
        self._lines = self._outside = self._timeless = self._unparsable = 0
        self._samples: list[Unparsable] = []
        self._sources: list[Source] = []

    def add(self, line: AuditLine, path: str = "") -> AuditEvent | None:
        """Take one line of the log `path`; returns the event if it counts."""
        self._lines += 1
        if isinstance(line, UnparsableLine):
            self._unparsable += 1
            if len(self._samples) < SAMPLES:
                self._samples.append(Unparsable(path, line.offset, line.why, line.raw))
            return None
        ts = line.ts
        if ts is None:
            self._timeless += 1
            return None
        if not self.span.since <= ts < self.span.until:
            self._outside += 1
            return None
        if self._names and line.healer not in self._names:
            return None
        self._count_of(line.healer).add(line, ts, day_of(line))
        return line

    def read(self, source: Source) -> None:
        """Say what became of one log, when it has been read."""
        self._sources.append(source)

    def result(self, utc_offset_s: int = 0) -> Report:
        """The report on what was counted."""
        healers = tuple(
            self._healers[name].result(self.span.until) for name in sorted(self._healers)
        )
        seen = {day for healer in healers for _, day in healer.days}
        return Report(
            self.span,
            utc_offset_s,
            days_of(self.span, utc_offset_s, seen),
            healers,
            Reading(
                self._lines,
                self._outside,
                self._timeless,
                self._unparsable,
                tuple(self._samples),
                tuple(self._sources),
            ),
        )

    def _count_of(self, name: str) -> HealerCount:
        found = self._healers.get(name)
        if found is None:
            if len(self._healers) >= MOST_HEALERS:
                name = OTHER
            policy, assumed = self._limits(name)
            found = self._healers.setdefault(name, HealerCount(name, policy, assumed=assumed))
        return found


def acts_by_host(healer: HealerTally) -> Mapping[str, Mapping[str, int]]:
    """Return the acts of a healer by host, then by day; hosts without any are absent.

    Of a healer that only rehearsed, what it would have done.
    """
    found: dict[str, dict[str, int]] = {}
    for (host, day), on in healer.days.items():
        acts = on.actions if healer.actions else on.would_be
        if acts:
            found.setdefault(host, {})[day] = acts
    return {host: found[host] for host in sorted(found)}
