"""The real program, as a process of its own, on a real state directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.warm import Started, fits

PROGRAM = (sys.executable, "-m", "healconsole")

Finished = subprocess.CompletedProcess[str]


def finished(words: Sequence[str], environment: Mapping[str, str]) -> Finished:
    """Run the program to its end, without standard input."""
    with TemporaryFile() as out, TemporaryFile() as err, Path(os.devnull).open("rb") as none:
        started = Started(words, environment, (none.fileno(), out.fileno(), err.fileno()))
        status = os.waitstatus_to_exitcode(started.status(60))
        out.seek(0)
        err.seek(0)
        return Finished((*PROGRAM, *words), status, out.read().decode(), err.read().decode())


@dataclass(frozen=True)
class Site:
    """A host with healers in a directory of its own, and the program to look at it."""

    root: Path
    now: int

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def audit(self) -> Path:
        return self.root / "audit.jsonl"

    @property
    def options(self) -> tuple[str, ...]:
        return (
            *("--state-root", str(self.state), "--audit", str(self.audit)),
            *("--catalog", str(self.root / "healers.d")),
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
        }

    def run(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        options: bool = True,
        prefix: Sequence[str] = (),
    ) -> Finished:
        """Run the program to its end; ``prefix`` is put before its argv."""
        words = (*words, *(self.options if options else ()))
        around = {**self.environment, **(environment or {})}
        if not prefix and fits(around):
            return finished(words, around)
        return subprocess.run(
            (*prefix, *PROGRAM, *words),
            env=around,
            capture_output=True,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=60,
        )

    def json(self, *words: str, environment: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON of whatever shape
        """Run the program with ``--json``; what it printed."""
        done = self.run(*words, "--json", environment=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def write(self, path: str, text: str | bytes) -> None:
        """Write one state file, relative to the state root."""
        file = self.state / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    def append(self, **fields: object) -> None:
        """Append one event of now to the audit log."""
        event = {"v": 1, "ts": stamp(self.now), "host": "web-07", **fields}
        with self.audit.open("a", encoding="utf-8") as log:
            log.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n")

    def events(self) -> list[dict[str, Any]]:
        """Every event of the audit log."""
        return [json.loads(line) for line in self.audit.read_bytes().splitlines()]


def stamp(at: float) -> str:
    """``ts`` as the audit log has it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def cycle(now: int, **fields: object) -> str:
    """``cycle.json`` of a healer that finished a cycle just now."""
    policy = {
        "rate": "0.016700", "burst": 3, "max_failures": 3, "cooldown": 600, "bucket": 300,
        "settle": 5, "action_timeout": 60, "check_timeout": 30,
    }  # fmt: skip
    record = {
        "v": 1, "at": now - 5, "seq": 7, "trigger": "timer", "fact": "queue_depth=13777",
        "intent": "restart_worker pid=12440",
        "verdict": {"allow": False, "guard": "circuit", "reason": "open", "earliest": now + 540},
        "outcome": "denied", "duration_ms": 12, "next_due": now + 55, "interval": 60, "pid": 4242,
        "library": "heal.sh", "version": "1", "policy": policy, "mode": "live",
    }  # fmt: skip
    return json.dumps({**record, **fields}) + "\n"
