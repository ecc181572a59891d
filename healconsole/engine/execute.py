"""Act, settle, verify: what happens between "started" and the outcome."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from healconsole.core.frozen import Frozen
from healconsole.core.records import Policy
from healconsole.core.words import Outcome
from healconsole.engine.process import Beat, Command, Ended, Tick, run_command, run_function

Action = Callable[[], object] | Sequence[str] | Command
"""What is run: a function (sync or async), or a command."""

SAID = 300
"""Characters of a failed command's last words that go into the reason."""


class Execution(Frozen):
    """What came of an act. ``why`` is empty if it succeeded."""

    outcome: Outcome
    why: str = ""
    exit_code: int = 0
    """Of the action; 0 for a function that did not fail."""


class Ticks(Frozen):
    """Who may end what is running: ``lease`` at any time, ``caller`` only the action.

    ``beat`` is given all the time, at least every ``every`` seconds.
    """

    lease: Tick | None = None
    caller: Tick | None = None
    every: float = 1.0
    beat: Beat | None = None

    def in_action(self) -> str:
        """A reason to end the action, or ""."""
        return self.after() or self._ask(self.caller)

    def after(self) -> str:
        """A reason to end the settling or the check, or ""."""
        if self.beat is not None:
            self.beat.give()
        return self._ask(self.lease)

    @staticmethod
    def _ask(tick: Tick | None) -> str:
        return tick() if tick is not None else ""


def execute(
    action: Action,
    check: Action | None,
    policy: Policy,
    environ: Mapping[str, str],
    ticks: Ticks,
) -> Execution:
    """Run ``action``; if it succeeds, wait for ``policy.settle`` and run ``check``.

    ``environ`` is added to the environment of both. Without a check the action's own word
    counts, and there is nothing to settle for.
    """
    acted = _run(action, policy.action_timeout, environ, ticks, acting=True)
    if not acted.ok or acted.value is False:
        outcome = Outcome.TIMED_OUT if acted.timed_out else Outcome.ACTION_FAILED
        return Execution(outcome, _why("action", acted), acted.exit_code or 1)
    return verify(check, policy, environ, ticks)


def verify(
    check: Action | None, policy: Policy, environ: Mapping[str, str], ticks: Ticks
) -> Execution:
    """What came of an action that did not fail: settle, and ask ``check``."""
    if check is None:
        return Execution(Outcome.SUCCESS)
    if lost := _settle(policy.settle, ticks):
        return Execution(Outcome.ACTION_FAILED, lost)
    checked = _run(check, policy.check_timeout, environ, ticks, acting=False)
    if checked.ok and (isinstance(check, Command | Sequence) or checked.value):
        return Execution(Outcome.SUCCESS)
    return Execution(Outcome.VERIFY_FAILED, _why("check", checked))


def _run(
    what: Action, timeout: float, environ: Mapping[str, str], ticks: Ticks, *, acting: bool
) -> Ended:
    if ticks.beat is not None:
        ticks.beat.give()
    tick, every = (ticks.in_action if acting else ticks.after), ticks.every
    if isinstance(what, Command):
        base = os.environ if what.environ is None else what.environ
        return run_command(
            what.argv,
            timeout,
            environ={**base, **environ},
            pass_output=what.pass_output,
            tick=tick,
            tick_every=every,
        )
    if isinstance(what, Sequence):
        return run_command(
            what, timeout, environ={**os.environ, **environ}, tick=tick, tick_every=every
        )
    return run_function(what, timeout, environ=environ, tick=tick, tick_every=every)


def _settle(seconds: float, ticks: Ticks) -> str:
    """Let the action take effect; a signal does not shorten it, a lost lease does."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if lost := ticks.after():
            return lost
        # Nothing to wait for but time itself: it is the point of settling.
        time.sleep(min(left, ticks.every))
    return ""


def _why(what: str, ended: Ended) -> str:
    """``action exit code 3: its last words``; a lost lease is said as it is."""
    if ended.ended and not ended.timed_out:
        return ended.ended
    why = ended.why or "returned nothing true"
    said = " ".join((ended.errors or ended.output).decode(errors="replace").split())[-SAID:]
    return f"{what} {why}: {said}" if said else f"{what} {why}"
