"""Kits that ``healconsole init`` wrote, for tests that put them to the checkers."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from healconsole.core.kit import Kit, checked
from healconsole.stores.kitfiles import write_kit

BIN = Path(sys.executable).parent
NAME = "worker-queue-healer"
LANGUAGES = ("bash", "python", "toml")


def tool(name: str) -> str:
    """A checker of this environment or of the machine; the test skips without it."""
    found = shutil.which(name, path=f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin")
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def call(
    *argv: str, cwd: Path | str = "/", said: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that reads ``said``, with both of its outputs as one."""
    environ = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin:/sbin"}
    return subprocess.run(
        argv,
        input=said,
        stdin=subprocess.DEVNULL if said is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=environ,
        cwd=cwd,
        timeout=100,
    )


def passes(*argv: str, cwd: Path | str = "/", said: str | None = None) -> str:
    """Run a checker that must find nothing; what it said."""
    done = call(*argv, cwd=cwd, said=said)
    assert done.returncode == 0, f"{argv}\n{done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Made:
    """A kit on disk, for a host whose directories lie below ``host``."""

    kit: Kit
    folder: Path
    host: Path

    def path(self, relpath: str) -> str:
        return str(self.folder / relpath)

    def text(self, relpath: str) -> str:
        return (self.folder / relpath).read_text(encoding="utf-8")

    def install(self, root: str = "") -> None:
        """Put it in place; below ``root`` where that is given."""
        script = self.text("install.sh")
        if not root:  # the files that have no option for their place go below the host too
            script = script.replace(" /etc/", f" {self.host}/etc/")
        runs = self.folder / "install-here.sh"
        runs.write_text(script)
        passes("env", f"DESTDIR={root}", "bash", str(runs))


def made(tmp_path: Path, language: str, name: str = NAME) -> Made:
    """A kit whose paths lie below ``tmp_path`` and whose user is the one that runs this."""
    host = tmp_path / "host"
    kit = Kit(
        name=name,
        language=language,
        state_root=f"{host}/lib",
        audit=f"{host}/log/audit.jsonl",
        textfile_dir=f"{host}/textfiles",
        catalog=f"{host}/etc/healers.d",
        prefix=f"{host}/usr",
        bin=str(BIN),
        python=sys.executable,
        owner="team-queues",
        runbook="https://runbooks.example/queue",
        user=pwd.getpwuid(os.geteuid()).pw_name,
    )
    folder = tmp_path / "kit"
    write_kit(checked(kit), folder)
    return Made(kit, folder, host)
