"""The real server, as a process of its own, and what it started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from healconsole.engine.waiting import readable

PATIENCE_S = 60.0


def wait_until(true: Callable[[], object], what: str) -> None:
    """Wait until ``true`` answers so."""
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


class Served(AbstractContextManager["Served"]):
    """``healconsole serve`` on a site, to be used as a context."""

    def __init__(
        self, site: Path, *options: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self._errors = site / "serve.err"
        with self._errors.open("ab") as errors:
            self.process = self._start(site, options, environment or {}, errors)
        assert self.process.stdout is not None
        assert readable(self.process.stdout.fileno(), PATIENCE_S), "it says nothing"
        self.said = self.process.stdout.readline()
        found = re.search(r"http\S+", self.said)
        assert found, self.said + self.log()
        self.link = found[0]
        """What it printed to be opened."""
        self.port = urlsplit(self.link).port
        self.token = self.link.partition("token=")[2]
        self.origin = self.link.partition("/?")[0]

    @staticmethod
    def _start(
        site: Path, options: tuple[str, ...], environment: Mapping[str, str], errors: IO[bytes]
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            (
                *(sys.executable, "-m", "healconsole", "serve", "--port", "0", *options),
                *("--state-root", str(site / "state"), "--audit", str(site / "audit.jsonl")),
            ),
            env={
                "PATH": os.environ["PATH"], "HOME": str(site), "LANG": "C.UTF-8", **environment
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def log(self) -> str:
        """What it wrote to standard error."""
        return self._errors.read_text(encoding="utf-8")

    def file(self, name: str) -> bytes:
        """A file of its process below ``/proc``."""
        return proc(self.process.pid, name)

    def consoles(self) -> list[int]:
        """Pids of the consoles that it started and that still live."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text(encoding="ascii").split()]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


def proc(pid: int, name: str) -> bytes:
    """A file of a process below ``/proc``."""
    return Path(f"/proc/{pid}/{name}").read_bytes()


def gone(pid: int) -> bool:
    """Whether a process has ended, whoever reaps it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
    except FileNotFoundError:
        return True
    return state == "Z"
