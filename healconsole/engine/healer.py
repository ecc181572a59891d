"""A healer: four functions, and what surrounds them.

Subclass :class:`Healer`, or give it four plain functions; ``main()`` is the program::

    class Janitor(Healer):
        name = "janitor"

        def detect(self) -> Fact: ...
        def decide(self, fact: Fact) -> str | None: ...
        def act(self, intent: Intent) -> None: ...
        def verify(self, intent: Intent) -> bool: ...

    if __name__ == "__main__":
        sys.exit(Janitor().main())

Only ``detect`` measures, only ``act`` changes anything, and ``decide`` is a function of the
fact alone, so that a test can call it with a fact of its own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from healconsole.core.frozen import Frozen
from healconsole.core.records import DEFAULT_POLICY, Policy
from healconsole.core.verdict import Intent
from healconsole.engine.execute import Action
from healconsole.engine.fact import ERROR, Fact
from healconsole.engine.process import Beat, Ended, describe, run_command, time_limit

FactLike = Fact | Mapping[str, object] | str


class Decision(Frozen):
    """What detect and decide came to. ``problem`` says why decide gave no answer."""

    fact: Fact
    intent: str
    scope: str | None = None
    """The scope that decide chose; None: the policy's, or the VERB."""
    problem: str = ""

    def wanted(self, policy: Policy) -> Intent:
        """The intent with its scope, as it was said: the guardrails judge whether it is one."""
        return Intent(self.intent, self.scope or policy.scope or self.intent.partition(" ")[0])


class Healer:
    """One detect-decide-act loop.

    ``name`` names its state directory; ``interval`` is in seconds. ``act`` has succeeded if it
    returns anything but False; ``verify`` if it returns something true. Both run in a process
    of their own, with the policy's timeouts; what they raise is their failure. Either may be
    ``async``.
    """

    name: str = ""
    policy: Policy = DEFAULT_POLICY
    interval: float = 60.0

    def __init__(
        self,
        name: str = "",
        *,
        policy: Policy | None = None,
        interval: float | None = None,
        detect: Callable[[], FactLike] | None = None,
        decide: Callable[[Fact], Intent | str | None] | None = None,
        act: Callable[[Intent], object] | None = None,
        verify: Callable[[Intent], object] | None = None,
    ) -> None:
        self.name = name or type(self).name
        self.policy = policy or type(self).policy
        self.interval = interval if interval is not None else type(self).interval
        self._detect, self._decide, self._act, self._verify = detect, decide, act, verify

    def detect(self) -> FactLike:
        """Measure. What cannot be measured is ``ERROR`` in the fact, never a zero."""
        if self._detect is None:
            raise NotImplementedError("a healer has a detect")
        return self._detect()

    def decide(self, fact: Fact) -> Intent | str | None:
        """What to do about ``fact``: ``VERB key=value ...``, or None. Measures nothing."""
        if self._decide is None:
            raise NotImplementedError("a healer has a decide")
        return self._decide(fact)

    def act(self, intent: Intent) -> object | Awaitable[object]:
        """Do it. Called only by the guardrails."""
        if self._act is None:
            raise NotImplementedError("a healer has an act")
        return self._act(intent)

    def verify(self, intent: Intent) -> object | Awaitable[object]:
        """Whether it helped: measure again, do not trust the exit code."""
        if self._verify is None:
            raise NotImplementedError("a healer has a verify")
        return self._verify(intent)

    def command(self, *argv: str, timeout: float | None = None) -> Ended:
        """Run a command without a shell, bounded in time; its failure is in what it returns."""
        return run_command(argv, timeout if timeout is not None else self.policy.check_timeout)

    def measure(self, beat: Beat | None = None) -> Fact:
        """``detect`` in its time, with what it raises as a fact; ``beat`` is given meanwhile."""
        try:
            with time_limit(self.policy.check_timeout, "detect", beat):
                found = self.detect()
            if isinstance(found, Fact):
                return found
            return Fact.parse(found) if isinstance(found, str) else Fact(found)
        except Exception as error:  # noqa: BLE001 - a measurement that fails is a fact
            return Fact({"detect": ERROR, "error": describe(error)})

    def consider(self, fact: Fact, beat: Beat | None = None) -> Decision:
        """``decide`` in its time; what it raises becomes the decision's problem."""
        try:
            with time_limit(self.policy.check_timeout, "decide", beat):
                found = self.decide(fact)
        except Exception as error:  # noqa: BLE001 - a decide that fails decides nothing
            problem = describe(error)
            return Decision(
                Fact({**fact, "decide": ERROR, "decide_error": problem}), "", None, problem
            )
        if isinstance(found, Intent):
            return Decision(fact, found.text, found.scope)
        return Decision(fact, found or "")

    def action(self, intent: Intent, fact: Fact) -> Action:
        """What the guardrails run for ``intent``."""
        del fact
        return partial(self.act, intent)

    def check(self, intent: Intent, fact: Fact) -> Action:
        """What the guardrails run to verify ``intent``."""
        del fact
        return partial(self.verify, intent)

    def main(
        self,
        argv: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> int:
        """The healer as a program; returns its exit code. See ``--help`` for the options."""
        from healconsole.engine.program import run_program

        return run_program(
            self,
            sys.argv[1:] if argv is None else argv,
            os.environ if environ is None else environ,
            clock,
        )
