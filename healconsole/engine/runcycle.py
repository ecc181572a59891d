"""An operator's "run one guarded cycle": plan it, ask for it, and follow it to its outcome.

A running daemon is asked to run its cycle now (SIGUSR1), never doubled; else the command of
the catalog is started once, in a session of its own, so that a dropped link does not cut an
action in two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from healconsole.core.records import VerdictRecord
from healconsole.core.snapshot import HealerState
from healconsole.engine.operators import OperatorDesk

Phase = Literal["detect", "decide", "guard", "act", "verify", "output", "done"]


@dataclass(frozen=True, slots=True)
class PhaseEvent:
    """One thing that happened in a cycle that is followed.

    ``text`` may hold data from outside. ``ok`` is None while the phase goes on.
    """

    phase: Phase
    text: str
    ok: bool | None = None
    verdict: VerdictRecord | None = None


@dataclass(frozen=True, slots=True)
class CyclePlan:
    """What the cycle would do: detect and decide ran, nothing was spent."""

    fact: str
    intent: str
    """Empty: there is nothing to do."""
    verdict: VerdictRecord | None
    mode: str
    problem: str = ""
    """Why there is no plan, with what can be done instead; empty if there is one."""


@dataclass(frozen=True, slots=True)
class CycleResult:
    """How a cycle that was followed ended.

    ``outcome`` is the outcome in the audit log, or empty if nothing was done; ``problem`` says
    why it is not known.
    """

    outcome: str
    text: str
    exit_code: int | None = None
    problem: str = ""


OnEvent = Callable[[PhaseEvent], None]


class OperatorCycle:
    """One guarded cycle that an operator asked for.

    :meth:`plan` and :meth:`run` block and belong on a worker thread; :meth:`cancel` may be
    called from any thread.
    """

    def __init__(
        self,
        desk: OperatorDesk,
        healer: HealerState,
        *,
        on_event: OnEvent = lambda _event: None,
    ) -> None:
        self.desk = desk
        self.healer = healer
        self.on_event = on_event

    def plan(self) -> CyclePlan:
        """Detect and decide, and what the guardrails say of it. Spends nothing.

        Without a command in the catalog, or on a legacy healer, there is no plan; then
        ``problem`` says why, and :meth:`run` may still be possible.
        """
        raise NotImplementedError

    def run(self, *, reason: str, incident: str = "") -> CycleResult:
        """Audit ``operator-run``, then have the cycle run, and follow it to its outcome.

        Raises:
            ActRefused: it cannot be run, or there is no reason.
            AuditUnwritable: the operator's event cannot be written; nothing ran.
        """
        raise NotImplementedError

    def cancel(self) -> str:
        """Ask the cycle to stop, and say what that does.

        A started cycle is sent SIGTERM: a running action is finished or timed out, and
        recorded. A daemon is left alone: its cycle goes on, unwatched.
        """
        raise NotImplementedError
