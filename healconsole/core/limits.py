"""Which limits hold for a healer, and which of them nobody declared."""

from __future__ import annotations

from healconsole.core.frozen import Frozen, replace
from healconsole.core.records import (
    DEFAULT_POLICY,
    BreakerRecord,
    BucketRecord,
    CycleRecord,
    Policy,
)
from healconsole.core.snapshot import HealerState
from healconsole.core.words import Library

RATE_LIMITS = frozenset({"rate_micro", "burst"})
BREAKER_LIMITS = frozenset({"max_failures", "cooldown"})
ALL_LIMITS = RATE_LIMITS | BREAKER_LIMITS | {"bucket"}


class Limits(Frozen):
    """The policy of a healer as far as it is known.

    ``assumed`` names the fields of ``policy`` that neither the healer, its files nor its
    catalog entry declare; the screen marks them with ``~``.
    """

    policy: Policy
    assumed: frozenset[str] = frozenset()

    @property
    def rate_assumed(self) -> bool:
        """Whether rate or burst is a guess."""
        return not self.assumed.isdisjoint(RATE_LIMITS)

    @property
    def breaker_assumed(self) -> bool:
        """Whether maximum or cooldown is a guess."""
        return not self.assumed.isdisjoint(BREAKER_LIMITS)


def limits_of(
    healer: HealerState, scope: str | None = None, defaults: Policy = DEFAULT_POLICY
) -> Limits:
    """Return the limits of `healer`, for one scope or, with None, for it as a whole.

    Asked in this order: the healer's own last cycle, the fields that its files carry, its
    catalog entry, `defaults`. Only what comes from the last is assumed. What a legacy
    healer's file carries beyond its two fields was written by an operator's act, on limits
    that were assumed then: it declares nothing.
    """
    catalog = _declared(healer)
    if isinstance(healer.cycle, CycleRecord):
        policy = healer.cycle.policy
        if catalog is None:
            return Limits(policy)
        # A cycle says nothing of the fleet; the catalog may.
        return Limits(
            replace(
                policy,
                scope=catalog.scope,
                redis_unreachable=catalog.redis_unreachable,
                fleet_lock=catalog.fleet_lock,
                fleet_lock_ttl=catalog.fleet_lock_ttl,
                fleet_rate_micro=catalog.fleet_rate_micro,
                fleet_burst=catalog.fleet_burst,
                fleet_slots=catalog.fleet_slots,
                fleet_slots_max=catalog.fleet_slots_max,
                fleet_storm=catalog.fleet_storm,
                fleet_storm_window=catalog.fleet_storm_window,
                stage=catalog.stage,
                canaries=catalog.canaries,
            )
        )
    policy, assumed = (defaults, ALL_LIMITS) if catalog is None else (catalog, frozenset[str]())
    if healer.library is Library.LEGACY:
        return Limits(policy, assumed)
    bucket = _first_bucket(healer, scope)
    if bucket and bucket.rate_micro is not None and bucket.burst is not None:
        policy = replace(policy, rate_micro=bucket.rate_micro, burst=bucket.burst)
        assumed -= RATE_LIMITS
    breaker = _first_breaker(healer, scope)
    if breaker and breaker.max_failures is not None and breaker.cooldown is not None:
        policy = replace(policy, max_failures=breaker.max_failures, cooldown=breaker.cooldown)
        assumed -= BREAKER_LIMITS
    return Limits(policy, assumed)


def _declared(healer: HealerState) -> Policy | None:
    entry = healer.catalog
    return entry.policy if entry is not None and not entry.problem else None


def _first_bucket(healer: HealerState, scope: str | None) -> BucketRecord | None:
    for bucket in healer.buckets:
        record = bucket.record
        if (
            isinstance(record, BucketRecord)
            and record.burst is not None
            and (scope is None or bucket.scope == scope)
        ):
            return record
    return None


def _first_breaker(healer: HealerState, scope: str | None) -> BreakerRecord | None:
    for breaker in healer.breakers:
        record = breaker.record
        if (
            isinstance(record, BreakerRecord)
            and record.max_failures is not None
            and (scope is None or breaker.scope == scope)
        ):
            return record
    return None
