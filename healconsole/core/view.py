"""What one row of the healer table says at one instant.

A thousand of these are made once a second, so nothing here reads a marker, hashes more than
a handful of intents in each bucket, or builds a verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from healconsole.core.ages import age
from healconsole.core.breaker import BreakerNow, breaker_now
from healconsole.core.bucket import next_token_in, tokens_now
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.limits import Limits, limits_of
from healconsole.core.mode import DRY_RUN, LIVE, UNKNOWN, hold_now, mode_now, reads_overrides
from healconsole.core.records import (
    MICRO,
    BreakerRecord,
    Corrupt,
    CycleRecord,
    MarkerRecord,
    OverrideRecord,
)
from healconsole.core.snapshot import HealerState, Heartbeat, Snapshot
from healconsole.core.text import encodable
from healconsole.core.words import FAILURES, Circuit

OK = "ok"
"""Word of a row in which nothing asks for a look."""

STOPPED, ATTENTION, INFORM, FINE = 3, 2, 1, 0

_GLYPHS = {STOPPED: "✖", ATTENTION: "!", INFORM: "✔", FINE: "✔"}
_DRY_GLYPH = "◌"
_NOTHING_GLYPH = "·"

# Order within the table and of the status line: what stopped by itself comes before what an
# operator stopped, and a dead loop before a failing one.
_RANKS = (
    *("open", "corrupt", "unreadable", "forced-open"),
    *("stale", "failing", "half-open", "held", "unknown", OK),
)
_RANK = {word: rank for rank, word in enumerate(_RANKS)}

_CIRCUIT_RANK = {
    Circuit.OPEN: 0,
    Circuit.CORRUPT: 1,
    Circuit.FORCED_OPEN: 2,
    Circuit.HALF_OPEN: 3,
    Circuit.CLOSED: 4,
}
_NAMED_INTENTS = 16
_NEVER = 1 << 40


@dataclass(frozen=True, slots=True)
class Thresholds:
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


@dataclass(frozen=True, slots=True)
class HealerRow:
    """One healer as the table shows it. Spans in seconds."""

    name: str
    severity: int
    """3 stopped, 2 asks for attention, 1 to know (sorts as ok), 0 ok."""
    glyph: str
    word: str
    """One word for the state: ``open``, ``stale``, ``ok`` and so on."""
    circuit: Circuit
    """The worst of its circuits."""
    circuit_scope: str
    circuit_remaining: float | None
    """Until that circuit changes by itself; None if it does not."""
    probe_out: bool
    """Whether that circuit is half-open with its probe under way."""
    circuits_bad: int
    """Circuits that are not closed."""
    assumed: bool
    """Whether a limit shown is a guess."""
    tokens_micro: int
    """Of the bucket that has the least."""
    burst: int
    next_token_s: float | None
    tokens_corrupt: bool
    markers_active: int | None
    """Markers that deny now; None if that cannot be told without reading them."""
    markers_total: int
    beat_age: float | None
    """None if there is no heartbeat, or none that can be read."""
    beat_stale: bool
    mode: str
    """``LIVE``, ``DRY-RUN``, ``HELD`` or ``UNKNOWN``."""
    last_outcome: str
    last_age: float | None
    problem: str
    """Why the row is not ok, in one sentence; may hold data from outside."""


def healer_row(
    healer: HealerState, now: float, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> HealerRow:
    """Return what the table says of `healer` at `now` (epoch seconds)."""
    limits = limits_of(healer)
    worst = _worst_circuit(healer, limits, now)
    until = None if worst.now is None else worst.now.until
    tokens, burst, wait, tokens_corrupt = _least_tokens(healer, limits, now)
    beat_age, beat_stale = heartbeat_age(healer, now, thresholds)
    mode = mode_now(healer, now)
    word, problem = (
        _stopped(healer, worst)
        or _needs_attention(healer, worst, beat_age if beat_stale else None, now)
        or _nothing_wrong(healer)
    )
    severity = _severity(word, mode, healer, limits)
    last = healer.last
    return HealerRow(
        name=healer.name,
        severity=severity,
        glyph=_glyph(severity, mode, healer),
        word=word,
        circuit=worst.circuit,
        circuit_scope=worst.scope,
        circuit_remaining=None if until is None else until - now,
        probe_out=worst.now is not None and worst.now.probe_out,
        circuits_bad=worst.bad,
        assumed=bool(limits.assumed),
        tokens_micro=tokens,
        burst=burst,
        next_token_s=wait,
        tokens_corrupt=tokens_corrupt,
        markers_active=markers_active(healer, limits.policy.bucket, now),
        markers_total=healer.markers_total,
        beat_age=beat_age,
        beat_stale=beat_stale,
        mode=mode,
        last_outcome="" if last is None else last.outcome,
        last_age=None if last is None or last.ts is None else now - last.ts,
        problem=problem,
    )


def rows(
    snapshot: Snapshot, now: float, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> tuple[HealerRow, ...]:
    """Return the rows of all healers, worst first, then by name."""
    made = [healer_row(healer, now, thresholds) for healer in snapshot.healers]
    return tuple(sorted(made, key=lambda row: (_RANK[row.word], row.name)))


def counts(shown: Iterable[HealerRow]) -> dict[str, int]:
    """Return how many rows are in which state, by word, worst first, without zeros.

    >>> counts(())
    {}
    """
    found = Counter(row.word for row in shown)
    return {word: found[word] for word in _RANKS if found[word]}


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
    if healer.markers_total == 0:
        return 0
    if healer.markers is not None:
        return sum(isinstance(m, MarkerRecord) and now - m.at < bucket for m in healer.markers)
    if not healer.intents:
        return None
    n = bucket_number(now, bucket)
    active = _marked(healer.intents[:_NAMED_INTENTS], n, healer.marker_keys)
    return active + _still_active(healer, n, bucket, now)


@lru_cache(maxsize=4096)
def _marked(intents: tuple[str, ...], n: int, keys: frozenset[str]) -> int:
    return sum(marker_key(encodable(intent), n) in keys for intent in intents)


def _still_active(healer: HealerState, n: int, bucket: int, now: float) -> int:
    """1 if the last event's marker is of the bucket before, and young enough to deny."""
    last = healer.last
    if last is None or last.ts is None or not n * bucket > last.ts > now - bucket:
        return 0
    intent = encodable(last.intent)
    keys = healer.marker_keys
    return int(marker_key(intent, n - 1) in keys and marker_key(intent, n) not in keys)


@dataclass(frozen=True, slots=True)
class _Worst:
    """The worst circuit of a healer."""

    circuit: Circuit = Circuit.CLOSED
    scope: str = ""
    now: BreakerNow | None = None
    """None if there is no breaker, or that one is corrupt."""
    bad: int = 0
    """Circuits that are not closed."""


def _stopped(healer: HealerState, worst: _Worst) -> tuple[str, str] | None:
    """A word and a sentence if nothing acts here, or nobody can tell that it may."""
    if healer.problem:
        return "unreadable", healer.problem
    if worst.circuit is Circuit.OPEN and worst.now is not None:
        return "open", f"circuit {worst.scope} open: {worst.now.failures} failures"
    corrupt = _denying_corrupt(healer)
    if corrupt is not None:
        return "corrupt", f"{corrupt.path} is corrupt: {corrupt.why}"
    if worst.circuit is Circuit.FORCED_OPEN:
        return "forced-open", f"circuit {worst.scope} forced open by an operator"
    return None


def _needs_attention(
    healer: HealerState, worst: _Worst, stale_age: float | None, now: float
) -> tuple[str, str] | None:
    if stale_age is not None:
        return "stale", _stale_sentence(stale_age)
    if healer.last is not None and healer.last.outcome in FAILURES:
        return "failing", f"last outcome {healer.last.outcome}"
    unread = _other_corrupt(healer)
    if unread is not None:
        return "failing", f"{unread.path} is corrupt: {unread.why}"
    if worst.circuit is Circuit.HALF_OPEN and worst.now is not None:
        out = "its probe is out" if worst.now.probe_out else "one probe may go"
        return "half-open", f"circuit {worst.scope} half-open: {out}"
    held = hold_now(healer, now)
    if isinstance(held, OverrideRecord):
        return "held", f"held by {held.operator} for {age(now - held.since)}"
    return None


def _nothing_wrong(healer: HealerState) -> tuple[str, str]:
    if healer.heartbeat is None and healer.last is None:
        return "unknown", "no heartbeat and no audit event"
    return OK, ""


def _severity(word: str, mode: str, healer: HealerState, limits: Limits) -> int:
    if _RANK[word] <= _RANK["forced-open"]:
        return STOPPED
    if _RANK[word] <= _RANK["held"]:
        return ATTENTION
    plain = word == OK and mode == LIVE and not limits.assumed and healer.heartbeat is not None
    return FINE if plain else INFORM


def _glyph(severity: int, mode: str, healer: HealerState) -> str:
    if severity <= INFORM:
        if mode == DRY_RUN:
            return _DRY_GLYPH
        if mode == UNKNOWN and healer.last is None:
            return _NOTHING_GLYPH
    return _GLYPHS[severity]


def _worst_circuit(healer: HealerState, limits: Limits, now: float) -> _Worst:
    """Of two that are equally bad the one that changes last counts."""
    found: _Worst | None = None
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
            found, best = _Worst(state, breaker.scope, current), key
    return _Worst() if found is None else _Worst(found.circuit, found.scope, found.now, bad)


def _meaning(record: BreakerRecord, limits: Limits, now: float) -> BreakerNow:
    policy = limits.policy
    if limits.assumed and record.max_failures is not None and record.cooldown is not None:
        return breaker_now(record, record.max_failures, record.cooldown, now)
    return breaker_now(record, policy.max_failures, policy.cooldown, now)


def _least_tokens(
    healer: HealerState, limits: Limits, now: float
) -> tuple[int, int, float | None, bool]:
    """Micro-tokens and burst of the poorest bucket, seconds to its next token, any corrupt."""
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


def _stale_sentence(beat_age: float) -> str:
    if beat_age < 0:
        return f"its heartbeat is {age(-beat_age)} ahead of the clock"
    return f"no heartbeat for {age(beat_age)}"


def _denying_corrupt(healer: HealerState) -> Corrupt | None:
    """The first corrupt file that makes the guardrails deny."""
    if isinstance(healer.hold, Corrupt) and reads_overrides(healer):
        return healer.hold
    for breaker in healer.breakers:
        if isinstance(breaker.record, Corrupt):
            return breaker.record
    for bucket in healer.buckets:
        if isinstance(bucket.record, Corrupt):
            return bucket.record
    return next((claim for claim in healer.claims if isinstance(claim, Corrupt)), None)


def _other_corrupt(healer: HealerState) -> Corrupt | None:
    """The first corrupt file that only keeps something from being known."""
    for record in (healer.cycle, healer.heartbeat, healer.dry_run):
        if isinstance(record, Corrupt):
            return record
    return None
