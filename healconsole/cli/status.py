"""``status``: the healers of this host, once."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

from healconsole.cli.errors import DONE
from healconsole.cli.output import emit_json, paint, shortened, show, table, width
from healconsole.cli.settings import local_offset, look, look_at_fleet, only, settings
from healconsole.core.ages import age, countdown, iso
from healconsole.core.explain import explain, sentence
from healconsole.core.records import MICRO
from healconsole.core.request import asked_words
from healconsole.core.snapshot import Snapshot, SourceHealth
from healconsole.core.status import status_object
from healconsole.core.stops import stops_said
from healconsole.core.text import visible
from healconsole.core.view import ATTENTION, HealerRow, counts, rows
from healconsole.core.words import SourceState

_TROUBLED = {SourceState.UNKNOWN, SourceState.MISSING, SourceState.POLLING}
_DENYING = {"open", "forced-open", "half-open", "held"}
"""Words of a row of which the verdict tells more than the row's own sentence."""

HEADER = ("  HEALER", "CIRCUIT", "", "TOKENS", "BEAT", "MODE", "LAST")

_RIGHT = frozenset({2, 3, 4})
_KINDS = ("", "", "warn", "bad")
"""Colours of the severities of a row."""
SHORTEST_NAME = 12


def run(args: argparse.Namespace) -> int:
    """Show the healers that are named, or all of them."""
    config = settings(args)
    snapshot = only(look_at_fleet(config) if args.fleet else look(config), args.names)
    now = time.time()
    answer = status_object(snapshot, now, config.thresholds)
    if args.json:
        emit_json(answer)
        return DONE
    views = rows(snapshot, now, config.thresholds)
    for line in heading(snapshot, views, now):
        show(line)
    show()
    if not views:
        show(_nobody(snapshot))
    ids = [healer.id for healer in snapshot.healers]
    objects = dict(zip(ids, answer["healers"], strict=True))
    for line in healer_lines(snapshot, views, now, objects if args.names else {}):
        show(line)
    return DONE


def _nobody(snapshot: Snapshot) -> str:
    if not snapshot.fleet:
        return "No healers yet: none has a directory in the state root, or an entry in the catalog."
    if not snapshot.hosts:
        return "No host has published yet: run 'healconsole publish' on each."
    return "No healers yet: no host that publishes has one."


def heading(snapshot: Snapshot, views: tuple[HealerRow, ...], now: float) -> list[str]:
    """Host, healers by state, time; below it how each source does."""
    stamp = iso(now, local_offset(now))[:19].replace("T", " ")
    said = ", ".join(f"{n} {word}" for word, n in counts(views).items()) or "no healers"
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
        if health.detail and health.state in _TROUBLED
    ]
    lines += [paint(f"  ! {visible(stop)}", "bad") for stop in stops_said(snapshot, now)]
    lines += [f"  ! {visible(anomaly)}" for anomaly in snapshot.anomalies]
    there = " on that host" if snapshot.fleet else ""
    lines += [
        f"  ! {visible(asked_words(request, now))}; "
        f"healconsole approve {visible(request.id)}{there}"
        for request in snapshot.requests
        if request.until > now
    ]
    return lines


def _health(health: SourceHealth) -> str:
    if health.latency_ms is None or health.state is SourceState.UNKNOWN:
        return str(health.state)
    return f"{health.state} {health.latency_ms:.0f} ms"


def healer_lines(
    snapshot: Snapshot,
    views: tuple[HealerRow, ...],
    now: float,
    objects: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """The table; below a healer that is not well, or is in ``objects``, why and what."""
    if not views:
        return []
    limit = width()
    head, *cells = _fitted([_cells(view) for view in views], limit)
    by_name = {healer.id: healer for healer in snapshot.healers}
    lines = [paint(head[:limit], "head")]
    for view, line in zip(views, cells, strict=True):
        lines.append(paint(line[:limit], _KINDS[view.severity]))
        if view.name in objects or (view.severity >= ATTENTION and view.lost_age is None):
            verdict = explain(by_name[view.name], snapshot, None, now)
            said = _sentences(view, sentence(verdict, now, local_offset(now)))
            shown = said if view.name in objects else said[:1]
            lines += [f"    {visible(line)}"[:limit] for line in shown]
        if view.name in objects:
            lines += [f"    {line}"[:limit] for line in _details(objects[view.name])]
    return lines


def _fitted(cells: Sequence[tuple[str, ...]], limit: int | None) -> list[str]:
    """The table in ``limit`` columns: names give way before anything that tells of a state."""
    lines = table(HEADER, cells, _RIGHT)
    surplus = 0 if limit is None else max(map(len, lines)) - limit
    if surplus <= 0:
        return lines
    longest = max(len(row[0]) for row in cells)
    room = max(SHORTEST_NAME, longest - surplus)
    return table(HEADER, [(shortened(row[0], room), *row[1:]) for row in cells], _RIGHT)


def _sentences(view: HealerRow, verdict: str) -> list[str]:
    """What is the matter and whether it would act; the one that tells more first."""
    if not view.problem:
        return [verdict]
    return [verdict, view.problem] if view.word in _DENYING else [view.problem, verdict]


def _cells(view: HealerRow) -> tuple[str, ...]:
    remaining = "" if view.circuit_remaining is None else countdown(view.circuit_remaining)
    mark = "~" if view.assumed else ""
    circuit, tokens = f"{view.circuit}{mark}", f"{view.tokens_micro / MICRO:.1f}/{view.burst}{mark}"
    if view.tokens_corrupt:
        tokens = f"corrupt{mark}"
    if "cb" in view.unread:
        circuit = "?"
    if "rate" in view.unread:
        tokens = "?"
    no_beat = "?" if "cycle" in view.unread else "none"
    beat = no_beat if view.beat_age is None else age(view.beat_age) + ("!" * view.beat_stale)
    last = "" if view.last_age is None else f"{visible(view.last_outcome)} {age(view.last_age)}"
    if view.lost_age is not None:
        name = f"{view.glyph} {visible(view.name)}"
        return (name, "LOST", age(view.lost_age), tokens, beat, view.mode, last)
    return (
        f"{view.glyph} {visible(view.name)}",
        circuit,
        remaining,
        tokens,
        beat,
        view.mode,
        last,
    )


def _details(healer: Mapping[str, Any]) -> list[str]:
    """Breakers, buckets, markers and the last event, as ``--json`` says them."""
    unread = (part for part in ("breakers", "buckets") if healer[part] is None)
    lines = [f"{part:<9}?: they cannot be read" for part in unread]
    for breaker in healer["breakers"] or ():
        left = breaker["remaining_s"]
        lines.append(
            f"breaker  {visible(breaker['scope'])}: {breaker['state']}, "
            + _of(breaker, "failures", "max", "failed")
            + ("" if left is None else f", {countdown(left)} left")
        )
    for bucket in healer["buckets"] or ():
        wait = bucket["next_token_s"]
        lines.append(
            f"bucket   {visible(bucket['scope'])}: "
            + _of(bucket, "tokens", "burst", "tokens")
            + ("" if wait is None else f", next in {countdown(wait)}")
        )
    markers, active = healer["markers"], healer["markers"]["active"]
    now_active = "an unknown number" if active is None else active
    if markers["total"] is None:
        lines.append("markers  ?: they cannot be read")
    else:
        lines.append(f"markers  {now_active} in this window, {markers['total']} kept")
    if healer["running"]["pid"] is not None:
        lines.append(f"daemon   pid {healer['running']['pid']}")
    return lines


def _of(limit: Mapping[str, Any], have: str, most: str, what: str) -> str:
    if limit[have] is None:
        return "unreadable"
    count = f"{limit[have]:.1f}" if isinstance(limit[have], float) else limit[have]
    return f"{count} of {limit[most]}{' (assumed)' if limit['assumed'] else ''} {what}"
