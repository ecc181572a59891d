"""bash and Python side by side: the same verdicts, keys, file bytes and audit fields, step by step.

Both are driven through the same hours of healing, each on a state directory of its own, with the
clock in hand.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from healconsole import Guard, Policy
from healconsole.core.auditparse import parse_ts
from tests.engine.sites import forked
from tests.shell.bashes import LONG, NOON, ShellSite, many

pytestmark = pytest.mark.timeout(0 if LONG else 120)

POLICY = Policy(
    rate_micro=16_700, burst=3, max_failures=3, cooldown=600, bucket=300, settle=0.0,
    action_timeout=60.0, check_timeout=30.0,
)  # fmt: skip
LIMITS = {
    "HEAL_RATE": "0.0167",
    "HEAL_BURST": "3",
    "HEAL_CB_MAX": "3",
    "HEAL_CB_COOLDOWN": "600",
    "HEAL_SETTLE": "0",
}

SERVER = r"""
ok() { :; }
no() { return 1; }
die() { kill -KILL "$SERVER"; }
SERVER=$$
exec 3>&1 1>&2
while IFS=$'\t' read -r now DRY_RUN action check intent; do
  TEST_NOW=$now
  [[ $action != end ]] || break
  printf -v intent '%b' "$intent"
  heal_act_with_guardrails "$intent" "$action" "$check" "as told"
  printf '%s\t%s\t%s\t%s\t%s\n' "$_heal_outcome" "$_heal_v_allow" "$_heal_v_guard" \
    "$_heal_v_earliest" "$_heal_v_reason" >&3
done
_heal_call _heal_denials_over
"""

INTENTS = (
    "fix pid=1", "fix pid=2", "fix", "restart unit=a b.service", 'say "hi" \\ now', "größe x=ü%",
    "../../etc x", "-rf /", "$(touch canary)", "%41 x", "x" * 300 + " y", "", " fix", "a\tb",
    "fix\u0085x", "y" * 1025,
)  # fmt: skip
OUTCOMES = st.sampled_from([("ok", "ok"), ("no", "ok"), ("ok", "no")])
COMMANDS = {"ok": ["true"], "no": ["false"]}


def without_pids(text: str) -> str:
    return re.sub(r'("pid":|pid )\d+', r"\1N", text)


class SideBySide(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.now = NOON
        self.dry = ""
        (self.root / "bash").mkdir()
        (self.root / "python").mkdir()
        self.shell = ShellSite(self.root / "bash", limits=tuple(LIMITS.items()))
        self.python_state = self.root / "python" / "h"
        self.server: subprocess.Popen[str] | None = None
        self.guard: Guard | None = None

    def bash(self, action: str, check: str, intent: str) -> list[str] | None:
        """One act in the bash that lives; None if it died of it."""
        if self.server is None:
            self.server = subprocess.Popen(
                ["bash", str(Path(__file__).with_name("driver.sh")), SERVER],
                env={**self.shell.environ, "HEAL_HOST": "host"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        quoted = "".join(f"\\x{byte:02x}" for byte in intent.encode())
        self.server.stdin.write(f"{self.now}\t{self.dry or ' '}\t{action}\t{check}\t{quoted}\n")
        self.server.stdin.flush()
        line = self.server.stdout.readline()
        if not line:
            self.end_bash()
            return None
        return line.rstrip("\n").split("\t")

    def end_bash(self) -> None:
        if self.server is not None:
            # Told the time, for the denials that are over with it.
            with suppress(BrokenPipeError):
                self.server.communicate(f"{self.now}\t \tend\tok\t\n")
            self.server = None

    def python(self) -> Guard:
        if self.guard is None:
            self.guard = Guard(
                "h",
                POLICY,
                state_dir=self.python_state,
                audit=self.root / "python" / "audit.jsonl",
                clock=lambda: float(self.now),
                host="host",
                dry_env=self.dry or None,
                log=lambda _text: None,
            ).__enter__()
        return self.guard

    def end_python(self) -> None:
        if self.guard is not None:
            self.guard.close()
            self.guard = None

    @rule(intent=st.sampled_from(INTENTS), outcome=OUTCOMES)
    def act(self, intent: str, outcome: tuple[str, str]) -> None:
        action, check = outcome
        answer = self.bash(action, check, intent)
        result = self.python().run(intent, COMMANDS[action], COMMANDS[check], reason="as told")
        verdict = result.verdict
        assert answer is not None
        assert [*answer[:4], without_pids(answer[4])] == [
            str(result.outcome),
            str(int(verdict.allow)),
            str(verdict.guard or ""),
            "" if verdict.earliest is None else str(verdict.earliest),
            without_pids(verdict.reason),
        ]
        self.compare()

    @precondition(lambda self: not self.dry)
    @rule(intent=st.sampled_from(INTENTS))
    def die(self, intent: str) -> None:
        """kill -9 in the middle of the action, if it comes to that."""
        self.end_bash()
        self.end_python()
        answer = self.bash("die", "ok", intent)

        def work() -> None:
            guard = self.python()
            guard.run(intent, ["sh", "-c", f"kill -KILL {os.getpid()}"], reason="as told")
            guard.close()

        ended = forked(work)
        assert (ended == -9) == (answer is None)
        self.end_bash()
        self.compare()

    @rule(seconds=st.sampled_from([1, 7, 60, 149, 150, 151, 300, 601, 3600]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from([5, 200, 3600, 86400]))
    def clock_steps_back(self, seconds: int) -> None:
        self.now -= seconds

    @rule(dry=st.sampled_from(["", "", "true", "maybe"]))
    def restart(self, dry: str) -> None:
        self.end_bash()
        self.end_python()
        self.dry = dry
        self.compare()

    @rule(
        name=st.sampled_from(["hold", "dry-run"]),
        word=st.sampled_from(["on", "off"]),
        lasts=st.sampled_from([0, 0, 60, 1000]),
    )
    def override(self, name: str, word: str, lasts: int) -> None:
        self.put(name, f"{word} {self.now} {self.now + lasts if lasts else 0} ana\n")

    @rule(name=st.sampled_from(["hold", "dry-run"]))
    def release(self, name: str) -> None:
        for state in self.states():
            (state / name).unlink(missing_ok=True)

    @rule(
        failures=st.integers(0, 5),
        state=st.sampled_from(["closed", "open", "half-open", "forced-open", ""]),
        ahead=st.sampled_from([-700, -1, 0, 1, 100, 600, 700, 90_000]),
        last=st.sampled_from([-700, -5, 0, 5000]),
    )
    def breaker(self, failures: int, state: str, ahead: int, last: int) -> None:
        text = f"{failures} {self.now + last}"
        if state:
            text += f" 3 600 {state} {self.now + ahead}"
        self.put("cb/fix", text + "\n")

    @rule(
        ahead=st.sampled_from([-100_000, -60, 0, 60, 5000]),
        tokens=st.sampled_from(["0.5", "0.999999", "1", "2.98333", "7.000000"]),
    )
    def bucket(self, ahead: int, tokens: str) -> None:
        self.put("rate/fix", f"{self.now + ahead} {tokens}\n")

    @rule(path=st.sampled_from(["rate/fix", "cb/fix", "hold", "dry-run"]))
    def corrupt(self, path: str) -> None:
        self.put(path, "08 x\n")

    def states(self) -> Iterator[Path]:
        for state in (self.shell.state, self.python_state):
            state.mkdir(exist_ok=True)
            yield state

    def put(self, path: str, text: str) -> None:
        for state in self.states():
            (state / path).parent.mkdir(exist_ok=True)
            (state / path).write_text(text)

    def compare(self) -> None:
        """Every file with a meaning, and every event, but for pids."""
        ours, theirs = (self.files(state) for state in self.states())
        assert ours == theirs
        assert self.events(self.shell.audit) == self.events(self.root / "python" / "audit.jsonl")

    @staticmethod
    def files(state: Path) -> dict[str, str]:
        found = {}
        for file in sorted(state.rglob("*")):
            name = str(file.relative_to(state))
            if not file.is_file() or name.startswith((".", "claims/")):
                continue
            found[name] = without_pids(file.read_text())
        return found

    @staticmethod
    def events(audit: Path) -> list[dict[str, Any]]:
        site = ShellSite(audit.parent)
        found = []
        for event in site.events():
            for volatile in ("pid", "duration_ms", "prev", "hash"):
                event.pop(volatile)
            event["reason"] = without_pids(event["reason"])
            event["ts"] = parse_ts(event["ts"])
            found.append(event)
        return found

    def teardown(self) -> None:
        self.end_bash()
        self.end_python()
        assert not list(self.root.rglob("canary"))
        self.folder.cleanup()


def test_a_rehearsal_writes_a_lease_back_that_cannot_be() -> None:
    state = SideBySide()
    state.breaker(ahead=600, failures=0, last=-700, state="half-open")
    state.restart(dry="true")
    state.act(intent="fix pid=1", outcome=("ok", "ok"))
    state.teardown()


TestSideBySide = SideBySide.TestCase
TestSideBySide.settings = settings(
    max_examples=many(12, 400),
    stateful_step_count=many(15, 40),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
