"""strace's injection, attached to one process of ours that waits to begin."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

FILES = (
    "%file,%process,?read,?pread64,?write,?pwrite64,?writev,?fsync,?fdatasync,?syncfs,?sync,"
    "?ftruncate,?fchmod,?fchown,?flock,?getdents64,?close"
)
"""Calls that touch the file system, and those that start and await the commands that do."""

CHANGES = (
    "?write,?pwrite64,?writev,?fsync,?fdatasync,?syncfs,?sync,?rename,?renameat,?renameat2,"
    "?ftruncate,?truncate,?openat,?open,?creat,?mkdir,?mkdirat,?unlink,?unlinkat,?fchmod,?fchown"
)
"""Calls that a disk without room, without a quota or without health can refuse."""


def _refusal() -> str:
    """Why nothing can be traced here; "" if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    child = subprocess.Popen(["sleep", "30"])
    try:
        probe = subprocess.run(
            ["strace", "-qq", "-e", "trace=none", "-o", "/dev/null", "true"],
            capture_output=True,
            text=True,
            check=False,
        )
        attached = subprocess.Popen(
            ["strace", "-p", str(child.pid)], stderr=subprocess.PIPE, text=True
        )
        assert attached.stderr is not None
        said = attached.stderr.readline()
        attached.terminate()
        attached.communicate()
    finally:
        child.kill()
        child.wait()
    if probe.returncode:
        return f"strace cannot trace here: {probe.stderr.strip()}"
    return "" if "attached" in said else f"strace cannot attach here: {said.strip()}"


@pytest.fixture(scope="session")
def strace() -> None:
    """Skips where processes cannot be traced."""
    if why := _refusal():
        pytest.skip(why)


@dataclass(frozen=True)
class Call:
    """One call of a process: the ``nth`` of its ``name``, as strace counts them."""

    name: str
    nth: int

    def inject(self, what: str, onwards: str = "") -> str:
        """An expression that makes ``what`` happen to this call."""
        return f"inject={self.name}:{what}:when={self.nth}{onwards}"

    def __str__(self) -> str:
        return f"{self.name} {self.nth}"


def calls_in(log: Path, about: str = "") -> tuple[Call, ...]:
    """The calls that a log of strace tells of, in their order; those with ``about`` in them."""
    found: list[Call] = []
    seen: Counter[str] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        name = line.partition("(")[0]
        if name.isidentifier() and not line.startswith("<... "):
            seen[name] += 1
            if about in line:
                found.append(Call(name, seen[name]))
    return tuple(found)


@contextmanager
def attached(
    pid: int, calls: str, *inject: str, log: str | os.PathLike[str] = os.devnull
) -> Iterator[None]:
    """Trace ``calls`` of the process ``pid``, and none of its children, while the block runs.

    ``inject`` are expressions of ``Call.inject``. Do not leave before the process has ended.
    """
    options = [argument for expression in inject for argument in ("-e", expression)]
    tracer = subprocess.Popen(
        ["strace", "-o", log, f"--trace={calls}", *options, "-p", str(pid)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr is not None
    said = tracer.stderr.readline()
    assert "attached" in said, said
    try:
        yield
    finally:
        tracer.communicate()
