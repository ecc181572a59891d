"""Counting the system calls of a part of a program, with strace.

The program says where a part begins and ends by looking for ``MARK``, which is never there: in
bash ``[[ -e $MARK ]]``, in Python ``os.path.exists``. Neither forks, and nothing is changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

MARK: Final = "/proc/self/no-such-file-but-a-mark"
FORKS: Final = frozenset({"clone", "clone3", "fork", "vfork"})
EXECS: Final = frozenset({"execve", "execveat"})
_LOOKS: Final = frozenset({"stat", "newfstatat", "access", "faccessat", "faccessat2", "statx"})

_CALL: Final = re.compile(r"(\d+) +(\w+)\((.*)")
_RESUMED: Final = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
_UNFINISHED: Final = "<unfinished ...>"


@dataclass(frozen=True, slots=True)
class Call:
    """One call as strace prints it."""

    name: str
    text: str
    """Arguments and result."""

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return " = -1 E" in self.text


class NotTraced(Exception):  # noqa: N818 - an answer: a test skips with it
    """strace is not there, or may not trace here."""


@lru_cache(maxsize=1)
def why_not() -> str:
    """Why calls cannot be counted here; empty if they can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-qq", "-o", os.devnull, "true"], check=False, capture_output=True
    )
    return "" if tried.returncode == 0 else f"strace: {tried.stderr.decode(errors='replace')}"


def traced(
    argv: Sequence[str],
    calls: Collection[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> list[list[Call]]:
    """The calls of each part of ``argv`` between two marks, of all its processes.

    Args:
        argv: the program; it must end well.
        calls: names of the calls that are wanted; None: all.
        environ: of the program; None: ours.
        timeout: seconds.

    Raises:
        NotTraced: see the class.
        CalledProcessError: the program failed.
    """
    if why := why_not():
        raise NotTraced(why)
    with tempfile.TemporaryDirectory(prefix="healconsole-calls-") as folder:
        log = Path(folder) / "calls"
        # A name behind "?" may be missing on this machine.
        names = ",".join(f"?{name}" for name in sorted(_LOOKS | set(calls or ())))
        wanted = ["-e", f"trace={names}", "--seccomp-bpf"] if calls is not None else []
        subprocess.run(
            ["strace", "-f", "-qq", "-s", "200", *wanted, "-o", str(log), "--", *argv],
            env=None if environ is None else dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=timeout,
        )
        return _parts(log.read_text(errors="replace"), calls)


def counted(
    argv: Sequence[str], calls: Collection[str], *, environ: Mapping[str, str] | None = None
) -> list[Counter[str]]:
    """How often each of ``calls`` succeeded in each part of ``argv``; see ``traced``."""
    parts = traced(argv, calls, environ=environ)
    return [Counter(call.name for call in part if not call.failed) for part in parts]


def forks(part: Mapping[str, int]) -> int:
    """Processes that were begun, of one part that ``counted`` gave."""
    return sum(part.get(name, 0) for name in FORKS)


def execs(part: Mapping[str, int]) -> int:
    """Programs that were started."""
    return sum(part.get(name, 0) for name in EXECS)


def _parts(log: str, calls: Collection[str] | None) -> list[list[Call]]:
    parts: list[list[Call]] = []
    for call in _calls(log):
        if call.name in _LOOKS and MARK in call.text:
            parts.append([])
        elif parts and (calls is None or call.name in calls) and "CLONE_THREAD" not in call.text:
            parts[-1].append(call)
    # What follows the last mark belongs to no part.
    return parts[:-1]


def _calls(log: str) -> list[Call]:
    """The calls in the order in which they began; one that was cut in two is put together."""
    found: list[Call] = []
    begun: dict[str, int] = {}
    for line in log.splitlines():
        if whole := _CALL.match(line):
            pid, name, text = whole.groups()
            if text.endswith(_UNFINISHED):
                begun[pid] = len(found)
                text = text.removesuffix(_UNFINISHED)
            found.append(Call(name, text))
        elif (rest := _RESUMED.match(line)) and (at := begun.pop(rest[1], None)) is not None:
            found[at] = Call(found[at].name, found[at].text + rest[2])
    return found
