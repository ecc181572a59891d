"""The fleet's part in an act: the halt key, and the lease on a lock that the policy asks for."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable

from healconsole.core.records import Policy
from healconsole.core.verdict import FleetState
from healconsole.stores.redislink import RedisLink, RedisUnknown

FENCE_VARIABLE = "HEAL_FENCE"


class LeaseDenied(Exception):  # noqa: N818 - an answer; ``state`` is what a verdict is made of
    """The lock was not had: it is held, or Redis does not say."""

    def __init__(self, state: FleetState) -> None:
        super().__init__(state.unknown or f"held by {state.lock_holder}")
        self.state = state


class Fleet:
    """What one healer has to do with the fleet; ``log`` takes a line for people."""

    def __init__(self, url: str, healer: str, host: str, log: Callable[[str], None]) -> None:
        self._link = RedisLink(url)
        self._who = f"{host}/{healer}"
        self._log = log

    def state(self, policy: Policy, now: float) -> FleetState:
        """What Redis says now: unknown is a state, not an error."""
        return self._link.fleet_state(now, policy.fleet_lock)

    def lease(self, policy: Policy, now: float) -> Lease | None:
        """The lease that ``policy`` asks for; None if it asks for none.

        Raises:
            LeaseDenied: it is held, or Redis does not say whether it is.
        """
        key = policy.fleet_lock
        if key is None:
            return None
        owner = f"{self._who}/{os.getpid()}/{uuid.uuid4()}"
        # Counted from before the question: the lease began no earlier than that.
        asked = time.monotonic()
        try:
            fence = self._link.acquire(key, owner, policy.fleet_lock_ttl * 1000)
        except RedisUnknown as unknown:
            raise LeaseDenied(FleetState(unknown=unknown.why)) from unknown
        if fence is None:
            state = self.state(policy, now)
            if not state.unknown and not state.lock_holder:
                state = FleetState(unknown=f"lock {key} was held a moment ago")
            raise LeaseDenied(state)
        return Lease(self._link, key, owner, policy.fleet_lock_ttl, fence, asked, self._log)

    def close(self) -> None:
        """Close the connections."""
        self._link.close()


class Lease:
    """A lock that is ours for a while; renewed at a third of its time, by whoever asks it.

    ``fence`` grows with each lease on the key: a resource that remembers the highest one can
    refuse whoever lost the lease and does not know it.
    """

    def __init__(
        self,
        link: RedisLink,
        key: str,
        owner: str,
        ttl: float,
        fence: int,
        asked: float,
        log: Callable[[str], None],
    ) -> None:
        self._link = link
        self._key = key
        self._owner = owner
        self._ttl = ttl
        self._log = log
        self._ends = asked + ttl
        self._renew_at = asked + ttl / 3
        self._lost = ""
        self.fence = fence

    @property
    def every(self) -> float:
        """How often to ask, in seconds, so that no renewal comes late."""
        return min(1.0, self._ttl / 10)

    def tick(self) -> str:
        """Renew if it is time; why the lease is lost, or "". Lost once is lost."""
        now = time.monotonic()
        if self._lost or now < self._renew_at:
            return self._lost
        try:
            kept = self._link.renew(self._key, self._owner, int(self._ttl * 1000))
        except RedisUnknown as unknown:
            self._renew_at = now + self.every
            if time.monotonic() >= self._ends:
                self._lost = f"fleet lock {self._key} was lost: {unknown.why}"
            return self._lost
        if not kept:
            self._lost = f"fleet lock {self._key} was lost"
        else:
            self._ends = now + self._ttl
            self._renew_at = now + self._ttl / 3
        return self._lost

    def release(self) -> None:
        """Give the lock back, if it is still ours. If Redis does not answer, it runs out."""
        try:
            self._link.release(self._key, self._owner)
        except RedisUnknown as unknown:
            self._log(f"fleet lock {self._key} was left to run out: {unknown.why}")
