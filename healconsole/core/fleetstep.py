"""What the fleet says of an act: Redis known, no storm, lock, slot and token to be had."""

from __future__ import annotations

import math

from healconsole.core.bucket import tokens_said
from healconsole.core.records import MICRO, Policy
from healconsole.core.storm import storm_said
from healconsole.core.verdict import FleetState, GuardState, Intent, Step
from healconsole.core.words import Guardrail, StepResult

_DENY = StepResult.DENY
_OFF = Step(Guardrail.FLEET, StepResult.OFF, "this healer asks no Redis")
_PASS = Step(Guardrail.FLEET, StepResult.PASS, "not halted")


def fleet_step(intent: Intent, state: GuardState, policy: Policy, now: float) -> Step:
    """Judge what Redis said. What it did not say is never taken for free."""
    fleet = state.fleet
    if fleet is None:
        wanted = asked_of_redis(policy)
        if not wanted:
            return _OFF
        fleet = FleetState(unknown=f"no Redis configured for {wanted}")
    if fleet.unknown:
        if policy.redis_unreachable == "local-only":
            evidence = f"Redis unknown, going on without: {fleet.unknown}"
            return Step(Guardrail.FLEET, StepResult.UNKNOWN, evidence)
        return Step(Guardrail.FLEET, _DENY, f"Redis unknown: {fleet.unknown}")
    if fleet.halted:  # denied by the hold already, which comes first
        evidence = f"{fleet.halt_of} halted: {fleet.halted}"
        return Step(Guardrail.FLEET, _DENY, evidence, fleet.halt_until or None)
    if fleet.storm is not None:
        return Step(Guardrail.FLEET, _DENY, storm_said(fleet.storm, intent.scope))
    return (
        _lock(fleet, policy, now) or _slots(fleet, policy, now) or _tokens(fleet, policy, now)
    ) or _PASS


def asked_of_redis(policy: Policy) -> str:
    """The first limit of a policy that only a Redis can keep; empty if there is none.

    >>> asked_of_redis(Policy(fleet_lock="broker")), asked_of_redis(Policy())
    ('lock broker', '')
    """
    if policy.fleet_lock is not None:
        return f"lock {policy.fleet_lock}"
    if policy.fleet_slots is not None:
        return f"slots {policy.fleet_slots}"
    if policy.fleet_rate_micro is not None:
        return "the fleet bucket"
    return "the storm brake" if policy.fleet_storm is not None else ""


def _lock(fleet: FleetState, policy: Policy, now: float) -> Step | None:
    if not fleet.lock_holder:
        return None
    evidence = f"lock {policy.fleet_lock or ''} is held by {fleet.lock_holder}"
    if fleet.lock_ttl is None:
        return Step(Guardrail.FLEET, _DENY, f"{evidence}, with no end")
    left = max(math.ceil(fleet.lock_ttl), 1)
    return Step(Guardrail.FLEET, _DENY, f"{evidence}, {left} s more", math.floor(now) + left)


def _slots(fleet: FleetState, policy: Policy, now: float) -> Step | None:
    taken = fleet.slots_taken
    if taken is None or taken < policy.fleet_slots_max:
        return None
    left = max(math.ceil(fleet.slots_ttl), 1)
    evidence = (
        f"slots {policy.fleet_slots or ''}: {taken} of {policy.fleet_slots_max} are taken, "
        f"the first for {left} s more"
    )
    return Step(Guardrail.FLEET, _DENY, evidence, math.floor(now) + left)


def _tokens(fleet: FleetState, policy: Policy, now: float) -> Step | None:
    tokens, rate = fleet.tokens_micro, policy.fleet_rate_micro
    if tokens is None or rate is None or tokens >= MICRO:
        return None
    said, wait = tokens_said(tokens, rate, policy.fleet_burst)
    earliest = None if wait is None else math.floor(now) + wait
    return Step(Guardrail.FLEET, _DENY, f"fleet bucket: {said}", earliest)
