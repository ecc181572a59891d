"""Who a healer is and how its loop does, in lines."""

from __future__ import annotations

from healconsole.core.ages import age
from healconsole.core.records import CycleRecord
from healconsole.core.snapshot import HealerState, Heartbeat
from healconsole.core.trouble import mends_itself
from healconsole.core.words import Library
from healconsole.tui.widgets.cells import Line, cell, fit, folded, gap
from healconsole.tui.widgets.times import since

_LABEL = 11


def facts_lines(healer: HealerState, now: float, width: int, utc_offset_s: int) -> list[Line]:
    """Return what the healer's loop and its catalog entry say."""
    lines: list[Line] = []
    if healer.host:
        lost = "" if healer.lost_since is None else ": LOST, it tells no more"
        lines += _field("host", healer.host + lost, width, "alarm" if lost else "text")
    if healer.problem:
        lines += _field("problem", healer.problem, width, "alarm")
    lines += _field("loop", _loop(healer), width)
    lines += _field("heartbeat", _heartbeat(healer, now, utc_offset_s), width)
    cycle = healer.cycle
    if isinstance(cycle, CycleRecord):
        lines += _field("last fact", cycle.fact.replace(",", "  ") or "none", width)
        lines += _field("wanted", cycle.intent or "nothing to do", width)
    elif cycle is not None:
        lines += _field(
            "cycle",
            "; ".join(filter(None, (f"CORRUPT: {cycle.why}", mends_itself(healer)))),
            width,
            "alarm",
        )
    entry = healer.catalog
    if entry is None:
        lines += _field("catalog", "no entry: its limits may be assumed, it cannot be run", width)
        return lines
    if entry.problem:
        lines += _field("catalog", entry.problem, width, "warn")
    for label, text in (("owner", entry.owner), ("runbook", entry.runbook), ("unit", entry.unit)):
        if text:
            lines += _field(label, text, width)
    return lines


def _loop(healer: HealerState) -> str:
    library = "legacy heal.sh" if healer.library is Library.LEGACY else str(healer.library)
    if healer.absent:
        return f"unknown: {healer.absence}"
    if "cycle" in healer.unread:
        return "unknown: the directory cannot be read"
    runs = f"pid {healer.daemon_pid}" if healer.daemon_pid else "no process holds .singleton"
    cycle = healer.cycle
    pace = f", every {age(cycle.interval)}" if isinstance(cycle, CycleRecord) else ""
    return f"{library}, {runs}{pace}"


def _heartbeat(healer: HealerState, now: float, utc_offset_s: int) -> str:
    beat = healer.heartbeat
    if beat is None and "cycle" in healer.unread:
        return "unknown: cycle.json cannot be read"
    if beat is None:
        return "none: neither cycle.json nor a textfile metric"
    if isinstance(beat, Heartbeat):
        return f"{since(beat.at, now, utc_offset_s)}, by {beat.source}"
    return f"CORRUPT: {beat.why}"


def _field(label: str, text: str, width: int, tone: str = "text") -> list[Line]:
    parts = folded(text, max(20, width - _LABEL - 3), 4)
    return [
        (gap(1), fit(label if index == 0 else "", _LABEL, "dim"), gap(1), cell(part, tone))
        for index, part in enumerate(parts)
    ]
