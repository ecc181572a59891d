"""A private site for tests of heal.sh: real bash processes on a state directory of their own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

LONG = os.environ.get("HEALCONSOLE_LONG") == "1"
"""Whether the full counts are run; by default a test takes seconds."""

NOON = 1_764_000_150
"""A time in the middle of a bucket of 300 s."""

SHELL = Path(__file__).resolve().parents[2] / "healconsole" / "shell"
DRIVER = str(Path(__file__).with_name("driver.sh"))
LEGACY = Path(__file__).with_name("legacy-heal.sh")

OPEN_LIMITS = {
    "HEAL_RATE": "0",
    "HEAL_BURST": "999999",
    "HEAL_CB_MAX": "999999",
    "HEAL_SETTLE": "0",
}
"""Limits that deny nothing within a test."""


def many(short: int, full: int) -> int:
    """How often to try: ``full`` with HEALCONSOLE_LONG=1."""
    return full if LONG else short


@dataclass(frozen=True)
class ShellSite:
    """Where the bash healers of one test work.

    ``now`` is what their clock says; None: the real one.
    """

    root: Path
    now: int | None = NOON
    name: str = "h"
    limits: tuple[tuple[str, str], ...] = tuple(OPEN_LIMITS.items())

    @property
    def state(self) -> Path:
        return self.root / self.name

    @property
    def audit(self) -> Path:
        return self.root / "audit.jsonl"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of its healers, and nothing of the test's own."""
        now = {} if self.now is None else {"TEST_NOW": str(self.now)}
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "NAME": self.name,
            "HEAL_STATE_DIR": str(self.state),
            "HEAL_AUDIT_FILE": str(self.audit),
            "TEST_ROOT": str(self.root),
            **dict(self.limits),
            **now,
        }

    def at(self, now: int | None) -> ShellSite:
        return replace(self, now=now)

    def limited(self, **limits: object) -> ShellSite:
        """The same site with other limits, named as in the environment without ``HEAL_``."""
        merged = dict(self.limits)
        merged.update({f"HEAL_{name}": str(value) for name, value in limits.items()})
        return replace(self, limits=tuple(merged.items()))

    def start(
        self,
        script: str,
        prefix: Sequence[str] = (),
        said: int | IO[str] = subprocess.PIPE,
        /,
        **environ: str,
    ) -> subprocess.Popen[str]:
        """Start bash on ``script`` with heal.sh sourced; ``prefix`` is put before its argv.

        ``said`` is its standard error: a file where nobody reads until it ends, for who writes
        to a pipe that is full waits.
        """
        return subprocess.Popen(
            [*prefix, "bash", DRIVER, script],
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
        )

    def run(
        self, script: str, prefix: Sequence[str] = (), **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run bash on ``script`` until it ends."""
        process = self.start(script, prefix, **environ)
        out, err = process.communicate(timeout=3_000 if LONG else 100)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def act(self, intent: str, action: str = "act", check: str = "good", **environ: str) -> str:
        """One guarded act in a process of its own; the outcome, and the guardrail that denied."""
        done = self.run(
            'heal_act_with_guardrails "$INTENT" "$ACTION" "$CHECK"\n'
            'printf "%s %s" "$_heal_outcome" "$_heal_v_guard"',
            INTENT=intent,
            ACTION=action,
            CHECK=check,
            **environ,
        )
        return done.stdout.strip()

    def race(self, count: int, script: str, timeout: float = 100, **environ: str) -> list[str]:
        """Run ``script`` in ``count`` processes that begin together; INDEX numbers them.

        Raises:
            AssertionError: one of them failed.
        """
        gate = self.root / "gate"
        gate.unlink(missing_ok=True)
        os.mkfifo(gate)
        # Opening a FIFO for reading returns when somebody opens it for writing.
        waiting = 'mark ready; : <"$TEST_ROOT/gate"\n'
        ready = self.root / "ready"
        ready.unlink(missing_ok=True)
        logs = [(self.root / f"said.{index}").open("w+") for index in range(count)]
        processes = [
            self.start(waiting + script, (), log, INDEX=str(index), **environ)
            for index, log in enumerate(logs)
        ]
        self.await_count("ready", count)
        os.close(os.open(gate, os.O_RDWR | os.O_NONBLOCK))
        deadline = time.monotonic() + timeout
        writer = os.open(gate, os.O_RDWR)
        try:
            ends = [p.communicate(timeout=max(1.0, deadline - time.monotonic())) for p in processes]
        finally:
            os.close(writer)
            for process in processes:
                process.kill()
            for log in logs:
                log.close()
        failed = [index for index, process in enumerate(processes) if process.returncode]
        assert not failed, [(self.root / f"said.{index}").read_text() for index in failed]
        return [out for out, _ in ends]

    def count(self, what: str) -> int:
        """How often ``what`` was marked."""
        file = self.root / what
        return file.stat().st_size if file.exists() else 0

    def acts(self) -> int:
        return self.count("acted")

    def await_count(self, what: str, least: int, within: float = 30.0) -> None:
        """Wait until ``what`` was marked ``least`` times."""
        deadline = time.monotonic() + within
        while self.count(what) < least:
            assert time.monotonic() < deadline, f"{what}: {self.count(what)} of {least}"
            time.sleep(0.002)

    def events(self, outcome: str = "") -> list[dict[str, Any]]:
        if not self.audit.exists():
            return []
        found = [json.loads(line) for line in self.audit.read_bytes().splitlines()]
        return [event for event in found if not outcome or event["outcome"] == outcome]

    def outcomes(self) -> list[str]:
        return [event["outcome"] for event in self.events()]

    def content(self) -> dict[str, tuple[bytes, int]]:
        """Every file of the live state with its bytes and mtime, but none of the shadow's."""
        return {
            str(file.relative_to(self.state)): (file.read_bytes(), file.stat().st_mtime_ns)
            for file in sorted(self.state.rglob("*"))
            if file.is_file() and not {"dry", ".scratch"} & set(file.relative_to(self.state).parts)
        }

    def write(self, path: str, text: str | bytes) -> Path:
        """Put a file into the state directory, as an earlier process left it."""
        file = self.state / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file
