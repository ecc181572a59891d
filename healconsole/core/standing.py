"""How a healer stands at one instant: circuits, tokens, markers, heartbeat.

Computed for every healer once a second, so nothing here reads a marker or hashes more than a
handful of intents in each bucket.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from healconsole.core.breaker import BreakerNow, breaker_now
from healconsole.core.bucket import next_token_in, tokens_now
from healconsole.core.frozen import Frozen
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.limits import Limits
from healconsole.core.marker import denies_until
from healconsole.core.records import MICRO, BreakerRecord, Corrupt, CycleRecord, MarkerRecord
from healconsole.core.snapshot import HealerState, Heartbeat
from healconsole.core.text import encodable
from healconsole.core.words import Circuit

_CIRCUIT_RANK = {
    Circuit.OPEN: 0,
    Circuit.CORRUPT: 1,
    Circuit.FORCED_OPEN: 2,
    Circuit.HALF_OPEN: 3,
    Circuit.CLOSED: 4,
}
_NAMED_INTENTS = 16
_NEVER = 1 << 40


class Thresholds(Frozen):
    """From when on something asks for attention. Seconds."""

    stale_s: float = 180.0
    """A heartbeat older than this is stale, where nobody says how often it beats."""
    missed_beats: float = 3.0
    """Where the interval is known: so many intervals without a beat are too many."""
    grace_s: float = 3.0
    """What a healthy cycle may take on top of them."""
    ahead_s: float = 5.0
    """A heartbeat further ahead of the clock than this tells nothing: it is stale."""


DEFAULT_THRESHOLDS = Thresholds()


class WorstCircuit(Frozen):
    """The worst circuit of a healer."""

    circuit: Circuit = Circuit.CLOSED
    scope: str = ""
    now: BreakerNow | None = None
    """None if there is no breaker, or that one is corrupt."""
    bad: int = 0
    """Circuits that are not closed."""


def worst_circuit(healer: HealerState, limits: Limits, now: float) -> WorstCircuit:
    """Return the worst circuit; of two that are equally bad, the one that changes last."""
    found: WorstCircuit | None = None
    best = (0, 0)
    bad = 0
    for breaker in healer.breakers:
        record = breaker.record
        current = None if isinstance(record, Corrupt) else _meaning(record, limits, now)
        state = Circuit.CORRUPT if current is None else current.state
        until = 0 if current is None else current.until or _NEVER
        bad += state is not Circuit.CLOSED
        key = (_CIRCUIT_RANK[state], -until)
        if found is None or key < best:
            found, best = WorstCircuit(state, breaker.scope, current), key
    return (
        WorstCircuit()
        if found is None
        else WorstCircuit(found.circuit, found.scope, found.now, bad)
    )


def _meaning(record: BreakerRecord, limits: Limits, now: float) -> BreakerNow:
    policy = limits.policy
    if limits.assumed and record.max_failures is not None and record.cooldown is not None:
        return breaker_now(record, record.max_failures, record.cooldown, now)
    return breaker_now(record, policy.max_failures, policy.cooldown, now)


def least_tokens(
    healer: HealerState, limits: Limits, now: float
) -> tuple[int, int, float | None, bool]:
    """Return micro-tokens and burst of the poorest bucket, the seconds until it has one more
    token (None: never), and whether a bucket is corrupt.
    """
    rate, burst = limits.policy.rate_micro, limits.policy.burst
    least: tuple[int, int, int] | None = None
    corrupt = False
    for bucket in healer.buckets:
        record = bucket.record
        if isinstance(record, Corrupt):
            corrupt = True
            continue
        own_rate, own_burst = rate, burst
        if limits.assumed and record.rate_micro is not None and record.burst is not None:
            own_rate, own_burst = record.rate_micro, record.burst
        tokens = tokens_now(record, own_rate, own_burst, now)
        if least is None or tokens < least[0]:
            least = (tokens, own_rate, own_burst)
    tokens, rate, burst = least or (burst * MICRO, rate, burst)
    return tokens, burst, next_token_in(tokens, rate, burst), corrupt


def interval_of(healer: HealerState) -> float:
    """Return the seconds between the healer's cycles; 0 if nobody says."""
    cycle = healer.cycle
    if isinstance(cycle, CycleRecord) and (cycle.interval > 0 or cycle.next_due > cycle.at):
        return cycle.interval if cycle.interval > 0 else cycle.next_due - cycle.at
    return (healer.catalog.interval or 0.0) if healer.catalog is not None else 0.0


def heartbeat_age(
    healer: HealerState, now: float, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> tuple[float | None, bool]:
    """Return the seconds since the last cycle, None if not known, and whether that is stale."""
    beat = healer.heartbeat
    if not isinstance(beat, Heartbeat):
        return None, False
    old = now - beat.at
    interval = interval_of(healer)
    patience = thresholds.missed_beats * interval + thresholds.grace_s
    oldest = patience if interval > 0 else thresholds.stale_s
    return old, old > oldest or old < -thresholds.ahead_s


def markers_active(healer: HealerState, bucket: int, now: float) -> int | None:
    """Return how many markers deny now, or None if that cannot be told.

    Exact where the markers were read. Otherwise the intents seen last are hashed with the
    number of this bucket: the file names alone then tell.
    """
    if "keys" in healer.unread:
        return None
    if healer.markers_total == 0:
        return 0
    if healer.markers is not None:
        return _denying(healer.markers, bucket, now)
    if not healer.intents:
        return None
    n = bucket_number(now, bucket)
    active = _marked(healer.intents[:_NAMED_INTENTS], n, healer.marker_keys)
    return active + _still_active(healer, n, bucket, now)


def _denying(markers: Sequence[MarkerRecord | Corrupt], bucket: int, now: float) -> int:
    """How many intents these markers deny. An action across an edge leaves two for one."""
    n = bucket_number(now, bucket)
    found: set[str] = set()
    for marker in markers:
        if isinstance(marker, Corrupt):
            continue
        for window in (n, n - 1):
            of_window = _is_of(marker, window, bucket)
            if of_window and denies_until(marker.at, window, bucket) > now:
                found.add(marker.intent or marker.key)
    return len(found)


def _is_of(marker: MarkerRecord, window: int, bucket: int) -> bool:
    if marker.intent is None:  # of a legacy marker only the time is known
        return bucket_number(marker.at, bucket) == window
    return marker.key == marker_key(encodable(marker.intent), window)


@lru_cache(maxsize=4096)
def _marked(intents: tuple[str, ...], n: int, keys: frozenset[str]) -> int:
    return sum(marker_key(encodable(intent), n) in keys for intent in intents)


def _still_active(healer: HealerState, n: int, bucket: int, now: float) -> int:
    """1 if the last event's marker is of the bucket before, and young enough to deny."""
    last = healer.last
    if healer.marked:
        of_window = [
            marker
            for marker in healer.marked
            if isinstance(marker, MarkerRecord)
            and _is_of(marker, n - 1, bucket)
            and denies_until(marker.at, n - 1, bucket) > now
        ]
        now_too = {
            marker.intent
            for marker in healer.marked
            if isinstance(marker, MarkerRecord) and _is_of(marker, n, bucket)
        }
        return sum(marker.intent not in now_too for marker in of_window)
    if last is None or last.ts is None or not n * bucket > last.ts > now - bucket:
        return 0
    intent = encodable(last.intent)
    keys = healer.marker_keys
    return int(marker_key(intent, n - 1) in keys and marker_key(intent, n) not in keys)
