"""The two libraries as one test drives them: the same calls, the same answers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from healconsole import Guard, Policy
from healconsole.engine.asked import GuardedResult
from tests.engine.sites import forked
from tests.shell.bashes import DRIVER, ShellSite

SERVER = r"""
ok() { :; }
no() { return 1; }
die() { kill -KILL "$SERVER"; }
SERVER=$$
exec 3>&1 1>&2
while IFS=$'\t' read -r now action check intent; do
  TEST_NOW=$now
  [[ $action != end ]] || break
  heal_act_with_guardrails "$intent" "$action" "$check"
  printf '%s\t%s\t%s\t%s\t%s\n' "$_heal_outcome" "$_heal_v_allow" "$_heal_v_guard" \
    "$_heal_v_earliest" "$_heal_v_reason" >&3
done
_heal_call _heal_denials_over
"""

COMMANDS = {"ok": ["true"], "no": ["false"]}


@dataclass(frozen=True)
class Answer:
    """What a library says of an act. ``earliest`` is "" where time alone changes nothing."""

    outcome: str
    allow: bool
    guard: str
    earliest: str
    reason: str


def limits_of(policy: Policy) -> dict[str, str]:
    """The same limits in the environment."""
    return {
        "HEAL_RATE": f"{policy.rate_micro / 1_000_000:.6f}",
        "HEAL_BURST": str(policy.burst),
        "HEAL_CB_MAX": str(policy.max_failures),
        "HEAL_CB_COOLDOWN": str(policy.cooldown),
        "HEAL_BUCKET": str(policy.bucket),
        "HEAL_SETTLE": f"{policy.settle:g}",
        "HEAL_ACTION_TIMEOUT": f"{policy.action_timeout:g}",
        "HEAL_CHECK_TIMEOUT": f"{policy.check_timeout:g}",
        "HEAL_HOST": "host",
    }


@dataclass
class Bash:
    """A bash that lives as long as a daemon would, and acts on the state directory in ``root``."""

    root: Path
    policy: Policy
    clock: Callable[[], int]
    _server: subprocess.Popen[str] | None = field(default=None, repr=False)

    def act(self, intent: str, action: str, check: str) -> Answer | None:
        """One guarded act; None if the process died of it."""
        if self._server is None:
            site = ShellSite(self.root, now=0, limits=tuple(limits_of(self.policy).items()))
            self._server = subprocess.Popen(
                ["bash", DRIVER, SERVER],
                env=site.environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(f"{self.clock()}\t{action}\t{check}\t{intent}\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        if not line:
            self.end()
            return None
        outcome, allow, guard, earliest, reason = line.rstrip("\n").split("\t")
        return Answer(outcome, allow == "1", guard, earliest, reason)

    def end(self) -> None:
        """Let it end, as a daemon ends."""
        if self._server is not None:
            self._server.communicate(f"{self.clock()}\tend\t\t\n")
            self._server = None


def answer_of(result: GuardedResult) -> Answer:
    """What Python says."""
    verdict = result.verdict
    return Answer(
        str(result.outcome),
        verdict.allow,
        str(verdict.guard or ""),
        "" if verdict.earliest is None else str(verdict.earliest),
        verdict.reason,
    )


@dataclass
class Python:
    """The same in Python."""

    root: Path
    policy: Policy
    clock: Callable[[], int]
    _guard: Guard | None = field(default=None, repr=False)

    def act(self, intent: str, action: str, check: str) -> Answer | None:
        """One guarded act; None if the process died of it."""
        if action == "die":
            return self._act_in_a_child(intent)
        if self._guard is None:
            self._guard = self._open()
        return answer_of(self._guard.run(intent, COMMANDS[action], COMMANDS[check]))

    def _act_in_a_child(self, intent: str) -> Answer | None:
        told = self.root / "told"

        def act() -> None:
            with self._open() as guard:
                result = guard.run(intent, ["sh", "-c", f"kill -KILL {os.getpid()}"])
            told.write_text(json.dumps(asdict(answer_of(result))))

        return None if forked(act) == -9 else Answer(**json.loads(told.read_text()))

    def _open(self) -> Guard:
        return Guard(
            "h",
            self.policy,
            state_dir=self.root / "h",
            audit=self.root / "audit.jsonl",
            clock=lambda: float(self.clock()),
            host="host",
            log=lambda _text: None,
        ).__enter__()

    def end(self) -> None:
        """Let it end, as a daemon ends."""
        if self._guard is not None:
            self._guard.close()
            self._guard = None
