"""The closed sets of words that files, verdicts and the screen use."""

from __future__ import annotations

from enum import StrEnum


class Circuit(StrEnum):
    """State of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    FORCED_OPEN = "forced-open"
    CORRUPT = "corrupt"


class Guardrail(StrEnum):
    """The guardrails, in the order in which they are asked."""

    INTENT = "intent"
    HOLD = "hold"
    IDEMPOTENCY = "idempotency"
    RATE = "rate"
    CIRCUIT = "circuit"
    FLEET = "fleet"
    DRY_RUN = "dry-run"
    RECORD = "record"
    """Not asked for an opinion: denies when marker or audit event cannot be written."""


class StepResult(StrEnum):
    """What one guardrail says on the ladder."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    DENY = "deny"
    DRY = "dry"
    OFF = "off"
    """Not configured here."""
    NOT_REACHED = "not-reached"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """``outcome`` of an audit event."""

    SUCCESS = "success"
    DRY_RUN = "dry-run"
    VERIFY_FAILED = "verify-failed"
    ACTION_FAILED = "action-failed"
    STARTED = "started"
    INTERRUPTED = "interrupted"
    TIMED_OUT = "timed-out"
    DENIED = "denied"
    OPERATOR_TRIP = "operator-trip"
    OPERATOR_RESET = "operator-reset"
    OPERATOR_HOLD = "operator-hold"
    OPERATOR_RELEASE = "operator-release"
    OPERATOR_DRY_RUN = "operator-dry-run"
    OPERATOR_RUN = "operator-run"
    OPERATOR_UNDO = "operator-undo"
    OPERATOR_DONE = "operator-done"
    """The result of the act that was announced before; one that failed is undone."""
    OPERATOR_REQUEST = "operator-request"
    """An act that waits for a second person."""
    OPERATOR_DECLINE = "operator-decline"
    """A request that somebody took away, so that nobody approves it."""
    OPERATOR_HALT = "operator-halt"
    OPERATOR_RESUME = "operator-resume"
    OPERATOR_BREAK = "operator-break"


class Library(StrEnum):
    """Which library a healer is written on."""

    HEAL_SH = "heal.sh"
    PYTHON = "python"
    LEGACY = "legacy"
    UNKNOWN = "unknown"


class SourceState(StrEnum):
    """Health of a source of data."""

    LIVE = "live"
    """Changes are pushed to us."""
    POLLING = "polling"
    """Changes are looked for; a push channel is not to be had."""
    MISSING = "missing"
    """Nothing is there yet."""
    UNKNOWN = "unknown"
    """Cannot be read; nothing that it says may be taken for current."""
    OFF = "off"
    """Not configured."""
    STARTING = "starting"


FAILURES = frozenset(
    {Outcome.VERIFY_FAILED, Outcome.ACTION_FAILED, Outcome.INTERRUPTED, Outcome.TIMED_OUT}
)
"""Outcomes that count as a failure of the action."""
