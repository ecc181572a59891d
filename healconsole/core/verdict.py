"""What a verdict is decided on, and what it says."""

from __future__ import annotations

from healconsole.core.frozen import Frozen
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    OverrideRecord,
)
from healconsole.core.storm import StormRecord
from healconsole.core.words import Guardrail, StepResult


class Intent(Frozen):
    """What decide asks for: ``VERB key=value ...``. Made by ``core.intent.parse_intent``."""

    text: str
    scope: str


class FleetState(Frozen):
    """What Redis says. ``unknown`` (a reason) is never taken for free or healthy."""

    unknown: str = ""
    halted: str = ""
    """Reason of a stop that is for this healer here; empty if there is none."""
    halt_of: str = "fleet"
    """Whom that stop is for: ``fleet``, ``healer <name>`` or ``hosts <pattern>``."""
    halt_until: int = 0
    """When it ends; 0 = no end."""
    lock_holder: str = ""
    """Owner token of the lock that the policy asks for; empty if it is free."""
    lock_ttl: float | None = None
    slots_taken: int | None = None
    """How many hold a slot of the policy's group; None = not asked."""
    slots_ttl: float = 0.0
    """Seconds until the first of them ends."""
    storm: StormRecord | Corrupt | None = None
    tokens_micro: int | None = None
    """What is in the fleet bucket that the policy asks for; None = not asked."""


class GuardState(Frozen):
    """All that one verdict is decided on, read at one instant.

    The engine reads it from disk and Redis, the console from a snapshot, a test from its head.
    ``marker`` and ``previous_marker`` belong to the intent's key in this bucket and the one
    before; in dry-run, bucket and markers are the shadow ones.
    """

    hold: OverrideRecord | Corrupt | None = None
    dry_run: OverrideRecord | Corrupt | None = None
    marker: MarkerRecord | Corrupt | None = None
    previous_marker: MarkerRecord | Corrupt | None = None
    bucket: BucketRecord | Corrupt | None = None
    breaker: BreakerRecord | Corrupt | None = None
    claims: tuple[ClaimRecord | Corrupt, ...] = ()
    """Of the whole healer; ``alive`` filled in."""
    fleet: FleetState | None = None
    """None where no Redis is configured."""
    dry_env: str | None = None
    """``DRY_RUN`` as the environment has it, or None if unset."""
    outside: str = ""
    """Why this host is not in the healer's rollout yet; empty if it is."""


class Step(Frozen):
    """One rung of the ladder."""

    guard: Guardrail
    result: StepResult
    evidence: str
    """A sentence; may hold data from outside."""
    earliest: int | None = None
    """When this rung can change; None = time alone does not change it, or it passes already."""


class Verdict(Frozen):
    """What the guardrails say of one intent now."""

    intent: str
    scope: str
    allow: bool
    guard: Guardrail | None
    """The guardrail that denies; None if allowed."""
    reason: str
    earliest: int | None
    """The earliest time at which this answer can change; None = no passing of time changes it,
    only an operator or the end of an action that runs."""
    dry_run: bool
    """The healer is in dry-run: what is allowed is only to write what would have been done."""
    probe: bool
    """Allowed as the one probe of a half-open breaker, which is then to be taken."""
    steps: tuple[Step, ...] = ()
