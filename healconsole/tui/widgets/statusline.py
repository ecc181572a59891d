"""The lines at the top: where, how many in which state, who, how each source does, who waits."""

from __future__ import annotations

from collections.abc import Mapping

from healconsole.core.ages import age, clock_time
from healconsole.core.frozen import Frozen
from healconsole.core.request import waiting_words
from healconsole.core.snapshot import Snapshot, SourceHealth
from healconsole.core.stops import stops_said
from healconsole.core.words import SourceState
from healconsole.tui.ports import View
from healconsole.tui.widgets.cells import Cell, Line, cell, fit_most, gap, line_width
from healconsole.tui.widgets.cellview import CellView
from healconsole.tui.words import SOURCE_SIGNS

_STATE_SIGNS: Mapping[str, tuple[str, str]] = {
    "open": ("✖", "alarm"),
    "lost": ("✖", "alarm"),
    "corrupt": ("✖", "alarm"),
    "unreadable": ("✖", "alarm"),
    "forced-open": ("✖", "bad"),
    "stale": ("!", "warn"),
    "failing": ("!", "warn"),
    "half-open": ("!", "warn"),
    "held": ("!", "warn"),
    "unknown": ("·", "dim"),
    "ok": ("✔", "ok"),
}


class Status(Frozen):
    """What the status line says."""

    snapshot: Snapshot
    counts: Mapping[str, int]
    now: float
    view: View
    approve_key: str = ""
    """What approves, as the operator's keyboard has it; empty where nothing can write."""
    feed_silent_s: float = 0.0
    """Seconds for which no word came from the feed, if that is too long; else 0."""


class StatusLine(CellView):
    """Two lines, and one more while an act waits for a second person.

    What does not fit the width goes by importance, never by wrapping.
    """

    def show(self, status: Status) -> None:
        """Show this status."""
        width = self.size.width or self.app.size.width
        lines = [first_line(status, width), second_line(status, width)]
        if waits := waiting_line(status, width):
            lines.append(waits)
        if self.styles.height is None or self.styles.height.value != len(lines):
            self.styles.height = len(lines)
        self.show_lines(lines)


def first_line(status: Status, width: int) -> Line:
    """Host, how many healers in which state, then who looks on, and the time."""
    view = status.view
    left: list[Cell] = [gap(1), cell(status.snapshot.host or view.host or "?", "strong"), gap(2)]
    for word, number in status.counts.items():
        glyph, tone = _STATE_SIGNS.get(word, ("!", "warn"))
        left += [gap(1), cell(f"{glyph} {number} {word}", tone), gap(1)]
    if not status.counts:
        left += [gap(1), cell("no healers", "dim")]
    mode = cell("READ-ONLY", "info") if view.read_only else cell("READ-WRITE", "strong")
    zone = zone_word(view.utc_offset_s)
    clock = cell(clock_time(status.now, view.utc_offset_s), "text")
    time = [clock, cell(f" {zone}", "dim"), gap(1)]
    who = [gap(1), cell(view.operator, "text")] if view.operator else []
    right = [mode, *who, gap(2), *time]
    return spread(tuple(left), tuple(right), width, (mode, gap(2), *time))


def second_line(status: Status, width: int) -> Line:
    """The health of each source, the anomalies, the incident."""
    snapshot = status.snapshot
    left: list[Cell] = [gap(1)]
    for stop in stops_said(snapshot, status.now):
        left += [cell(f"✖ {stop}", "alarm"), gap(2)]
    left += _source("audit", snapshot.audit_health, status.now)
    if snapshot.audit.unparsable:
        left += [cell(f"  ! {snapshot.audit.unparsable} unparsable", "warn")]
    left += [gap(3), *_source("redis", snapshot.redis_health, status.now)]
    healers = f"{len(snapshot.healers)} healers"
    left += [gap(3), *_source("state", snapshot.state_health, status.now, healers)]
    if lost := sum(host.lost_since is not None for host in snapshot.hosts) * snapshot.fleet:
        left.append(cell(f", {lost} host{'s' if lost > 1 else ''} LOST", "alarm"))
    if status.feed_silent_s:
        left += [gap(2), cell(f"! no news for {age(status.feed_silent_s)}", "alarm")]
    left += [piece for text in snapshot.anomalies for piece in (gap(2), cell(f"! {text}", "warn"))]
    incident = status.view.incident
    right = (cell("incident ", "dim"), cell(incident, "text"), gap(1)) if incident else ()
    return spread(tuple(left), right, width, right[1:])


def waiting_line(status: Status, width: int) -> Line:
    """Who waits for a second person, and the key that leads there; empty if nobody does."""
    says = waiting_words(status.snapshot.requests, status.now)
    if not says:
        return ()
    there = " there" if status.snapshot.fleet else ""
    how = f"press {status.approve_key}" if status.approve_key else f"healconsole approve{there}"
    right = cell(f", {how}", "strong")
    return gap(1), fit_most(f"! {says}", width - 2 - right.width, "warn"), right


def zone_word(utc_offset_s: int) -> str:
    """Return how a clock's zone is written beside it.

    >>> zone_word(0), zone_word(-12600)
    ('UTC', '-03:30')
    """
    if utc_offset_s == 0:
        return "UTC"
    minutes = abs(utc_offset_s) // 60
    return f"{'+' if utc_offset_s > 0 else '-'}{minutes // 60:02d}:{minutes % 60:02d}"


def spread(left: Line, right: Line, width: int, smaller: Line) -> Line:
    """Put ``left`` and ``right`` on one line; where they do not fit, ``smaller`` for the right."""
    for end in (right, smaller):
        free = width - line_width(left) - line_width(end)
        if free >= 0:
            return (*left, gap(free), *end)
    return left


def _source(name: str, health: SourceHealth, now: float, says: str = "") -> list[Cell]:
    sign = SOURCE_SIGNS[health.state]
    word = sign.word
    if health.state in {SourceState.LIVE, SourceState.POLLING}:
        if health.latency_ms is not None and name == "redis":
            word = f"{health.latency_ms:.0f} ms"
        elif says:
            word = says if health.state is SourceState.LIVE else f"{says} {sign.word}"
    elif health.last_ok is not None and health.state is SourceState.UNKNOWN:
        word = f"unknown, last answer {age(now - health.last_ok)} ago"
    tone = "text" if health.state is SourceState.LIVE else sign.tone
    return [cell(f"{name} ", "dim"), cell(sign.glyph, sign.tone), gap(1), cell(word, tone)]
