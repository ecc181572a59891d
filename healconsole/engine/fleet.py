"""The fleet's part in an act: what Redis says of it, its leases, and its token."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from healconsole.core.frozen import Frozen
from healconsole.core.records import MICRO, Policy
from healconsole.core.verdict import FleetState
from healconsole.stores.fleetlook import Asker, FleetLink
from healconsole.stores.redislink import RedisLink, RedisUnknown

FENCE_VARIABLE = "HEAL_FENCE"
SLOT_FENCE_VARIABLE = "HEAL_SLOT_FENCE"


class LeaseDenied(Exception):  # noqa: N818 - an answer; ``state`` is what a verdict is made of
    """A lease was not had: others have it, or Redis does not say."""

    def __init__(self, state: FleetState) -> None:
        super().__init__(state.unknown or "the lease is taken")
        self.state = state


class Fleet:
    """What one healer has to do with the fleet; ``log`` takes a line for people."""

    def __init__(self, url: str, healer: str, host: str, log: Callable[[str], None]) -> None:
        self._link = RedisLink(url)
        self._fleet = FleetLink(self._link)
        self._healer = healer
        self._host = host
        self._log = log

    def state(
        self,
        policy: Policy,
        scope: str,
        now: float,
        *,
        wanting: bool = False,
        leased: bool = False,
        halts: bool = True,
    ) -> FleetState:
        """What Redis says now: unknown is a state, not an error. See ``FleetLink.state``."""
        asker = self._asker(policy, scope)
        return self._fleet.state(asker, now, wanting=wanting, leased=leased, halts=halts)

    def check_in(self, policy: Policy) -> None:
        """Be one of the live hosts, where the storm brake counts them."""
        if policy.fleet_storm is None:
            return
        try:
            self._fleet.check_in(self._asker(policy, ""))
        except RedisUnknown as unknown:
            self._log(f"this host is not counted in the fleet: {unknown.why}")

    def spend(self, policy: Policy, scope: str) -> FleetState | None:
        """Take a fleet token; None if it was had, or none is asked for. Else what denies."""
        if policy.fleet_rate_micro is None:
            return None
        try:
            there = self._fleet.take_token(self._asker(policy, scope))
        except RedisUnknown as unknown:
            return FleetState(unknown=unknown.why)
        return None if there >= MICRO else FleetState(tokens_micro=there)

    def unspend(self, policy: Policy, scope: str) -> None:
        """Give back the token of an act that did not start."""
        if policy.fleet_rate_micro is None:
            return
        try:
            self._fleet.give_token_back(self._asker(policy, scope))
        except RedisUnknown as unknown:
            self._log(f"a token of the fleet bucket stays spent: {unknown.why}")

    def lease(self, policy: Policy, scope: str, now: float) -> Leases | None:
        """The lock and the slot that ``policy`` asks for; None if it asks for neither.

        Raises:
            LeaseDenied: one is not to be had, or Redis does not say whether it is.
        """
        owner = f"{self._host}/{self._healer}/{os.getpid()}/{uuid.uuid4()}"
        leases = Leases(())
        for term in self._terms(policy, owner):
            # Counted from before the question: the lease began no earlier than that.
            asked = time.monotonic()
            try:
                fence = term.take()
            except RedisUnknown as unknown:
                leases.release()
                raise LeaseDenied(FleetState(unknown=unknown.why)) from unknown
            if fence is None:
                leases.release()
                raise LeaseDenied(self._taken(policy, scope, now, term))
            lease = Lease(term, policy.fleet_lock_ttl, fence, asked, self._log)
            leases = Leases((*leases.all, lease))
        return leases if leases.all else None

    def _terms(self, policy: Policy, owner: str) -> Iterator[Term]:
        ttl_ms = policy.fleet_lock_ttl * 1000
        if (key := policy.fleet_lock) is not None:
            yield Term(
                f"fleet lock {key}",
                FENCE_VARIABLE,
                partial(self._link.acquire, key, owner, ttl_ms),
                partial(self._link.renew, key, owner, ttl_ms),
                partial(self._link.release, key, owner),
            )
        if (group := policy.fleet_slots) is not None:
            most = policy.fleet_slots_max
            yield Term(
                f"slot of {group}",
                SLOT_FENCE_VARIABLE,
                partial(self._fleet.take_slot, group, owner, ttl_ms, most),
                partial(self._fleet.renew_slot, group, owner, ttl_ms),
                partial(self._fleet.release_slot, group, owner),
            )

    def _taken(self, policy: Policy, scope: str, now: float, term: Term) -> FleetState:
        """What a verdict says of a lease that others have, or had a moment ago."""
        state = self.state(policy, scope, now, halts=False)
        there = (
            state.lock_holder
            if term.variable == FENCE_VARIABLE
            else ((state.slots_taken or 0) >= policy.fleet_slots_max)
        )
        if state.unknown or there:
            return state
        return FleetState(unknown=f"{term.what} was taken a moment ago")

    def close(self) -> None:
        """Close the connections."""
        self._link.close()

    def _asker(self, policy: Policy, scope: str) -> Asker:
        return Asker(self._healer, self._host, policy, scope)


class Term(Frozen):
    """One thing that can be leased, and the three steps on it in Redis."""

    what: str
    variable: str
    """Environment variable that hands its fencing number to the action."""
    take: Callable[[], int | None]
    renew: Callable[[], bool]
    release: Callable[[], bool]


class Lease:
    """A lock or slot that is ours for a while; renewed at a third of its time, by whoever asks it.

    ``fence`` grows with each lease on the key: a resource that remembers the highest one can
    refuse whoever lost the lease and does not know it.
    """

    def __init__(
        self, term: Term, ttl: float, fence: int, asked: float, log: Callable[[str], None]
    ) -> None:
        self.ttl = ttl
        self._log = log
        self._ends = asked + ttl
        self._renew_at = asked + ttl / 3
        self._lost = ""
        self.term = term
        self.fence = fence

    def tick(self) -> str:
        """Renew if it is time; why the lease is lost, or "". Lost once is lost."""
        now = time.monotonic()
        if self._lost or now < self._renew_at:
            return self._lost
        try:
            kept = self.term.renew()
        except RedisUnknown as unknown:
            self._renew_at = now + every(self.ttl)
            if time.monotonic() >= self._ends:
                self._lost = f"{self.term.what} was lost: {unknown.why}"
            return self._lost
        if not kept:
            self._lost = f"{self.term.what} was lost"
        else:
            self._ends = now + self.ttl
            self._renew_at = now + self.ttl / 3
        return self._lost

    def release(self) -> None:
        """Give it back, if it is still ours. If Redis does not answer, it runs out."""
        try:
            self.term.release()
        except RedisUnknown as unknown:
            self._log(f"{self.term.what} was left to run out: {unknown.why}")


class Leases(Frozen):
    """All that one act has leased."""

    all: tuple[Lease, ...]

    @property
    def every(self) -> float:
        """How often to ask, in seconds, so that no renewal comes late."""
        return min((every(lease.ttl) for lease in self.all), default=1.0)

    @property
    def environ(self) -> Mapping[str, str]:
        """The fencing numbers, for the action. A slot's stands in where there is no lock."""
        found = {lease.term.variable: str(lease.fence) for lease in self.all}
        if FENCE_VARIABLE not in found and SLOT_FENCE_VARIABLE in found:
            found[FENCE_VARIABLE] = found[SLOT_FENCE_VARIABLE]
        return found

    def tick(self) -> str:
        """Renew what is due; why one is lost, or ""."""
        return next((lost for lease in self.all if (lost := lease.tick())), "")

    def release(self) -> None:
        """Give all back."""
        for lease in reversed(self.all):
            lease.release()


def every(ttl: float) -> float:
    """Seconds between two looks at a lease of so many seconds."""
    return min(1.0, ttl / 10)


@contextmanager
def given_back(fleet: Fleet | None, policy: Policy, scope: str) -> Iterator[None]:
    """Give the fleet's token back if what follows raises. ``fleet`` None: none was taken."""
    try:
        yield
    except BaseException:
        if fleet is not None:
            fleet.unspend(policy, scope)
        raise
