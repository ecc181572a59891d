"""Healers that tests run as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.engine.sites import Site

REPO = Path(__file__).parents[2]

PROGRAM = """
import os, sys, time
from pathlib import Path
from healconsole import Fact, Healer, Policy

ROOT = Path(os.environ["ROOT"])

def mark(name):
    with open(ROOT / name, "ab", buffering=0) as file:
        file.write(b".")

def script(name, default=""):
    file = ROOT / name
    return file.read_text().strip() if file.exists() else default

class Scripted(Healer):
    \"\"\"Does what the files beside it say.\"\"\"
    name = "h"
    interval = 0.2
    policy = Policy(settle=0.1, rate_micro=0, burst=1000, action_timeout=5, check_timeout=5)

    def detect(self):
        mark("detected")
        exec(script("detect.py", "pass"))
        return Fact(depth=script("depth", "1"))

    def decide(self, fact):
        exec(script("decide.py", "pass"))
        return script("intent") or None

    def act(self, intent):
        mark("acting")
        exec(script("act.py", "pass"))
        mark("acted")

    def verify(self, intent):
        return eval(script("verify.py", "True"))

sys.exit(Scripted().main())
"""


@dataclass(frozen=True)
class Program:
    """A healer's program on a site; what it does is in files of the site's root."""

    site: Site
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        file = self.site.root / "healer.py"
        if not file.exists():
            file.write_text(PROGRAM)
        return file

    def says(self, **files: str) -> Program:
        """Set what it does: ``act=`` the code of act, ``intent=`` the intent, and so on."""
        for name, text in files.items():
            suffix = ".py" if name in {"detect", "decide", "act", "verify"} else ""
            (self.site.root / f"{name}{suffix}").write_text(text)
        return self

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(REPO),
            "ROOT": str(self.site.root),
            "HEAL_STATE_DIR": str(self.site.state),
            "HEAL_AUDIT_FILE": str(self.site.audit),
        }

    def start(self, *options: str, **environ: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, str(self.path), *options],
            env={**self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        return child

    def end(self) -> None:
        """Leave no process behind."""
        for child in self.children:
            if child.poll() is None:
                child.kill()
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)
        for child in self.children:
            child.communicate()

    def left(self) -> dict[int, bytes]:
        """What runs of this program, dead parent or not: pid and command line."""
        mark = f"ROOT={self.site.root}".encode() + b"\0"
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with suppress(OSError):
                    if mark in (entry / "environ").read_bytes():
                        found[int(entry.name)] = (entry / "cmdline").read_bytes()
        return found

    def run(self, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        child = self.start(*options, **environ)
        out, err = child.communicate(timeout=60)
        return subprocess.CompletedProcess(child.args, child.returncode, out, err)


def ended(child: subprocess.Popen[str], within: float = 20.0) -> tuple[int, str]:
    """Exit code and standard error of a child that is about to end."""
    _, err = child.communicate(timeout=within)
    return child.returncode, err


def until(true: object, within: float = 20.0) -> None:
    """Wait until ``true()`` holds."""
    assert callable(true)
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
