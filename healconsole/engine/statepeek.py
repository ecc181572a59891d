"""Looking at the guard state: without a lock, or under it, and always the same questions."""

from __future__ import annotations

from pathlib import Path

from healconsole.core.breaker import rebased as rebased_breaker
from healconsole.core.bucket import rebased as rebased_bucket
from healconsole.core.frozen import replace
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    Corrupt,
    OverrideRecord,
    Policy,
)
from healconsole.core.verdict import FleetState, GuardState, Intent
from healconsole.core.words import Circuit
from healconsole.engine.recovery import interrupted
from healconsole.stores.commit import Held
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.statedir import StateDir
from healconsole.stores.statefiles import read_state_file


class StatePeek:
    """What one guard sees of its state directory, which need not be there yet.

    ``rehearse`` makes every look one of dry-run, whatever the operator's file says; so does
    ``outside``, which says why this host is not in the rollout yet.
    """

    def __init__(
        self, path: Path, dry_env: str | None, *, rehearse: bool, outside: str = ""
    ) -> None:
        self._path = path
        self._env = "true" if rehearse else dry_env
        self._rehearse = rehearse
        self.outside = outside
        self._state: StateDir | None = None

    def close(self) -> None:
        """Close all descriptors; a later look opens them again."""
        if self._state is not None:
            self._state.close()
            self._state = None

    def state(
        self, intent: Intent, policy: Policy, now: float, fleet: FleetState | None
    ) -> GuardState:
        """All that a verdict is decided on; a directory that cannot be read denies."""
        opened = self._state or self._open()
        if isinstance(opened, StateDir):
            return self.state_of(opened, intent, policy, now, fleet)
        return GuardState(
            claims=(opened,) if opened is not None else (),
            fleet=fleet,
            dry_env=self._env,
            outside=self.outside,
        )

    def state_of(
        self,
        source: StateDir | Held,
        intent: Intent,
        policy: Policy,
        now: float,
        fleet: FleetState | None,
    ) -> GuardState:
        """The same of a directory that is open, or whose lock is held."""
        if not self._rehearse and not self.outside:
            return source.guard_state(intent, policy, now, dry_env=self._env, fleet=fleet)
        state = source.guard_state(intent, policy, now, dry=True, dry_env=self._env, fleet=fleet)
        if not self._rehearse:
            return replace(state, outside=self.outside)
        return replace(state, dry_run=None, outside=self.outside)

    def dry_run(self) -> tuple[OverrideRecord | Corrupt | None, str | None]:
        """The operator's override and ``DRY_RUN``, as far as they count here."""
        opened = self._open()
        if self._rehearse or opened is None:
            return None, self._env
        if isinstance(opened, Corrupt):
            return opened, self._env
        found = read_state_file(opened.fd, "dry-run")
        return (found if isinstance(found, OverrideRecord | Corrupt) else None), self._env

    def has_interrupted(self) -> bool:
        """Whether an act ended without an outcome."""
        opened = self._open()
        return isinstance(opened, StateDir) and bool(interrupted(opened.claims()))

    def wants_mending(self, state: GuardState, policy: Policy, now: float) -> bool:
        """Whether something must be written back before this state is decided on."""
        if state.claims and interrupted(state.claims):
            return True
        bucket, breaker = state.bucket, state.breaker
        return (
            isinstance(bucket, BucketRecord)
            and bucket.last_refill > now
            and rebased_bucket(bucket, policy, now) is not None
        ) or (
            isinstance(breaker, BreakerRecord)
            # Asked first because it is cheap, and true of nearly every breaker that is met.
            and not (
                breaker.last_failure <= now
                and breaker.until <= now + policy.cooldown
                and breaker.state is not Circuit.HALF_OPEN
            )
            and rebased_breaker(breaker, policy, now) is not None
        )

    def _open(self) -> StateDir | Corrupt | None:
        if self._state is None:
            try:
                self._state = StateDir(self._path)
            except Missing:
                return None
            except Unreadable as error:
                return Corrupt(str(self._path), error.word)
        return self._state
