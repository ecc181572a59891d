"""Processes in bash and in Python that begin each round together, on one state directory."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import time
import traceback
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn

from tests.engine.sites import Site
from tests.shell.bashes import ShellSite

Task = Callable[[Site, int, int], None]
"""What a Python process does in a round: site, its index, the round. A function of a module."""

_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload(["tests.mixed.crews", "tests.mixed.tasks"])

HEAD_START = 0.004
"""Seconds that bash takes to come to the lock; Python waits for up to twice as much."""

ROUNDS = """
for ((round = 0; round < ROUNDS; round++)); do
  mark ready
  : <"$TEST_ROOT/gate.$round"
  {script}
done
"""


def gate(root: Path, number: int) -> Path:
    """The FIFO whose opening begins the round ``number``."""
    return root / f"gate.{number}"


def race(
    site: ShellSite, script: str, task: Task, *, each: int, rounds: int, timeout: float = 100
) -> None:
    """Let ``each`` processes in bash run ``script``, and as many in Python ``task``.

    The script knows ``INDEX`` (even numbers) and ``round``; Python's indices are odd. A round
    begins when all have come to it.

    Raises:
        AssertionError: one of them failed, or did not come to an end.
    """
    for number in range(rounds):
        os.mkfifo(gate(site.root, number))
    looped = ROUNDS.replace("{script}", script)
    bashes: list[subprocess.Popen[str]] = []
    for number in range(each):
        with _said(site.root, number).open("w") as log:
            bashes.append(site.start(looped, (), log, INDEX=str(2 * number), ROUNDS=str(rounds)))
    pythons = [_python(site.root, task, 2 * number + 1, rounds) for number in range(each)]
    opened: list[int] = []
    try:
        for number in range(rounds):
            _await_all(site, bashes, pythons, 2 * each * (number + 1), timeout)
            # Who opens a FIFO to read waits for somebody who opens it to write.
            opened.append(os.open(gate(site.root, number), os.O_RDWR))
        _assert_all_well(site.root, bashes, pythons, timeout)
    finally:
        for descriptor in opened:
            os.close(descriptor)
        for bash in bashes:
            bash.kill()
        for python in pythons:
            python.kill()
        for number in range(rounds):
            gate(site.root, number).unlink()


def _said(root: Path, number: int) -> Path:
    return root / f"said.{number}"


def _await_all(
    site: ShellSite,
    bashes: list[subprocess.Popen[str]],
    pythons: list[BaseProcess],
    marks: int,
    timeout: float,
) -> None:
    """Wait until all have come to a round, and as long as none of them has failed."""
    deadline = time.monotonic() + timeout
    while site.count("ready") < marks:
        for number, bash in enumerate(bashes):
            assert not bash.poll(), _said(site.root, number).read_text()
        assert not any(python.exitcode for python in pythons), "see what it printed"
        assert time.monotonic() < deadline, f"{site.count('ready')} of {marks} came to the round"
        time.sleep(0.002)


def _assert_all_well(
    root: Path, bashes: list[subprocess.Popen[str]], pythons: list[BaseProcess], timeout: float
) -> None:
    deadline = time.monotonic() + timeout
    for number, bash in enumerate(bashes):
        bash.communicate(timeout=max(1.0, deadline - time.monotonic()))
        assert bash.returncode == 0, _said(root, number).read_text()
    for python in pythons:
        python.join(max(1.0, deadline - time.monotonic()))
        assert python.exitcode == 0


def _python(root: Path, task: Task, index: int, rounds: int) -> BaseProcess:
    process = _fork.Process(target=_run, args=(str(root), task, index, rounds))
    process.start()
    return process


def _run(root: str, task: Task, index: int, rounds: int) -> NoReturn:
    status = 1
    try:
        site = Site(Path(root))
        for number in range(rounds):
            site.mark("ready")
            with gate(site.root, number).open("rb"):
                # So that neither language is always the first.
                time.sleep(HEAD_START * (index * 7 + number) % (2 * HEAD_START))
            task(site, index, number)
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, the test must see it
        traceback.print_exc()
    finally:
        os._exit(status)
