"""A private site for tests of the engine: a state directory, a log, and an action that counts."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from healconsole import Guard, Policy

LONG = os.environ.get("HEALCONSOLE_LONG") == "1"
"""Whether the full counts are run; by default a test takes seconds."""

NOON = 1_764_000_150.0
"""A time in the middle of a bucket of 300 s."""

OPEN_POLICY = Policy(rate_micro=0, burst=999_999, max_failures=999_999, settle=0)
"""Limits that deny nothing within a test."""


def many(short: int, full: int) -> int:
    """How often to try: ``full`` with HEALCONSOLE_LONG=1."""
    return full if LONG else short


@dataclass(frozen=True)
class Site:
    """Where the guards of one test work. ``now`` is what their clock says."""

    root: Path
    name: str = "h"
    now: float = NOON
    opened: list[Guard] = field(default_factory=list, compare=False, repr=False)
    """Guards that :meth:`close` closes: a worker has descriptors for a few hundred of them."""

    @property
    def state(self) -> Path:
        return self.root / self.name

    @property
    def audit(self) -> Path:
        return self.root / "audit.jsonl"

    def at(self, now: float) -> Site:
        return replace(self, now=now)

    def guard(self, policy: Policy = OPEN_POLICY, **options: Any) -> Guard:  # noqa: ANN401 - whatever a Guard takes
        options.setdefault("clock", lambda: self.now)
        guard = Guard(self.name, policy, state_dir=self.state, audit=self.audit, **options)
        self.opened.append(guard.__enter__())
        return guard

    def close(self) -> None:
        """Close every guard of the test."""
        for guard in self.opened:
            guard.close()

    def act(self) -> None:
        """Leave one byte for each time that it is called, whoever calls at the same time."""
        self.mark("acted")

    def acts(self) -> int:
        return self.count("acted")

    def mark(self, what: str) -> None:
        """Leave one byte in the file ``what``."""
        descriptor = os.open(self.root / what, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, b".")
        finally:
            os.close(descriptor)

    def count(self, what: str) -> int:
        """How often ``what`` was marked."""
        file = self.root / what
        return file.stat().st_size if file.exists() else 0

    def await_count(self, what: str, least: int, within: float = 20.0) -> None:
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

    def content(self) -> dict[str, tuple[bytes, int]]:
        """Every file of the live state with its bytes and mtime, but none of the shadow's."""
        return {
            str(file.relative_to(self.state)): (file.read_bytes(), file.stat().st_mtime_ns)
            for file in sorted(self.state.rglob("*"))
            if file.is_file() and "dry" not in file.relative_to(self.state).parts
        }


def race(count: int, work: Callable[[int], None], timeout: float = 100.0) -> None:
    """Run ``work(0)`` … ``work(count - 1)`` in processes that begin together.

    Raises:
        AssertionError: one of them raised, or did not end in time.
    """
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(count)

    def run(index: int) -> None:
        try:
            gate.wait(timeout)
            work(index)
        except BaseException:  # noqa: BLE001 - whatever it is, the test must see it
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    children = [context.Process(target=run, args=(index,)) for index in range(count)]
    for child in children:
        child.start()
    deadline = time.monotonic() + timeout
    try:
        for child in children:
            child.join(max(0.1, deadline - time.monotonic()))
        codes = [child.exitcode for child in children]
    finally:
        for child in children:
            if child.exitcode is None:
                child.kill()
    assert codes == [0] * count


def forked(work: Callable[[], object]) -> int:
    """Run ``work`` in a child of its own; its exit status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the test must see it
            traceback.print_exc()
        finally:
            # Whatever fails, the child never goes on as a second test run.
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
