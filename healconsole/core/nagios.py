"""The answer of a Nagios or Icinga plugin: one line with performance data, and 0, 1, 2 or 3.

Format: Monitoring Plugins Development Guidelines, "Plugin Output" and "Performance data"
(``'label'=value[unit];[warn];[crit];[min];[max]``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final

from healconsole.core.frozen import Frozen
from healconsole.core.records import MICRO
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.core.standing import interval_of
from healconsole.core.stops import stops_said
from healconsole.core.text import visible
from healconsole.core.view import DEFAULT_THRESHOLDS, OK, HealerRow, Thresholds, rows
from healconsole.core.words import SourceState


class State(IntEnum):
    """What the plugin ends with."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


STATE_OF: Final = {
    "open": State.CRITICAL,
    "lost": State.CRITICAL,
    "corrupt": State.CRITICAL,
    "unreadable": State.CRITICAL,
    "stale": State.CRITICAL,
    "forced-open": State.WARNING,
    "failing": State.WARNING,
    "half-open": State.WARNING,
    "held": State.WARNING,
    "unknown": State.UNKNOWN,
    OK: State.OK,
}
"""A healer that stopped by itself is critical, and so is a dead one: nobody does its work. What
an operator stopped, and what may yet end well, is a warning."""

_WORST_FIRST: Final = (State.CRITICAL, State.WARNING, State.UNKNOWN, State.OK)
TOLD: Final = 3
"""Healers that the line tells of in full; the rest is counted."""
DETAILED: Final = 20
"""Healers of which each has performance data of its own. A server keeps 8 kB of an answer."""
_TEXT_LIMIT: Final = 160
_LABEL_LIMIT: Final = 64


class Answer(Frozen):
    """What the plugin prints, without the newline, and ends with."""

    state: State
    line: str


def unknown(why: str) -> Answer:
    """Return the answer where nothing can be said.

    >>> unknown("no state can be read").line
    'HEAL UNKNOWN - no state can be read'
    """
    return Answer(State.UNKNOWN, f"HEAL UNKNOWN - {_plain(why)}")


def assess(snapshot: Snapshot, now: float, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> Answer:
    """Return the answer on the healers of ``snapshot`` at ``now`` (epoch seconds)."""
    views = rows(snapshot, now, thresholds)
    if not views:
        return unknown("there is no healer")
    told = [(STATE_OF[view.word], _of_healer(view)) for view in views]
    told += [(State.WARNING, text) for text in _of_host(snapshot, now)]
    state = worst(found for found, _ in told)
    bad = [text for rank in _WORST_FIRST[:-1] for found, text in told if found is rank]
    said = bad[:TOLD] + ([f"and {len(bad) - TOLD} more"] if len(bad) > TOLD else [])
    counted = "1 healer" if len(views) == 1 else f"{len(views)} healers"
    fine = sum(view.word == OK for view in views)
    text = "; ".join([f"{fine} of {counted} ok", *said])
    healers = {healer.id: healer for healer in snapshot.healers}
    data = _counted(views)
    if len(views) <= DETAILED:
        for view in sorted(views, key=lambda view: view.name):
            data += _detailed(view, healers[view.name], thresholds)
    return Answer(state, f"HEAL {state.name} - {text} | {' '.join(data)}")


def worst(states: Iterable[State]) -> State:
    """Return the worst state: critical, warning, unknown, ok, in this order.

    >>> worst([State.OK, State.UNKNOWN, State.WARNING]).name
    'WARNING'
    """
    return min(states, key=_WORST_FIRST.index, default=State.OK)


def _of_healer(view: HealerRow) -> str:
    return f"{_plain(view.name)} {view.word}: {_plain(view.problem)}"


def _of_host(snapshot: Snapshot, now: float) -> list[str]:
    """What concerns all healers: sources that cannot be read, a halt, a clock that stepped."""
    said = []
    if snapshot.audit_health.state is SourceState.UNKNOWN:
        said.append(f"audit log unreadable: {_plain(snapshot.audit_health.detail)}")
    if snapshot.redis_health.state is SourceState.UNKNOWN:
        said.append(f"Redis unknown: {_plain(snapshot.redis_health.detail)}")
    else:
        said += [_plain(stop) for stop in stops_said(snapshot, now)]
    return said + [_plain(anomaly) for anomaly in snapshot.anomalies]


def _counted(views: Sequence[HealerRow]) -> list[str]:
    counts = {state: sum(STATE_OF[view.word] is state for view in views) for state in _WORST_FIRST}
    return [
        f"healers={len(views)};;;0",
        f"ok={counts[State.OK]};;;0;{len(views)}",
        f"warning={counts[State.WARNING]};0;;0;{len(views)}",
        f"critical={counts[State.CRITICAL]};;0;0;{len(views)}",
        f"unknown={counts[State.UNKNOWN]};;;0;{len(views)}",
    ]


def _detailed(view: HealerRow, healer: HealerState, thresholds: Thresholds) -> list[str]:
    """Heartbeat, circuits, tokens and markers; what is not known is ``U``, as the format says."""
    interval = interval_of(healer)
    oldest = thresholds.stale_s
    if interval > 0:
        oldest = thresholds.missed_beats * interval + thresholds.grace_s
    beat = "U" if view.beat_age is None else f"{max(0.0, view.beat_age):.0f}s"
    circuits = "U" if "cb" in view.unread else f"{view.circuits_bad}"
    unknown_tokens = view.tokens_corrupt or "rate" in view.unread
    tokens = "U" if unknown_tokens else f"{view.tokens_micro / MICRO:.2f}"
    markers = "U" if view.markers_active is None else f"{view.markers_active}"
    return [
        f"{_label(view.name, 'beat')}={beat};;{oldest:.0f};0",
        f"{_label(view.name, 'circuits')}={circuits};;;0",
        f"{_label(view.name, 'tokens')}={tokens};;;0;{view.burst}",
        f"{_label(view.name, 'markers')}={markers};;;0",
    ]


def _label(name: str, what: str) -> str:
    """A label: single quotes and equal signs would end it."""
    safe = visible(name, _LABEL_LIMIT).replace("'", "_").replace("=", "_").replace("|", "_")
    return f"'{safe} {what}'"


def _plain(text: str) -> str:
    """``text`` without what would end the line or begin the performance data."""
    return visible(text, _TEXT_LIMIT).replace("|", "¦")
