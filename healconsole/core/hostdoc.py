"""What a host publishes of its healers: written here, read by ``core.hostread``.

One header and one line of JSON a healer; the records inside keep the spelling of their files,
so that a reader takes them with the same strict parsers. ``docs/contract.md`` has the format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from healconsole.core.auditline import AuditEvent
from healconsole.core.breaker import format_breaker
from healconsole.core.bucket import format_bucket
from healconsole.core.claim import format_claim
from healconsole.core.cycle import format_cycle
from healconsole.core.fields import MAX_EPOCH, format_micro
from healconsole.core.frozen import replace
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.limits import limits_of
from healconsole.core.marker import format_marker
from healconsole.core.override import format_override
from healconsole.core.records import Corrupt, CycleRecord, MarkerRecord, Policy
from healconsole.core.request import Request
from healconsole.core.requestdoc import REQUESTS_MAX, published
from healconsole.core.shadow import rehearsed
from healconsole.core.snapshot import PARTS, CatalogEntry, HealerState, Heartbeat, Snapshot
from healconsole.core.text import encodable
from healconsole.core.words import Circuit, SourceState

DOC_MAX: Final = 1 << 20
"""Bytes of one host's document; more is not read."""
HEALERS_MAX: Final = 256
PARTS_MAX: Final = 64
"""Breakers, buckets, claims and marker names of one healer."""
INTENTS_MAX: Final = 16
TEXT_MAX: Final = 1024
"""Characters of one text."""
PROBLEMS_MAX: Final = 8
REQUESTS_SIZE: Final = 131_072
"""Bytes of all requests of one host."""

_HOST: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_EVENT: Final = ("host", "healer", "intent", "outcome", "reason", "fact", "scope", "guard")


def is_host_name(name: str) -> bool:
    """Whether a host of this name can publish.

    >>> is_host_name("web-07.example.org"), is_host_name("a/b"), is_host_name("")
    (True, False, False)
    """
    return _HOST.fullmatch(name) is not None


def header_line(
    host: str,
    at: float,
    healers: int,
    problems: Sequence[str],
    left_off: int,
    requests: Sequence[Request] = (),
) -> bytes:
    """Return the first line of a document, newline included.

    Args:
        host: who publishes.
        at: epoch seconds on that host's clock.
        healers: how many lines follow.
        problems: what is wrong with the host as a whole.
        left_off: healers for whom there was no room.
        requests: acts that wait for a second person.
    """
    header = {
        "v": 1,
        "host": host,
        "at": round(at, 3),
        "healers": healers,
        "left_off": left_off,
        "problems": [_text(problem) for problem in problems[:PROBLEMS_MAX]],
        "requests": _fitting(published(request) for request in requests[:REQUESTS_MAX]),
    }
    return orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE)


def _fitting(requests: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of them, as many as there is room for."""
    told, size = [], 0
    for request in requests:
        size += len(orjson.dumps(request))
        if size > REQUESTS_SIZE:
            break
        told.append(request)
    return told


def problems_of(snapshot: Snapshot) -> tuple[str, ...]:
    """Return what is wrong with a host as a whole: a source that tells nothing, an anomaly."""
    state, audit = snapshot.state_health, snapshot.audit_health
    silent = []
    if state.state in {SourceState.UNKNOWN, SourceState.MISSING}:
        silent.append(f"state {state.state}: {state.detail}")
    if audit.state is SourceState.UNKNOWN:  # a log that is missing was not needed yet
        silent.append(f"audit {audit.state}: {audit.detail}")
    return (*silent, *snapshot.anomalies)


def healer_line(healer: HealerState, now: float) -> bytes:
    """Return the line of one healer, newline included.

    Of one in dry-run buckets and markers are the shadow ones, which decide. Of its markers those
    are named that the intents it was last seen with have in this window
    and the one before: a reader can tell with them what the owner of the directory can.
    """
    healer = rehearsed(healer, now)
    last = healer.last
    found = {
        "name": _text(healer.name),
        "path": _text(healer.path),
        "library": str(healer.library),
        "problem": _text(healer.problem),
        "unread": sorted(PARTS & healer.unread),
        "absent": healer.absent,
        "cycle": _cycle(healer.cycle),
        "heartbeat": _heartbeat(healer.heartbeat),
        "hold": _line(healer.hold, format_override),
        "dry_run": _line(healer.dry_run, format_override),
        "breakers": [
            [_text(one.scope), one.file, _line(one.record, format_breaker)]
            for one in _worst_first(healer)
        ],
        "buckets": [
            [_text(one.scope), one.file, _line(one.record, format_bucket)]
            for one in healer.buckets[:PARTS_MAX]
        ],
        "claims": [
            _line(one, format_claim)
            if isinstance(one, Corrupt)
            else [one.slot, one.alive, format_claim(one).decode("ascii")]
            for one in healer.claims[:PARTS_MAX]
        ],
        "markers": healer.markers_total,
        "marker_keys": sorted(_keys(healer, now)),
        "marked": [_marked(one) for one in healer.marked],
        "daemon_pid": healer.daemon_pid,
        "catalog": None if healer.catalog is None else _entry(healer.catalog),
        "last": None if last is None else _event(last),
        "intents": [_text(intent) for intent in healer.intents[:INTENTS_MAX]],
    }
    return orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)


def _worst_first(healer: HealerState) -> Sequence[Any]:
    if len(healer.breakers) <= PARTS_MAX:
        return healer.breakers
    closed = [
        not isinstance(one.record, Corrupt) and one.record.state is Circuit.CLOSED
        for one in healer.breakers
    ]
    ranked = sorted(range(len(closed)), key=lambda place: closed[place])
    return [healer.breakers[place] for place in ranked[:PARTS_MAX]]


def _keys(healer: HealerState, now: float) -> Iterable[str]:
    bucket = limits_of(healer).policy.bucket
    n = bucket_number(now, bucket)
    named = (
        marker_key(encodable(intent), window)
        for intent in healer.intents[:INTENTS_MAX]
        for window in (n - 1, n)
    )
    # A marker that is corrupt denies too: without its name the fleet would show that it may act.
    read = {
        one.key if isinstance(one, MarkerRecord) else one.path.rpartition("/")[2]
        for one in healer.marked
    }
    return read | {key for key in named if key in healer.marker_keys}


def _line(record: Any, write: Any) -> object:  # noqa: ANN401 - one of the records, and its writer
    """A record in the spelling of its file, without the newline; what is corrupt as an object."""
    if record is None:
        return None
    if isinstance(record, Corrupt):
        return {"path": _text(record.path), "corrupt": _text(record.why)}
    return write(record).decode("utf-8").rstrip("\n")


def _marked(marker: MarkerRecord | Corrupt) -> object:
    if isinstance(marker, Corrupt):
        return _line(marker, format_marker)
    return [marker.key, marker.at, _line(marker, format_marker)]


def _cycle(cycle: CycleRecord | Corrupt | None) -> object:
    if not isinstance(cycle, CycleRecord):
        return _line(cycle, format_cycle)
    return _line(replace(cycle, fact=_text(cycle.fact), intent=_text(cycle.intent)), format_cycle)


def _heartbeat(beat: Heartbeat | Corrupt | None) -> object:
    return [beat.at, beat.source] if isinstance(beat, Heartbeat) else _line(beat, None)


def _entry(entry: CatalogEntry) -> dict[str, object]:
    return {
        "path": _text(entry.path),
        "description": _text(entry.description),
        "owner": _text(entry.owner),
        "runbook": _text(entry.runbook),
        "unit": _text(entry.unit),
        "user": _text(entry.user),
        "stage": _text(entry.stage),
        "interval": entry.interval,
        "runnable": bool(entry.command),
        "policy": None if entry.policy is None else _policy(entry.policy),
        "problem": _text(entry.problem),
    }


def _policy(policy: Policy) -> dict[str, object]:
    """As a ``[policy]`` table says it."""
    whole = ("burst", "max_failures", "cooldown", "bucket")
    texts = {"scope": policy.scope, "fleet_lock": policy.fleet_lock}
    return {
        "rate": format_micro(policy.rate_micro),
        **{name: getattr(policy, name) for name in whole},
        **{name: text for name, text in texts.items() if text},
    }


def _event(event: AuditEvent) -> dict[str, object]:
    texts = {name: _text(getattr(event, name)) for name in _EVENT if getattr(event, name)}
    return {"ts": _text(event.ts_text), **texts, "dry_run": event.dry_run, **_run(event)}


def _run(event: AuditEvent) -> dict[str, int]:
    """How many it tells of, and when the last of them was."""
    until = {"until": event.until} if event.until and 0 < event.until <= MAX_EPOCH else {}
    return {"count": event.count, **until}


def _text(text: str) -> str:
    return encodable(text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…")
