"""What a healer's directory holds, in lines: breakers, buckets, markers, its loop."""

from __future__ import annotations

from typing import TypeGuard

from healconsole.core.ages import age, clock_time, countdown
from healconsole.core.breaker import breaker_now
from healconsole.core.bucket import next_token_in, tokens_now
from healconsole.core.frozen import replace
from healconsole.core.limits import limits_of
from healconsole.core.records import MICRO, BreakerRecord, BucketRecord, Corrupt, MarkerRecord
from healconsole.core.shadow import rehearsed, rehearses
from healconsole.core.snapshot import HealerState, ScopedBreaker, ScopedBucket
from healconsole.core.words import Circuit
from healconsole.tui.widgets.cells import Line, cell, fit, gap
from healconsole.tui.widgets.healerlines import pips
from healconsole.tui.words import CIRCUIT_SIGNS

_MARKERS_SHOWN = 200
_UNKNOWN: Line = (gap(3), cell("? unknown: cannot be read", "alarm"))


def parts_lines(healer: HealerState, now: float, width: int, utc_offset_s: int) -> list[Line]:
    """Return the breakers, buckets and markers of a healer."""
    shadow = " of dry-run, which decide" if rehearses(healer, now) else ""
    healer = rehearsed(healer, now)
    scopes = [len(part.scope) for part in healer.breakers]
    scopes += [len(part.scope) for part in healer.buckets]
    widths = (min(max(scopes, default=8), max(10, width // 3)), width)
    unread = healer.unread
    lines: list[Line] = [_head("Breakers", "?" if "cb" in unread else len(healer.breakers))]
    lines += [_breaker(healer, part, now, widths, utc_offset_s) for part in healer.breakers]
    if "cb" in unread:
        lines.append(_UNKNOWN)
    elif not healer.breakers:
        lines.append((gap(3), cell("none yet: every scope is closed", "dim")))
    lines.append(_head("Buckets", "?" if "rate" in unread else len(healer.buckets), shadow))
    lines += [_bucket(healer, part, now, widths) for part in healer.buckets]
    if "rate" in unread:
        lines.append(_UNKNOWN)
    elif not healer.buckets:
        lines.append((gap(3), cell("none yet: every scope is full", "dim")))
    lines.append(_head("Markers", "?" if "keys" in unread else healer.markers_total, shadow))
    lines += _markers(healer, now, width, utc_offset_s)
    return lines


def _head(title: str, number: int | str, about: str = "") -> Line:
    return (gap(1), cell(title, "head"), gap(1), cell(f"{number}{about}", "dim"))


def _breaker(
    healer: HealerState, part: ScopedBreaker, now: float, widths: tuple[int, int], utc_offset_s: int
) -> Line:
    scope_width, width = widths
    start = (gap(3), fit(part.scope, scope_width), gap(1))
    if isinstance(part.record, Corrupt):
        return (*start, fit(f"CORRUPT {part.record.why}", width - scope_width - 5, "alarm"))
    limits = limits_of(healer, part.scope)
    state = breaker_now(part.record, limits.policy.max_failures, limits.policy.cooldown, now)
    sign = CIRCUIT_SIGNS[state.state]
    mark = "~" if limits.breaker_assumed else ""
    says = f"{state.failures} of {state.max_failures}{mark} failed"
    if state.state is Circuit.HALF_OPEN:
        says += ", probe out" if state.probe_out else ", one probe may go"
    elif state.until is not None and state.state in {Circuit.OPEN, Circuit.FORCED_OPEN}:
        says += f", until {clock_time(state.until, utc_offset_s)}"
    elif state.state is Circuit.FORCED_OPEN:
        says += ", until reset"
    if isinstance(part.record, BreakerRecord) and state.anomaly:
        says += f", ! {state.anomaly}"
    room = max(0, width - scope_width - 17)
    return (
        *start,
        cell(sign.glyph, sign.tone),
        gap(1),
        fit(sign.word, 10, sign.tone),
        fit(says, room, "dim"),
    )


def _bucket(healer: HealerState, part: ScopedBucket, now: float, widths: tuple[int, int]) -> Line:
    scope_width, width = widths
    start = (gap(3), fit(part.scope, scope_width), gap(1))
    if isinstance(part.record, Corrupt):
        return (*start, fit(f"CORRUPT {part.record.why}", width - scope_width - 5, "alarm"))
    limits = limits_of(healer, part.scope)
    rate, burst = limits.policy.rate_micro, limits.policy.burst
    record: BucketRecord = part.record
    tokens = tokens_now(record, rate, burst, now)
    wait = next_token_in(tokens, rate, burst)
    tenths = tokens * 10 // MICRO
    mark = "~" if limits.rate_assumed else ""
    says = "" if wait is None else f", next token in {countdown(wait)}"
    tone = "bad" if tokens < MICRO else "text"
    return (
        *start,
        fit(pips(tokens, burst, 5), 5, "dim"),
        gap(1),
        cell(f"{tenths // 10}.{tenths % 10} of {burst}{mark}", tone),
        fit(says, max(0, width - scope_width - 20), "dim"),
    )


def _markers(healer: HealerState, now: float, width: int, utc_offset_s: int) -> list[Line]:
    if "keys" in healer.unread:
        return [_UNKNOWN]
    if not healer.markers_total:
        return [(gap(3), cell("none: nothing was done lately", "dim"))]
    if healer.markers is None:
        return [(gap(3), cell("reading …", "dim"))]
    bucket = limits_of(healer).policy.bucket
    # An act over the edge of a window has a marker in both (docs/contract.md): files of one act.
    acts: dict[object, tuple[MarkerRecord | Corrupt, int]] = {}
    for marker in healer.markers[:_MARKERS_SHOWN]:
        act = replace(marker, key="") if _is_named(marker) else marker
        first, files = acts.get(act, (marker, 0))
        acts[act] = first, files + 1
    return [
        _marker(marker, files, now, bucket, width, utc_offset_s) for marker, files in acts.values()
    ]


def _is_named(marker: MarkerRecord | Corrupt) -> TypeGuard[MarkerRecord]:
    return isinstance(marker, MarkerRecord) and not marker.legacy


def _marker(
    marker: MarkerRecord | Corrupt,
    files: int,
    now: float,
    bucket: int,
    width: int,
    utc_offset_s: int,
) -> Line:
    if isinstance(marker, Corrupt):
        return (gap(3), fit(f"CORRUPT {marker.path}: {marker.why}", width - 4, "alarm"))
    active = now - marker.at < bucket
    name = marker.intent if marker.intent is not None else f"not named: {marker.key[:12]}…"
    if files > 1:
        name += f" (in {files} windows)"
    outcome = marker.outcome or "legacy"
    return (
        gap(3),
        cell("●" if active else "○", "text" if active else "dim"),
        gap(1),
        fit(name, max(10, width - 35), "text" if active else "dim"),
        gap(1),
        fit(outcome, 11, "dim"),
        gap(1),
        cell(clock_time(marker.at, utc_offset_s), "dim"),
        fit(age(now - marker.at), 5, "dim", right=True),
    )
