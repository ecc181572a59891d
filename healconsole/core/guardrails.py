"""The guardrails: one intent, what is known, the limits and the time give one verdict.

Everybody who asks whether an intent may act asks here: the engine before it acts, the
console for "would it act now?", and the tests. ``shell/heal.sh`` gives the same verdicts in
the same words (``docs/contract.md``, "Reasons").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from healconsole.core.breaker import breaker_now
from healconsole.core.bucket import tokens_now, tokens_said
from healconsole.core.dryrun import effective
from healconsole.core.fleetstep import fleet_step
from healconsole.core.intent import bucket_number
from healconsole.core.marker import denies_until
from healconsole.core.override import in_force
from healconsole.core.records import MICRO, ClaimRecord, Corrupt, MarkerRecord, Policy
from healconsole.core.recovery import recovered
from healconsole.core.scopes import scope_file_name
from healconsole.core.verdict import GuardState, Intent, Step, Verdict
from healconsole.core.words import Circuit, Guardrail, Outcome, StepResult

ALLOWED = "all guardrails pass"
PROBE = "half-open, this is its one probe"

# Python 3.11 looks a member up in its enumeration five times as slowly as a name in its module.
_PASS, _DENY = StepResult.PASS, StepResult.DENY
_IDEMPOTENCY, _RATE, _CIRCUIT = Guardrail.IDEMPOTENCY, Guardrail.RATE, Guardrail.CIRCUIT
_CLOSED, _OPEN = Circuit.CLOSED, Circuit.OPEN
_HOLD_PASS = Step(Guardrail.HOLD, _PASS, "no hold")
_PROBE_PASS = Step(Guardrail.CIRCUIT, _PASS, PROBE)
_LIVE = Step(Guardrail.DRY_RUN, _PASS, "live")
_KEPT = 256
"""Steps that are remembered of each kind: a healer is told the same again and again."""
_OUTCOMES = frozenset({Outcome.STARTED, Outcome.SUCCESS, Outcome.INTERRUPTED, Outcome.DRY_RUN})

Check = Callable[[Intent, GuardState, Policy, float], Step]


def evaluate(
    intent: Intent, state: GuardState, policy: Policy, now: float, *, ladder: bool = True
) -> Verdict:
    """Ask the guardrails, in their order, whether an intent may act now.

    Args:
        intent: what is asked for, as ``parse_intent`` made it.
        state: all that was read; interrupted claims count as recovered.
        policy: the limits.
        now: epoch seconds; decisions use whole seconds.
        ladder: whether guardrails after the one that denies say their piece too, as the
            console shows it. Without it the steps end with the denial.

    Returns:
        The verdict. The first guardrail that denies gives guard, reason and earliest; what
        a later one would say does not change these.
    """
    dry = effective(state.dry_run, state.dry_env, now, state.outside)
    if state.claims:
        state = recovered(state, intent, policy, now, dry=dry.dry)
    steps = [_is_intent(intent.scope)]
    denial: Step | None = None
    for check in _ORDER:
        step = check(intent, state, policy, now)
        steps.append(step)
        if step.result is _DENY and denial is None:
            denial = step
            if not ladder:
                break
    if denial is None or ladder:
        steps.append(Step(Guardrail.DRY_RUN, StepResult.DRY, dry.why) if dry.dry else _LIVE)
    allow, probe = denial is None, False
    if denial is not None:
        # In the order of the fields: by their names it takes half as long again.
        return Verdict(
            intent.text,
            intent.scope,
            allow,
            denial.guard,
            denial.evidence,
            denial.earliest,
            dry.dry,
            probe,
            tuple(steps),
        )
    probe = not dry.dry and any(step is _PROBE_PASS for step in steps)
    return Verdict(
        intent.text,
        intent.scope,
        allow=allow,
        guard=None,
        reason=f"dry-run: {dry.why}" if dry.dry else PROBE if probe else ALLOWED,
        earliest=None,
        dry_run=dry.dry,
        probe=probe,
        steps=tuple(steps),
    )


def refused(text: str, why: str) -> Verdict:
    """Deny a text that cannot be an intent; ``why`` is the message of ``InvalidIntent``.

    >>> refused("", "intent is empty").guard
    <Guardrail.INTENT: 'intent'>
    """
    return denied(Intent(text, ""), Guardrail.INTENT, why)


def denied(intent: Intent, guard: Guardrail, reason: str, *, dry_run: bool = False) -> Verdict:
    """Deny for a reason that only the one who tried can know, such as a full disk."""
    step = Step(guard, _DENY, reason)
    return Verdict(
        intent.text,
        intent.scope,
        allow=False,
        guard=guard,
        reason=reason,
        earliest=None,
        dry_run=dry_run,
        probe=False,
        steps=(step,),
    )


def _corrupt(guard: Guardrail, what: Corrupt) -> Step:
    return Step(guard, _DENY, f"{what.path} is corrupt: {what.why}")


def _hold(intent: Intent, state: GuardState, policy: Policy, now: float) -> Step:
    del intent, policy
    hold = state.hold
    if hold is not None:
        if isinstance(hold, Corrupt):
            return _corrupt(Guardrail.HOLD, hold)
        word = in_force(hold, now)
        if word is not None and word.on:
            if not word.until:
                return Step(Guardrail.HOLD, _DENY, f"held by {word.operator} until released")
            left = word.until - math.floor(now)
            return Step(
                Guardrail.HOLD, _DENY, f"held by {word.operator} for {left} s more", word.until
            )
    if state.fleet is not None and state.fleet.halted:
        halt = state.fleet
        evidence = f"{halt.halt_of} halted: {halt.halted}"
        return Step(Guardrail.HOLD, _DENY, evidence, halt.halt_until or None)
    return _HOLD_PASS


def _idempotency(intent: Intent, state: GuardState, policy: Policy, now: float) -> Step:
    for claim in state.claims:
        if isinstance(claim, Corrupt):
            return _corrupt(Guardrail.IDEMPOTENCY, claim)
        if claim.intent == intent.text:
            since = max(math.floor(now) - claim.at, 0)
            evidence = f"in flight: pid {claim.pid} for {since} s"
            return Step(Guardrail.IDEMPOTENCY, _DENY, evidence)
    number = bucket_number(now, policy.bucket)
    for marker, of in ((state.marker, number), (state.previous_marker, number - 1)):
        if marker is not None:
            step = _marked(marker, of, policy.bucket, math.floor(now))
            if step is not None:
                return step
    return _is_new(policy.bucket)


def _marked(marker: MarkerRecord | Corrupt, of: int, bucket: int, now: int) -> Step | None:
    if isinstance(marker, Corrupt):
        until = (of + 2) * bucket
        what = f"{marker.path} is corrupt: {marker.why}"
    else:
        until = denies_until(marker.at, of, bucket)
        outcome = marker.outcome if marker.outcome in _OUTCOMES else "unknown outcome"
        if marker.legacy:
            outcome = "legacy marker"
        what = f"acted on {max(now - marker.at, 0)} s ago ({outcome})"
    if until <= now:
        return None
    return Step(_IDEMPOTENCY, _DENY, f"{what}, not again for {until - now} s", until)


def _rate(intent: Intent, state: GuardState, policy: Policy, now: float) -> Step:
    del intent
    bucket = state.bucket
    if isinstance(bucket, Corrupt):
        return _corrupt(Guardrail.RATE, bucket)
    tokens = tokens_now(bucket, policy.rate_micro, policy.burst, now)
    if tokens >= MICRO:
        return _has_token(tokens, policy.rate_micro, policy.burst)
    evidence, wait = tokens_said(tokens, policy.rate_micro, policy.burst)
    return Step(_RATE, _DENY, evidence, None if wait is None else math.floor(now) + wait)


def _circuit(intent: Intent, state: GuardState, policy: Policy, now: float) -> Step:
    breaker = state.breaker
    if isinstance(breaker, Corrupt):
        return _corrupt(Guardrail.CIRCUIT, breaker)
    current = breaker_now(
        breaker, policy.max_failures, policy.cooldown, now, lease=policy.probe_lease
    )
    until = current.until
    left = 0 if until is None else until - math.floor(now)
    if current.state is _CLOSED:
        return _is_closed(current.failures, policy.max_failures)
    if current.state is _OPEN:
        evidence = f"{_failed(current.failures, policy.max_failures)}, open for {left} s more"
    elif current.state is Circuit.FORCED_OPEN:
        evidence = "forced open until reset" if until is None else f"forced open for {left} s more"
    elif (runs := _in_flight(intent, state)) is not None:
        evidence, until = f"half-open, pid {runs.pid} is in flight", None
    elif until is not None:
        evidence = f"half-open, a probe is out for at most {left} s more"
    else:
        return _PROBE_PASS
    return Step(_CIRCUIT, _DENY, evidence, until)


@lru_cache(_KEPT)
def _is_intent(scope: str) -> Step:
    return Step(Guardrail.INTENT, _PASS, f"scope {scope}")


@lru_cache(_KEPT)
def _is_new(bucket: int) -> Step:
    return Step(Guardrail.IDEMPOTENCY, _PASS, f"not acted on within {bucket} s")


@lru_cache(_KEPT)
def _has_token(tokens: int, rate_micro: int, burst: int) -> Step:
    return Step(Guardrail.RATE, _PASS, tokens_said(tokens, rate_micro, burst)[0])


@lru_cache(_KEPT)
def _is_closed(failures: int, max_failures: int) -> Step:
    return Step(Guardrail.CIRCUIT, _PASS, f"closed, {_failed(failures, max_failures)}")


def _failed(failures: int, max_failures: int) -> str:
    return f"{failures} of {max_failures} failed"


def _in_flight(intent: Intent, state: GuardState) -> ClaimRecord | None:
    """Find an action that runs in the scope of the intent."""
    if not state.claims:
        return None
    scope_file = scope_file_name(intent.scope)
    for claim in state.claims:
        if isinstance(claim, ClaimRecord) and claim.scope_file == scope_file:
            return claim
    return None


_ORDER: tuple[Check, ...] = (_hold, _idempotency, _rate, _circuit, fleet_step)
