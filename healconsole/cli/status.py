"""``status``: the healers of this host, once."""

from __future__ import annotations

import argparse
import time

from healconsole.cli.output import emit_json, paint, show, table, width
from healconsole.cli.settings import local_offset, look, only, settings
from healconsole.core.ages import age, countdown, iso
from healconsole.core.explain import explain, sentence
from healconsole.core.records import MICRO
from healconsole.core.snapshot import HealerState, Snapshot, SourceHealth
from healconsole.core.status import status_object
from healconsole.core.text import visible
from healconsole.core.view import HealerRow, counts, rows

_KINDS = ("good", "dim", "warn", "bad")


def run(args: argparse.Namespace) -> int:
    """Show the healers that are named, or all of them."""
    config = settings(args)
    snapshot = only(look(config), args.names)
    now = time.time()
    if args.json:
        emit_json(status_object(snapshot, now))
        return 0
    views = rows(snapshot, now, config.thresholds)
    for line in heading(snapshot, views, now):
        show(line)
    show()
    if not views:
        show("No healers yet: none has a directory in the state root, or an entry in the catalog.")
    for line in healer_lines(snapshot, views, now, details=bool(args.names)):
        show(line)
    return 0


def heading(snapshot: Snapshot, views: tuple[HealerRow, ...], now: float) -> list[str]:
    """Host, healers by state, time; below it how each source does."""
    stamp = iso(now, local_offset(now))[:19].replace("T", " ")
    said = ", ".join(counts(views)) or "no healers"
    sources = (
        ("state", snapshot.state_health),
        ("audit", snapshot.audit_health),
        ("redis", snapshot.redis_health),
    )
    lines = [
        f"{paint(visible(snapshot.host), 'head')}  {stamp}  {said}",
        "  ".join(f"{name} {_health(health)}" for name, health in sources),
    ]
    lines += [
        f"  {name}: {visible(health.detail)}"
        for name, health in sources
        if health.detail and health.state in {"unknown", "missing", "polling"}
    ]
    lines += [f"  ! {visible(anomaly)}" for anomaly in snapshot.anomalies]
    return lines


def _health(health: SourceHealth) -> str:
    if health.latency_ms is None or health.state == "unknown":
        return str(health.state)
    return f"{health.state} {health.latency_ms:.0f} ms"


def healer_lines(
    snapshot: Snapshot, views: tuple[HealerRow, ...], now: float, *, details: bool
) -> list[str]:
    """The table, each healer that is not well followed by why, or all by their details."""
    if not views:
        return []
    head, *cells = table(
        ("", "HEALER", "CIRCUIT", "", "TOKENS", "MARKS", "BEAT", "MODE", "LAST"),
        [_cells(view) for view in views],
        frozenset({3, 4, 5, 6}),
    )
    by_name = {healer.name: healer for healer in snapshot.healers}
    limit = width()
    lines = [paint(head[:limit], "head")]
    for view, line in zip(views, cells, strict=True):
        lines.append(paint(line[:limit], _KINDS[view.severity] if view.severity else ""))
        healer = by_name[view.name]
        if details or view.severity:
            said = view.problem or sentence(explain(healer, snapshot, None, now), now)
            lines.append(f"   {visible(said)}")
        if details:
            lines += [f"   {line}" for line in _details(healer)]
    return lines


def _cells(view: HealerRow) -> tuple[str, ...]:
    remaining = "" if view.circuit_remaining is None else countdown(view.circuit_remaining)
    tokens = "corrupt" if view.tokens_corrupt else f"{view.tokens_micro / MICRO:.1f}/{view.burst}"
    active = "?" if view.markers_active is None else str(view.markers_active)
    beat = "none" if view.beat_age is None else age(view.beat_age) + ("!" * view.beat_stale)
    last = "" if view.last_age is None else f"{visible(view.last_outcome)} {age(view.last_age)}"
    return (
        view.glyph,
        visible(view.name),
        f"{view.circuit}{' ~' if view.assumed else ''}",
        remaining,
        tokens + ("~" if view.assumed else ""),
        f"{active}/{view.markers_total}",
        beat,
        view.mode,
        last,
    )


def _details(healer: HealerState) -> list[str]:
    return [visible(healer.path)]
