"""The one place where the order of the guardrails is written, and the only caller of an action.

Peek without a lock; commit under ``.guard``, where the question is asked again; act; settle;
verify; record. ``docs/contract.md`` says what is on disk after each step.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

from healconsole.core.dryrun import effective
from healconsole.core.frozen import replace
from healconsole.core.guardrails import denied, evaluate, refused
from healconsole.core.intent import InvalidIntent, parse_intent
from healconsole.core.records import DEFAULT_POLICY, ClaimRecord, Policy
from healconsole.core.stage import outside
from healconsole.core.verdict import FleetState, Intent, Verdict
from healconsole.core.words import Guardrail, Outcome
from healconsole.engine.asked import Asked, Begun, Denied, GuardedResult
from healconsole.engine.denials import Denials
from healconsole.engine.events import Events, to_stderr
from healconsole.engine.execute import Action, Execution, Ticks, execute, verify
from healconsole.engine.fleet import Fleet, LeaseDenied, Leases, given_back
from healconsole.engine.outcomes import Outcomes
from healconsole.engine.process import Beat, Tick, describe, time_limit
from healconsole.engine.recovery import recover_interrupted
from healconsole.engine.settings import Settings
from healconsole.engine.signals import deferred
from healconsole.engine.statepeek import StatePeek
from healconsole.stores.auditlog import AuditUnwritable, AuditWriter
from healconsole.stores.commit import Held, NotCommitted, hold
from healconsole.stores.layout import prepare

OPERATOR = "operator"
"""The trigger of an act that an operator asked for."""


_parsed = lru_cache(256)(parse_intent)
"""A healer asks for the same few intents again and again."""


class Guard:
    """The guardrails of one healer.

    One process may use several, and several processes may use one state directory; one object
    belongs to one thread. Entering it as a context manager makes the state directory.

    Args:
        healer: its name.
        policy: its limits.
        state_dir: its state directory.
        audit: the audit log.
        clock: epoch seconds.
        host: the name that events carry; by default this host's.
        redis: URL of the fleet's Redis; None where there is none.
        dry_env: ``DRY_RUN`` as the environment has it.
        rehearse: dry-run whatever anybody else says.
        log: takes a line for people.
    """

    def __init__(
        self,
        healer: str,
        policy: Policy = DEFAULT_POLICY,
        *,
        state_dir: str | os.PathLike[str],
        audit: str | os.PathLike[str],
        clock: Callable[[], float] = time.time,
        host: str = "",
        redis: str | None = None,
        dry_env: str | None = None,
        rehearse: bool = False,
        log: Callable[[str], None] = to_stderr,
    ) -> None:
        host = host or socket.gethostname()
        self.healer = healer
        self.policy = policy
        self.state_dir = Path(state_dir)
        self._clock = clock
        self._log = log
        self._events = Events(AuditWriter(audit, clock, host), healer, log)
        self._fleet = Fleet(redis, healer, host, log) if redis else None
        gate = outside(policy.stage, policy.canaries, healer, host)
        self._peek = StatePeek(self.state_dir, dry_env, rehearse=rehearse, outside=gate)
        self._denials = Denials(self._events.denial)
        self._outcomes = Outcomes(self.state_dir, policy, clock, self._events, log)
        self._interrupted = 0

    @classmethod
    def from_settings(
        cls, settings: Settings, clock: Callable[[], float], *, rehearse: bool = False
    ) -> Self:
        """A guard on what the environment says."""
        return cls(
            settings.healer,
            settings.policy,
            state_dir=settings.state_dir,
            audit=settings.audit,
            clock=clock,
            host=settings.host,
            redis=settings.redis,
            dry_env=settings.dry_env,
            rehearse=rehearse,
        )

    def __enter__(self) -> Self:
        prepare(self.state_dir, self._clock())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Say how the denials that are still going on counted, and close everything."""
        self._denials.all_over()
        self._outcomes.retry()
        self._peek.close()
        if self._fleet is not None:
            self._fleet.close()

    def is_dry(self) -> bool:
        """Whether an act would only be rehearsed now."""
        override, env = self._peek.dry_run()
        return effective(override, env, self._clock(), self._peek.outside).dry

    def check(self, intent: Intent | str, *, trigger: str = "") -> Verdict:
        """What the guardrails say of ``intent`` now, to ``trigger`` if one is given.

        Spends, writes and audits nothing.
        """
        try:
            wanted = self._parsed(intent)
        except InvalidIntent as error:
            return refused(_text(intent), str(error))
        now = self._clock()
        fleet = self._fleet_state(wanted, now, trigger)
        state = self._peek.state(wanted, self.policy, now, fleet)
        return evaluate(wanted, state, self.policy, now)

    def recover(self, trigger: str = "guard") -> None:
        """Settle what interrupted acts left; a cycle begins with it, whatever it will do."""
        self._outcomes.retry()
        if not self._peek.has_interrupted():
            return
        try:
            with hold(self.state_dir) as held:
                self._settle_interrupted(held, trigger)
        except (NotCommitted, OSError, AuditUnwritable) as error:
            self._log(f"an interrupted act cannot be settled: {describe(error)}")

    def taken_interrupted(self) -> int:
        """How many interrupted acts were settled since this was asked before."""
        found, self._interrupted = self._interrupted, 0
        return found

    def nothing_to_do(self) -> None:
        """Nothing was asked for in this cycle: the denials that went on are over."""
        self._denials.all_over()
        if self._fleet is not None:
            self._fleet.check_in(self.policy)

    def run(
        self,
        intent: Intent | str,
        action: Action,
        check: Action | None = None,
        *,
        fact: str = "",
        reason: str = "",
        trigger: str = "guard",
        tick: Tick | None = None,
        tick_every: float = 1.0,
        beat: Beat | None = None,
        again: str = "",
    ) -> GuardedResult:
        """Run ``action`` if every guardrail allows it, then ``check``, and record what came of it.

        Functions run in a process of their own, commands without a shell; both in time. Never
        raises for what they do. Signals that would end this process wait until it is recorded.

        Args:
            intent: what is asked for.
            action: fails by raising, by returning False, or by its exit code.
            check: True or exit code 0 say that it helped; without one the action's word counts.
            fact: what it was decided on, for the audit log.
            reason: of the caller, for the audit log.
            trigger: ``timer``, ``operator``, ``once`` or ``guard``.
            tick: called while the action runs; what it returns ends the action.
            tick_every: seconds between two calls.
            beat: given while the action runs, settles and is verified.
            again: the guardrail that denied this intent in an earlier process, which has
                audited it.
        """
        asked = self._ask(intent, fact, reason, trigger, again)
        if isinstance(asked, GuardedResult):
            return asked
        with deferred():
            begun = self._begin(asked)
            if isinstance(begun, GuardedResult):
                return begun
            lease = begun.lease
            environ = lease.environ if lease is not None else {}
            every = min(
                tick_every,
                lease.every if lease is not None else tick_every,
                beat.every if beat is not None else tick_every,
            )
            ticks = Ticks(lease.tick if lease is not None else None, tick, every, beat)
            try:
                execution = execute(action, check, self.policy, environ, ticks)
            except BaseException as error:
                self._outcomes.end(begun, Execution(Outcome.ACTION_FAILED, describe(error), 1))
                raise
            return self._outcomes.end(begun, execution)

    @contextmanager
    def protect(
        self,
        intent: Intent | str,
        check: Action | None = None,
        *,
        fact: str = "",
        reason: str = "",
        trigger: str = "guard",
    ) -> Iterator[Verdict]:
        """Guard a block of this very process; it is entered only if it may act.

        What the block raises is recorded as its failure and goes on. In the main thread it is
        ended after ``policy.action_timeout`` by ``TimeoutError``. A lease on a fleet lock is
        not renewed meanwhile: :meth:`run` does that.

        Raises:
            Denied: a guardrail denied, or it was a dry-run; ``result`` says which.
        """
        asked = self._ask(intent, fact, reason, trigger, "")
        if isinstance(asked, GuardedResult):
            raise Denied(asked)
        with deferred():
            begun = self._begin(asked)
            if isinstance(begun, GuardedResult):
                raise Denied(begun)
            try:
                with time_limit(self.policy.action_timeout, "action"):
                    yield begun.verdict
            except BaseException as error:
                timed_out = isinstance(error, TimeoutError) and str(error).startswith("action ")
                outcome = Outcome.TIMED_OUT if timed_out else Outcome.ACTION_FAILED
                self._outcomes.end(begun, Execution(outcome, f"action {describe(error)}", 1))
                raise
            ticks = Ticks(begun.lease.tick if begun.lease is not None else None)
            execution = verify(check, self.policy, {}, ticks)
            self._outcomes.end(begun, execution)

    def _parsed(self, intent: Intent | str) -> Intent:
        if isinstance(intent, Intent):
            return _parsed(intent.text, intent.scope)
        return _parsed(intent, self.policy.scope)

    def _fleet_state(
        self,
        intent: Intent,
        now: float,
        trigger: str,
        *,
        wanting: bool = False,
        leased: bool = False,
    ) -> FleetState | None:
        """What Redis says. An operator's own act is held by no halt."""
        if self._fleet is None:
            return None
        return self._fleet.state(
            self.policy,
            intent.scope,
            now,
            wanting=wanting,
            leased=leased,
            halts=trigger != OPERATOR,
        )

    def _ask(
        self, intent: Intent | str, fact: str, reason: str, trigger: str, again: str
    ) -> Asked | GuardedResult:
        """The peek: most intents that are denied are denied here, without a lock."""
        try:
            wanted = self._parsed(intent)
        except InvalidIntent as error:
            return self._deny(refused(_text(intent), str(error)), fact, trigger, "")
        now = self._clock()
        fleet = self._fleet_state(wanted, now, trigger, wanting=True)
        state = self._peek.state(wanted, self.policy, now, fleet)
        if self._peek.wants_mending(state, self.policy, now):
            try:
                with hold(self.state_dir) as held:
                    self._settle_interrupted(held, trigger)
                    held.correct(wanted.scope, self.policy, now)
            except (NotCommitted, OSError, AuditUnwritable) as error:
                verdict = denied(wanted, Guardrail.RECORD, str(error))
                return self._deny(verdict, fact, trigger, again)
            state = self._peek.state(wanted, self.policy, now, fleet)
        verdict = evaluate(wanted, state, self.policy, now, ladder=False)
        if not verdict.allow:
            return self._deny(verdict, fact, trigger, again)
        return Asked(wanted, fact, reason, trigger, again, fleet)

    def _begin(self, asked: Asked) -> Begun | GuardedResult:
        """The commit: asked again under the lock, and durable before this returns."""
        lease: Leases | None = None
        taken: FleetState | None = None
        if self._fleet is not None and not self.is_dry():
            try:
                lease = self._fleet.lease(self.policy, asked.intent.scope, self._clock())
            except LeaseDenied as answer:
                taken = answer.state
        begun: Begun | GuardedResult | None = None
        try:
            begun = self._commit(asked, taken, lease)
        finally:
            if lease is not None and not isinstance(begun, Begun):
                lease.release()
        return begun

    def _commit(
        self, asked: Asked, taken: FleetState | None, lease: Leases | None
    ) -> Begun | GuardedResult:
        """Ask and announce under the lock. ``taken``: what Redis said of a lease not had."""
        announced: list[ClaimRecord] = []

        def announce(claim: ClaimRecord) -> None:
            announced.append(claim)
            self._events.append(asked, outcome=Outcome.STARTED, reason=asked.reason, key=claim.key)

        try:
            with hold(self.state_dir) as held:
                self._settle_interrupted(held, asked.trigger)
                now = self._clock()
                fleet = taken or self._fleet_state(asked.intent, now, asked.trigger, leased=True)
                state = self._peek.state_of(held, asked.intent, self.policy, now, fleet)
                verdict = evaluate(asked.intent, state, self.policy, now, ladder=False)
                if verdict.allow and verdict.dry_run:
                    return self._rehearse(held, asked, verdict, now)
                # Last of all, so that nothing denies what has spent a token of the fleet.
                spent: FleetState | None = None
                if verdict.allow and self._fleet is not None:
                    spent = self._fleet.spend(self.policy, asked.intent.scope)
                if spent is not None:
                    state = replace(state, fleet=spent)
                    verdict = evaluate(asked.intent, state, self.policy, now, ladder=False)
                if verdict.allow:
                    self._denials.over(asked.intent.scope)
                    fleet_token = self._fleet if spent is None else None
                    with given_back(fleet_token, self.policy, asked.intent.scope):
                        claim = held.begin(
                            asked.intent, self.policy, now, probe=verdict.probe, announce=announce
                        )
                    return Begun(asked, verdict, claim, lease, time.monotonic())
        except (NotCommitted, OSError, AuditUnwritable) as error:
            verdict = denied(asked.intent, Guardrail.RECORD, str(error))
            if announced and (not isinstance(error, AuditUnwritable) or error.readable):
                # The log says "started" and nothing did; say that too.
                self._events.try_append(
                    asked,
                    outcome=Outcome.ACTION_FAILED,
                    reason=f"not started: {error}",
                    key=announced[0].key,
                    guard=Guardrail.RECORD,
                )
        return self._deny(verdict, asked.fact, asked.trigger, asked.again)

    def _rehearse(self, held: Held, asked: Asked, verdict: Verdict, now: float) -> GuardedResult:
        self._denials.over(asked.intent.scope)
        held.rehearse(asked.intent, self.policy, now)
        reason = "; ".join(filter(None, (asked.reason, verdict.reason)))
        self._events.append(asked, outcome=Outcome.DRY_RUN, reason=reason, dry_run=True)
        return GuardedResult(verdict, Outcome.DRY_RUN, reason)

    def _settle_interrupted(self, held: Held, trigger: str) -> None:
        found = recover_interrupted(held, self.policy, self._clock(), self._events, trigger)
        self._interrupted += len(found)

    def _deny(self, verdict: Verdict, fact: str, trigger: str, again: str) -> GuardedResult:
        self._denials.denied(verdict, fact, trigger, self._clock(), known=again == verdict.guard)
        return GuardedResult(verdict, Outcome.DENIED, verdict.reason)


def _text(intent: Intent | str) -> str:
    return intent.text if isinstance(intent, Intent) else intent
