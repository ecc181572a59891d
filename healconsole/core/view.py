"""What one row of the healer table says at one instant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from healconsole.core.explain import halt_reaching
from healconsole.core.frozen import Frozen
from healconsole.core.limits import Limits, limits_of
from healconsole.core.mode import DRY_RUN, HELD, LIVE, UNKNOWN, mode_now
from healconsole.core.shadow import rehearsed
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.core.standing import (
    DEFAULT_THRESHOLDS,
    Thresholds,
    heartbeat_age,
    interval_of,
    least_tokens,
    markers_active,
    worst_circuit,
)
from healconsole.core.trouble import OK, RANKS, trouble
from healconsole.core.words import Circuit

__all__ = [
    "ATTENTION",
    "DEFAULT_THRESHOLDS",
    "FINE",
    "INFORM",
    "OK",
    "STOPPED",
    "HealerRow",
    "Thresholds",
    "counts",
    "healer_row",
    "heartbeat_age",
    "interval_of",
    "markers_active",
    "rows",
]

STOPPED, ATTENTION, INFORM, FINE = 3, 2, 1, 0

_GLYPHS = {STOPPED: "✖", ATTENTION: "!", INFORM: "✔", FINE: "✔"}
_DRY_GLYPH = "◌"
_NOTHING_GLYPH = "·"

_RANK = {word: rank for rank, word in enumerate(RANKS)}


class HealerRow(Frozen):
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
    lost_age: float | None = None
    """Since when its host tells no more; None while it does."""
    unread: frozenset[str] = frozenset()
    """What of ``snapshot.PARTS`` could not be read: what the row says of it is unknown."""
    host: str = ""
    """Empty where all healers are of this host; else ``name`` begins with it."""

    @property
    def healer(self) -> str:
        """The name without the host."""
        return self.name[len(self.host) + 1 :] if self.host else self.name


def healer_row(
    healer: HealerState, now: float, thresholds: Thresholds = DEFAULT_THRESHOLDS, halt: str = ""
) -> HealerRow:
    """Return what the table says of `healer` at `now` (epoch seconds).

    ``halt`` is that which stops it (``explain.halt_reaching``): one that is well is held by it.
    """
    decides = rehearsed(healer, now)
    limits = limits_of(decides)
    worst = worst_circuit(healer, limits, now)
    until = None if worst.now is None else worst.now.until
    tokens, burst, wait, tokens_corrupt = least_tokens(decides, limits, now)
    beat_age, beat_stale = heartbeat_age(healer, now, thresholds)
    mode = mode_now(healer, now)
    word, problem = trouble(healer, worst, beat_age if beat_stale else None, now)
    if halt and healer.lost_since is None:
        mode = HELD
        if word in {OK, "unknown"}:
            word, problem = "held", halt
    severity = _severity(word, mode, healer, limits)
    last = healer.last
    return HealerRow(
        name=healer.id,
        host=healer.host,
        lost_age=None if healer.lost_since is None else max(0.0, now - healer.lost_since),
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
        markers_active=markers_active(decides, limits.policy.bucket, now),
        markers_total=decides.markers_total,
        beat_age=beat_age,
        beat_stale=beat_stale,
        mode=mode,
        last_outcome="" if last is None else last.outcome,
        last_age=None if last is None or last.ts is None else now - last.ts,
        problem=problem,
        unread=decides.unread,
    )


def rows(
    snapshot: Snapshot, now: float, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> tuple[HealerRow, ...]:
    """Return the rows of all healers, worst first, then by name."""
    made = [
        healer_row(healer, now, thresholds, halt_reaching(healer, snapshot, now))
        for healer in snapshot.healers
    ]
    return tuple(sorted(made, key=lambda row: (_RANK[row.word], row.name)))


def counts(shown: Iterable[HealerRow]) -> dict[str, int]:
    """Return how many rows are in which state, by word, worst first, without zeros.

    >>> counts(())
    {}
    """
    found = Counter(row.word for row in shown)
    return {word: found[word] for word in RANKS if found[word]}


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
