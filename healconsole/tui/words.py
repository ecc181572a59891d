"""How the screens spell states and outcomes: a glyph and a word each, and a tone beside them."""

from __future__ import annotations

from typing import NamedTuple

from healconsole.core.words import FAILURES, Circuit, Outcome, SourceState, StepResult


class Sign(NamedTuple):
    """A glyph with its word and tone; the tone never stands alone."""

    glyph: str
    word: str
    tone: str


SEVERITY_SIGNS = (
    Sign("✔", "ok", "ok"),
    Sign("◌", "note", "info"),
    Sign("!", "attention", "warn"),
    Sign("✖", "stopped", "bad"),
)
"""By ``HealerRow.severity``."""

CIRCUIT_SIGNS = {
    Circuit.CLOSED: Sign("✔", "closed", "dim"),
    Circuit.OPEN: Sign("✖", "OPEN", "alarm"),
    Circuit.HALF_OPEN: Sign("!", "half-open", "warn"),
    Circuit.FORCED_OPEN: Sign("✖", "FORCED", "alarm"),
    Circuit.CORRUPT: Sign("✖", "CORRUPT", "alarm"),
}

STEP_SIGNS = {
    StepResult.PASS: Sign("✔", "passes", "ok"),
    StepResult.DENY: Sign("✖", "denies", "alarm"),
    StepResult.DRY: Sign("◌", "dry-run", "info"),
    StepResult.OFF: Sign("·", "not used", "dim"),
    StepResult.NOT_REACHED: Sign("·", "not asked", "dim"),
    StepResult.UNKNOWN: Sign("?", "unknown", "warn"),
}

SOURCE_SIGNS = {
    SourceState.LIVE: Sign("●", "live", "ok"),
    SourceState.POLLING: Sign("◐", "polling", "warn"),
    SourceState.MISSING: Sign("○", "missing", "warn"),
    SourceState.UNKNOWN: Sign("?", "unknown", "alarm"),
    SourceState.OFF: Sign("·", "off", "dim"),
    SourceState.STARTING: Sign("…", "starting", "dim"),
}

MODE_TONES = {"LIVE": "text", "DRY-RUN": "info", "HELD": "warn", "UNKNOWN": "warn"}

_OUTCOME_SIGNS: dict[str, Sign] = {
    Outcome.SUCCESS: Sign("✔", "success", "ok"),
    Outcome.DRY_RUN: Sign("◌", "dry-run", "info"),
    Outcome.STARTED: Sign("▸", "started", "text"),
    Outcome.DENIED: Sign("·", "denied", "dim"),
}


def outcome_sign(outcome: str) -> Sign:
    """Return the sign of an audit outcome. An unknown outcome keeps its own word."""
    if outcome in FAILURES:
        return Sign("✖", outcome, "bad")
    if outcome.startswith("operator-"):
        return Sign("◆", outcome, "accent")
    known = _OUTCOME_SIGNS.get(outcome)
    return known if known is not None else Sign("?", outcome or "no outcome", "warn")
