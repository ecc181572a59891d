"""Recording what came of an act, again and again until it can be recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from healconsole.core.frozen import replace
from healconsole.core.records import Policy
from healconsole.core.words import Outcome
from healconsole.engine.asked import Begun, GuardedResult
from healconsole.engine.events import Events
from healconsole.engine.execute import Execution
from healconsole.engine.process import describe
from healconsole.stores.auditlog import AuditUnwritable
from healconsole.stores.commit import NotCommitted, hold


class Outcomes:
    """The outcomes of one guard's acts.

    One that cannot be recorded is kept; its claim stays meanwhile, and denies.
    """

    def __init__(
        self,
        state_dir: Path,
        policy: Policy,
        clock: Callable[[], float],
        events: Events,
        log: Callable[[str], None],
    ) -> None:
        self._state_dir = state_dir
        self._policy = policy
        self._clock = clock
        self._events = events
        self._log = log
        self._waiting: list[tuple[Begun, Execution]] = []

    def end(self, begun: Begun, execution: Execution) -> GuardedResult:
        """Record the outcome and let the lease go; ``problem`` says what is not recorded yet."""
        problem = ""
        duration = int((time.monotonic() - begun.began) * 1000)
        begun_for = replace(begun, asked=replace(begun.asked, duration_ms=duration))
        try:
            problem = self._try(begun_for, execution)
        finally:
            if begun.lease is not None:
                begun.lease.release()
        return GuardedResult(
            begun.verdict,
            execution.outcome,
            begun.asked.with_reason(execution.why),
            duration,
            execution.exit_code,
            problem,
        )

    def retry(self) -> None:
        """Try again what could not be recorded."""
        waiting, self._waiting = self._waiting, []
        for begun, execution in waiting:
            self._try(begun, execution)

    def _try(self, begun: Begun, execution: Execution) -> str:
        try:
            self._record(begun, execution)
        except (NotCommitted, OSError, AuditUnwritable) as error:
            problem = f"the outcome is not recorded yet: {describe(error)}"
            self._log(problem)
            self._waiting.append((begun, execution))
            return problem
        return ""

    def _record(self, begun: Begun, execution: Execution) -> None:
        asked = begun.asked

        def announce() -> None:
            self._events.append(
                asked,
                outcome=execution.outcome,
                reason=asked.with_reason(execution.why),
                key=begun.claim.key,
                duration_ms=asked.duration_ms,
            )

        with hold(self._state_dir) as held:
            held.finish(
                begun.claim,
                self._policy,
                self._clock(),
                scope=asked.intent.scope,
                succeeded=execution.outcome is Outcome.SUCCESS,
                announce=announce,
            )
