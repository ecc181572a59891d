"""An operator's "run one guarded cycle": plan it, ask for it, and follow it to its outcome.

A running daemon is asked to run its cycle now (SIGUSR1), never doubled; else the command of
the catalog is started once, in a session of its own, so that a dropped link does not cut an
action in two.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import orjson

from healconsole.core.frozen import Frozen
from healconsole.core.plan import ActRefused
from healconsole.core.records import DEFAULT_POLICY, STAGES, CycleRecord, Policy, VerdictRecord
from healconsole.core.snapshot import CatalogEntry, HealerState
from healconsole.core.words import FAILURES, Library, Outcome
from healconsole.engine import relay
from healconsole.engine.follow import Follower, OnEvent, Phase, PhaseEvent
from healconsole.engine.operators import OperatorDesk
from healconsole.engine.process import Account, run_command
from healconsole.engine.reasons import checked_reason
from healconsole.engine.runas import PATH, account_for, clean_environment
from healconsole.engine.waiting import readable
from healconsole.stores.trust import Untrusted, check_program

__all__ = ["CyclePlan", "CycleResult", "OnEvent", "OperatorCycle", "Phase", "PhaseEvent"]

PLAN_TIMEOUT = 60.0
"""Seconds for detect and decide together."""

LOOK_EVERY = 0.05
"""Seconds between two looks at the log and ``cycle.json`` while a cycle is followed."""


class CyclePlan(Frozen):
    """What the cycle would do: detect and decide ran, nothing was spent."""

    fact: str
    intent: str
    """Empty: there is nothing to do."""
    verdict: VerdictRecord | None
    mode: str
    problem: str = ""
    """Why there is no plan, with what can be done instead; empty if there is one."""


NO_CYCLE = "it recorded no cycle and no event: what it did, its own log may say"
"""Said of a legacy healer's run that left nothing to tell by."""


class CycleResult(Frozen):
    """How a cycle that was followed ended.

    ``outcome`` is the outcome in the audit log, or empty if there is none; ``problem`` says
    why it is not known.
    """

    outcome: str
    text: str
    exit_code: int | None = None
    problem: str = ""

    @property
    def failed(self) -> bool:
        """Whether the action failed, or nobody knows."""
        return bool(self.problem) or self.outcome in FAILURES


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
        self._cancelled = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._asked_daemon = False
        self.begun = threading.Event()
        """Set when the cycle runs, or was asked for: from then on it needs nobody to look on."""

    def plan(self, leaving: threading.Event | None = None) -> CyclePlan:
        """Detect and decide, and what the guardrails say of it. Spends nothing.

        ``leaving`` ends it when it is set: what only serves to look outlives no console. Without
        a command in the catalog, or on a healer that cannot plan, there is no plan; then
        ``problem`` says why, and :meth:`run` may still be possible.
        """
        # A script that does not know --plan would ignore it, and act.
        if self.healer.library not in {Library.HEAL_SH, Library.PYTHON}:
            return _no_plan("only a healer that has run on heal.sh or the engine can plan a cycle")
        try:
            entry = self._entry()
            account = account_for(entry)
        except ActRefused as error:
            return _no_plan(str(error))
        ended = run_command(
            [*entry.command, "--plan"],
            PLAN_TIMEOUT,
            environ=self._environment(entry, account),
            cwd="/",
            account=account,
            tick=lambda: "the console ended" if leaving is not None and leaving.is_set() else "",
            tick_every=0.1,
        )
        if not ended.ok:
            said = " ".join(ended.errors.decode(errors="replace").split())[-500:]
            return _no_plan(": ".join(filter(None, (f"the plan failed: {ended.why}", said))))
        return _parse_plan(ended.output)

    def run(self, *, reason: str, incident: str = "") -> CycleResult:
        """Audit ``operator-run``, then have the cycle run, and follow it to its outcome.

        Raises:
            ActRefused: it cannot be run, or there is no reason.
            AuditUnwritable: the operator's event cannot be written; nothing ran.
        """
        said = checked_reason(reason)
        daemon = self.desk.read(self.healer.name).daemon_pid
        if daemon is not None:
            return self._ask_daemon(daemon, said, incident)
        entry = self._entry()
        return self._start(entry, account_for(entry), said, incident)

    def cancel(self) -> str:
        """Ask the cycle to stop, and say what that does.

        A started cycle is sent SIGTERM: a running action is finished or timed out, and
        recorded. A daemon is left alone: its cycle goes on, unwatched.
        """
        self._cancelled.set()
        if self._asked_daemon:
            return "the daemon goes on with its cycle, and records it; it is not watched any more"
        child = self._child
        if child is None or child.poll() is not None:
            return "nothing runs"
        child.terminate()
        return "asked to stop: a running action is finished or timed out, and recorded"

    def _entry(self) -> CatalogEntry:
        entry = self.healer.catalog
        name = self.healer.name
        if entry is None or not entry.command:
            where = "" if self.desk.catalog is None else f" {self.desk.catalog}"
            lacks = f"the catalog{where} has no command for it; write one to {name}.toml there"
            daemon = self.desk.read(name).daemon_pid
            if daemon is not None:
                raise ActRefused(
                    f"no plan can be made of {name}: {lacks}. Its daemon, pid {daemon}, is asked "
                    "for the cycle, and the guardrails decide"
                )
            raise ActRefused(f"nothing says how to run {name}: no daemon runs, and {lacks}")
        if entry.problem:
            raise ActRefused(f"{entry.path} is not used: {entry.problem}")
        try:
            check_program(entry.command, PATH)
        except Untrusted as error:
            raise ActRefused(f"the command of {name} is not run: {error}") from error
        return entry

    def _environment(self, entry: CatalogEntry, account: Account | None) -> dict[str, str]:
        return clean_environment(account) | {
            "HEAL_STATE_DIR": str(self._state_dir),
            "HEAL_AUDIT_FILE": str(self.desk.audit),
            "HEAL_TRIGGER": "operator",
            # Who is not in the rollout yet rehearses, whoever asks.
            **_stage(entry),
            **dict(entry.environment),
        }

    @property
    def _state_dir(self) -> Path:
        return Path(self.desk.root) / self.healer.name

    def _announce(self, reason: str, incident: str, before: str, after: str) -> None:
        self.desk.writer().append(
            sync=True,
            healer=self.healer.name,
            outcome=Outcome.OPERATOR_RUN,
            reason=reason,
            pid=os.getpid(),
            trigger="operator",
            operator=self.desk.operator.record(),
            incident=incident.strip(),
            before=before,
            after=after,
        )

    def _follower(self) -> Follower:
        return Follower(self.healer.name, self._state_dir, self.desk.audit, self.on_event)

    def _ask_daemon(self, pid: int, reason: str, incident: str) -> CycleResult:
        """Wake the daemon; the descriptor makes sure that it is the one that was looked up."""
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            raise ActRefused(f"the daemon, pid {pid}, has just ended; try again") from None
        follower = self._follower()
        try:
            if self.desk.read(self.healer.name).daemon_pid != pid:
                raise ActRefused(f"the daemon, pid {pid}, has just ended; try again")
            try:
                signal.pidfd_send_signal(descriptor, 0)
            except PermissionError:
                raise ActRefused(
                    f"pid {pid} belongs to another user; run this as root or as that user"
                ) from None
            self._announce(reason, incident, f"daemon pid {pid}", "asked to run a cycle now")
            self._asked_daemon = True
            signal.pidfd_send_signal(descriptor, signal.SIGUSR1)
            self.begun.set()
            return self._follow_daemon(descriptor, follower)
        finally:
            follower.close()
            os.close(descriptor)

    def _follow_daemon(self, descriptor: int, follower: Follower) -> CycleResult:
        deadline = time.monotonic() + _longest(self.healer)
        while not self._cancelled.is_set():
            follower.look()
            record = follower.record("operator")
            if record is not None:
                follower.look()
                return self._concluded(follower, record, None)
            if readable(descriptor, LOOK_EVERY):
                return CycleResult("", "", problem="the daemon ended before it recorded its cycle")
            if time.monotonic() > deadline:
                return CycleResult("", "", problem="the daemon has not recorded a cycle in time")
        return CycleResult("", "", problem="not watched any more; the daemon records its outcome")

    def _start(
        self, entry: CatalogEntry, account: Account | None, reason: str, incident: str
    ) -> CycleResult:
        follower = self._follower()
        try:
            self._announce(reason, incident, "no daemon runs", "one cycle started")
            child = subprocess.Popen(
                [sys.executable, "-I", relay.__file__, *_as(account), "--", *entry.command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment(entry, account),
                cwd="/",
                start_new_session=True,
            )
            self._child = child
            self.begun.set()
            if self._cancelled.is_set():
                child.terminate()
            code = self._follow_child(child, follower)
            record = follower.record(None)
            if record is not None:
                return self._concluded(follower, record, code)
            return self._without_record(follower, code)
        finally:
            follower.close()

    def _follow_child(self, child: subprocess.Popen[bytes], follower: Follower) -> int:
        assert child.stdout is not None  # noqa: S101 - it was asked for above
        lines = LineBuffer()
        with child.stdout as source:
            while True:
                ready = readable(source.fileno(), LOOK_EVERY)
                data = os.read(source.fileno(), 65_536) if ready else b""
                for line in lines.feed(data):
                    self.on_event(PhaseEvent("output", line))
                follower.look()
                if ready and not data:
                    break
        code = child.wait()
        for line in lines.rest():
            self.on_event(PhaseEvent("output", line))
        follower.look()
        return code

    def _concluded(self, follower: Follower, record: CycleRecord, code: int | None) -> CycleResult:
        follower.conclude(record)
        if record.outcome:
            text = record.outcome
            if follower.last is not None and follower.last.reason:
                text += f": {follower.last.reason}"
        elif record.verdict is not None and not record.verdict.allow:
            text = f"denied by {record.verdict.guard}: {record.verdict.reason}"
        else:
            text = "nothing to do"
        result = CycleResult(record.outcome, text, code)
        self.on_event(PhaseEvent("done", text, not result.failed, record.verdict))
        return result

    def _without_record(self, follower: Follower, code: int) -> CycleResult:
        """A legacy healer writes no ``cycle.json``: its events and its exit code say it all."""
        last = follower.last
        if last is None:
            problem = "" if code == 0 else f"the command ended with exit code {code}"
            result = CycleResult("", NO_CYCLE, code, problem)
        else:
            outcome = "" if last.outcome == Outcome.DENIED else last.outcome
            text = ": ".join(filter(None, (last.outcome, last.reason)))
            problem = "it ended without an outcome" if outcome == Outcome.STARTED else ""
            result = CycleResult(outcome, text, code, problem)
        self.on_event(PhaseEvent("done", result.problem or result.text, not result.failed))
        return result


class LineBuffer:
    """Bytes in, whole lines of text out; a line longer than ``limit`` bytes is cut."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._kept = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that ``data`` completes.

        >>> buffer = LineBuffer()
        >>> buffer.feed(b"one\\ntw"), buffer.feed(b"o\\n")
        (['one'], ['two'])
        """
        *whole, last = (self._kept + data).split(b"\n")
        self._kept = last[: self._limit]
        return [line[: self._limit].decode(errors="surrogateescape") for line in whole]

    def rest(self) -> list[str]:
        """What has no newline yet, as a line of its own."""
        return self.feed(b"\n") if self._kept else []


def _as(account: Account | None) -> list[str]:
    if account is None:
        return []
    return ["--as", f"{account.uid}:{account.gid}:{','.join(map(str, account.groups))}"]


def _longest(healer: HealerState) -> float:
    """Seconds after which a daemon must have recorded the cycle that it was asked for.

    It may be in the middle of one when it is asked, so twice one.
    """
    policy: Policy = DEFAULT_POLICY
    if isinstance(healer.cycle, CycleRecord):
        policy = healer.cycle.policy
    return 2 * (policy.action_timeout + policy.settle + 3 * policy.check_timeout + 30)


def _stage(entry: CatalogEntry) -> dict[str, str]:
    """What the catalog says of the rollout, as the libraries take it."""
    if entry.stage not in STAGES:
        return {}
    canaries = entry.policy.canaries if entry.policy is not None else ""
    return {"HEAL_STAGE": entry.stage, "HEAL_CANARIES": canaries}


def _no_plan(problem: str) -> CyclePlan:
    return CyclePlan("", "", None, "", problem)


def _parse_plan(output: bytes) -> CyclePlan:
    try:
        found = orjson.loads(output.strip().rpartition(b"\n")[2])
        fact, intent, mode, said = (found[key] for key in ("fact", "intent", "mode", "verdict"))
        verdict = said and VerdictRecord(
            bool(said["allow"]), str(said["guard"] or ""), str(said["reason"]), said["earliest"]
        )
        if not (isinstance(fact, str) and isinstance(intent, str) and isinstance(mode, str)):
            return _no_plan("the plan is not in its format")
    except (ValueError, KeyError, TypeError):
        return _no_plan("the plan is not in its format")
    return CyclePlan(fact, intent, verdict, mode)
