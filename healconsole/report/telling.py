"""Words and figures that every form of a report tells the same way."""

from __future__ import annotations

from healconsole.core.ages import countdown, moment
from healconsole.core.frozen import Frozen
from healconsole.core.report.circuits import Circuits, Episode, Reset
from healconsole.core.report.report import Report, acts_by_host
from healconsole.core.report.tally import USUAL, HealerTally
from healconsole.core.words import Outcome


class Busy(Frozen):
    """A host and day with more actions than usual."""

    host: str
    day: str
    actions: int


class HostDays(Frozen):
    """How the days of a healer's hosts compare with what is usual."""

    quiet: int
    """Days of a host without an act."""
    usual: int
    """Days with one to five."""
    over: tuple[Busy, ...]
    """Days with more, the busiest first."""


def host_days(healer: HealerTally, days: tuple[str, ...]) -> HostDays:
    """Compare every day of every host of `healer` with the usual 0 to 5.

    Of a healer that only rehearsed, what it would have done is compared.
    """
    by_host = acts_by_host(healer).items()
    acted = [(host, day, acts) for host, on in by_host for day, acts in on.items()]
    over = [Busy(*found) for found in acted if found[2] > USUAL]
    over.sort(key=lambda busy: (-busy.actions, busy.day, busy.host))
    return HostDays(len(healer.hosts) * len(days) - len(acted), len(acted) - len(over), tuple(over))


def success_share(healer: HealerTally) -> str:
    """How many of the acts that ended succeeded; a dash if none ended.

    Cut, not rounded: 99.9 % is not all.
    """
    good = healer.outcomes.get(Outcome.SUCCESS, 0)
    ended = good + healer.failures
    return f"{100 * good // ended} %" if ended else "-"


def acts_word(healer: HealerTally) -> str:
    """What the figures by host and day are of."""
    return "would-be actions" if healer.would_be and not healer.actions else "actions"


def compared_line(healer: HealerTally, days: tuple[str, ...]) -> str:
    """How usual the days of its hosts were, without those that were not."""
    compared, what = host_days(healer, days), acts_word(healer)
    return (
        f"{compared.quiet:,} days of a host without {what}, {compared.usual:,} with 1 to {USUAL}, "
    )


def span_of(seconds: float | None) -> str:
    """A duration for people; a dash if there is none.

    >>> span_of(None), span_of(0.4), span_of(93784)
    ('-', '1s', '1d02h')
    """
    return "-" if seconds is None else countdown(seconds)


def times(number: int) -> str:
    """How often something happened.

    >>> times(1), times(0)
    ('1 time', '0 times')
    """
    return f"{number:,} time{'' if number == 1 else 's'}"


def incidents(number: int) -> str:
    """A number of incidents.

    >>> incidents(1), incidents(1200)
    ('1 incident', '1,200 incidents')
    """
    return f"{number:,} incident{'' if number == 1 else 's'}"


def when(ts: float, utc_offset_s: int) -> str:
    """A time to the second on the reader's clock.

    >>> when(1764000000, 3600)
    '2025-11-24 17:00:00'
    """
    at = moment(ts, utc_offset_s)
    return "?" if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


def zone(utc_offset_s: int) -> str:
    """The reader's clock by its offset.

    >>> zone(0), zone(-19800)
    ('UTC', 'UTC-05:30')
    """
    if not utc_offset_s:
        return "UTC"
    sign, minutes = "-" if utc_offset_s < 0 else "+", abs(utc_offset_s) // 60
    return f"UTC{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def covered(report: Report) -> str:
    """The span in words."""
    span, offset = report.span, report.utc_offset_s
    return f"{when(span.since, offset)} to {when(span.until, offset)} ({zone(offset)})"


def read_lines(report: Report) -> tuple[str, ...]:
    """What was read and what of it does not count: one sentence each, without data."""
    reading = report.reading
    logs = len(reading.sources)
    said = [f"{reading.lines:,} lines of {logs} log{'' if logs == 1 else 's'} were read."]
    if reading.outside:
        said.append(f"Events outside the span: {reading.outside:,}.")
    if reading.unparsable:
        said.append(
            f"Lines that do not parse: {reading.unparsable:,}; what they tell is not counted."
        )
    if reading.timeless:
        said.append(f"Events without a time: {reading.timeless:,}; they are not counted.")
    return tuple(said)


def notes(healer: HealerTally) -> tuple[str, ...]:
    """What a reader must know to trust the figures of one healer."""
    said = []
    if healer.assumed and healer.circuits.opened:
        said.append(
            "The breaker's limits are assumed (3 failures, 10 minutes): its openings are worked "
            "out from the failures. Declare the limits in the catalog."
        )
    told = len(healer.circuits.episodes)
    if healer.circuits.opened > told:
        said.append(f"The newest {told} of {healer.circuits.opened:,} openings are told.")
    return tuple(said)


def place(episode: Episode) -> str:
    """What was open: a scope, or the whole healer."""
    return episode.scope or "the whole healer"


def opened_because(episode: Episode) -> str:
    """Why a circuit opened."""
    if episode.by:
        incident = f" ({episode.incident})" if episode.incident else ""
        return f"tripped by {episode.by}{incident}: {episode.why}"
    return f"{episode.why}: {episode.reasons[-1]}" if episode.reasons else episode.why


def undone_because(reset: Reset, utc_offset_s: int) -> str:
    """When and by whom a reset was taken back; a dash if it was not."""
    if reset.undone is None:
        return "-"
    by = f"by {reset.undone_by}" if reset.undone_by else "as it failed"
    return f"{when(reset.undone, utc_offset_s)}, {by}"


def resets_line(circuits: Circuits) -> str:
    """How many resets there were, and how many of them did not last."""
    back, said = circuits.resets_undone, f"Reset {times(circuits.resets_counted)}"
    return f"{said}, {back:,} of them taken back" if back else said


def ended_because(episode: Episode, utc_offset_s: int) -> str:
    """When and by what an episode ended."""
    if episode.ended is None:
        return "not closed at the end of the span"
    return f"{when(episode.ended, utc_offset_s)}, {episode.ended_by}"
