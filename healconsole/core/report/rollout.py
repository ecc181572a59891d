"""The evidence on which a healer is promoted to its next step: GO or NO-GO, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from healconsole.core.frozen import Frozen
from healconsole.core.report.beats import Beats, beats_on
from healconsole.core.report.report import Report
from healconsole.core.report.sampling import Sample
from healconsole.core.report.steps import Step, step_after
from healconsole.core.report.tally import HealerTally


class Level(StrEnum):
    """How much a finding weighs."""

    OK = "ok"
    CAUTION = "caution"
    """To be looked at; does not stop the promotion."""
    STOP = "stop"


class Finding(Frozen):
    """One question that the evidence was asked, and its answer."""

    level: Level
    question: str
    answer: str


class Evidence(Frozen):
    """What a step has shown."""

    healer: str
    step: Step
    report: Report
    """Of the step's days and this healer only."""
    fleet: int
    """Hosts that it is to run on in the end."""
    beats: Beats
    """Heartbeats of the past, where somebody brought them."""
    samples: tuple[Sample, ...] = ()
    blind: int = 0
    """Acts decided on a measurement that failed."""

    @property
    def tally(self) -> HealerTally | None:
        """What the log has of the healer; None if nothing."""
        return next((it for it in self.report.healers if it.name == self.healer), None)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts that showed any sign of it."""
        seen = self.tally.hosts if self.tally else ()
        short = {host.partition(".")[0] for host in seen}
        silent = {host for host in self.beats if host.partition(".")[0] not in short}
        return tuple(sorted({*seen, *silent}))

    @property
    def judged_days(self) -> tuple[str, ...]:
        """Days that lie wholly in the span; all if none does."""
        return self.report.days[1:-1] or self.report.days

    def signs(self, host: str) -> frozenset[str]:
        """Days on which the healer showed a sign of life on `host`."""
        days = self.tally.days if self.tally else {}
        return beats_on(self.beats, host) | {day for on, day in days if on == host}

    def missing(self) -> dict[str, tuple[str, ...]]:
        """Days without a heartbeat, by host; hosts that miss none are absent."""
        judged = self.judged_days
        found = {}
        for host in self.hosts:
            signs = self.signs(host)
            gone = tuple(day for day in judged if day not in signs)
            # Of a span without a whole day, one sign on any day is what can be asked for.
            if gone and not (len(self.report.days) <= 2 and signs & set(judged)):
                found[host] = gone
        return found


class Judgement(Frozen):
    """Whether to promote."""

    evidence: Evidence
    findings: tuple[Finding, ...]
    """In the order of the questions."""

    @property
    def go(self) -> bool:
        """Whether nothing stops it."""
        return all(finding.level is not Level.STOP for finding in self.findings)

    @property
    def word(self) -> str:
        """``GO`` or ``NO-GO``."""
        return "GO" if self.go else "NO-GO"

    @property
    def next_step(self) -> Step | None:
        """What a GO leads to; None at the end of the road."""
        return step_after(self.evidence.step)

    @property
    def reason(self) -> str:
        """The reason in one sentence or two."""
        stops = self.stops
        if stops:
            more = f" And {len(stops) - 1} more, below." if len(stops) > 1 else ""
            return f"{_sentence(stops[0].answer)}{more}"
        cautions = sum(finding.level is Level.CAUTION for finding in self.findings)
        said = "Nothing in the evidence speaks against it."
        if cautions:
            said = f"Nothing stops it; {cautions} to look at before, below."
        return said

    @property
    def stops(self) -> tuple[Finding, ...]:
        """What speaks against it."""
        return tuple(it for it in self.findings if it.level is Level.STOP)


def listed(names: Iterable[str], most: int = 3) -> str:
    """Return names as a list to read.

    >>> listed(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    found = list(names)
    shown = ", ".join(found[:most])
    return f"{shown} and {len(found) - most} more" if len(found) > most else shown


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")
