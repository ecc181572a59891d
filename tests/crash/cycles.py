"""Guarded cycles in processes of their own, in bash and in Python, paused until they are let go."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from tests.crash.scene import Scene

LIBRARY = Path(__file__).parents[2] / "healconsole" / "shell" / "heal.sh"
PATIENCE = 30.0
"""Seconds after which a cycle hangs, which is a failure of its own."""

_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload(["tests.crash.cycles", "healconsole.engine.program"])


class Running(ABC):
    """A cycle that waits to begin. ``alive`` is a pipe that all of its processes hold open."""

    pid: int

    def __init__(self, alive: int) -> None:
        self._alive = alive

    def _await_ready(self) -> None:
        """Wait until it has loaded what it needs and reads its gate."""
        assert os.read(self._alive, 1), "the cycle died before it began"

    @abstractmethod
    def go(self) -> None:
        """Let it begin."""

    @abstractmethod
    def _exit_status(self) -> int:
        """Its exit status, negative for a signal."""

    @abstractmethod
    def ended_within(self, seconds: float) -> bool:
        """Whether it ends in this time."""

    def status(self) -> int:
        """Wait for its end: exit status, negative for a signal. What it started may go on."""
        return self._exit_status()

    def gone(self) -> None:
        """Wait until the last process that it started has ended; may be called again."""
        if self._alive < 0:
            return
        try:
            poller = select.poll()
            poller.register(self._alive, select.POLLHUP)
            assert poller.poll(PATIENCE * 1000), "a process of the cycle hangs"
        finally:
            os.close(self._alive)
            self._alive = -1


class _Bash(Running):
    def __init__(self, scene: Scene, environ: Mapping[str, str]) -> None:
        alive, theirs = os.pipe()
        super().__init__(alive)
        with (scene.root / "said").open("ab") as said:
            self._process = subprocess.Popen(
                ["bash", "--norc", Path(__file__).with_name("healer.sh")],
                stdin=subprocess.PIPE,
                stdout=theirs,
                stderr=said,
                env={**environ, "SCENE_LIBRARY": str(LIBRARY)},
            )
        os.close(theirs)
        self.pid = self._process.pid
        self._await_ready()

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.close()

    def ended_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _exit_status(self) -> int:
        return self._process.wait(PATIENCE)


class _Python(Running):
    def __init__(self, scene: Scene, environ: Mapping[str, str]) -> None:
        alive, theirs = _fork.Pipe(duplex=False)
        gate, self._gate = _fork.Pipe(duplex=False)
        self._process = _fork.Process(
            target=_python_cycle, args=(str(scene.root), dict(environ), gate, theirs)
        )
        self._process.start()
        super().__init__(os.dup(alive.fileno()))
        for end in (alive, theirs, gate):
            end.close()
        assert self._process.pid is not None
        self.pid = self._process.pid
        self._await_ready()

    def go(self) -> None:
        self._gate.send_bytes(b"go")
        self._gate.close()

    def ended_within(self, seconds: float) -> bool:
        self._process.join(seconds)
        return self._process.exitcode is not None

    def _exit_status(self) -> int:
        self._process.join(PATIENCE)
        status = self._process.exitcode
        assert status is not None, "the cycle hangs"
        self._process.close()
        return status


def _python_cycle(
    root: str, environ: dict[str, str], gate: Connection, alive: Connection
) -> NoReturn:
    from healconsole import Healer

    os.dup2(os.open(f"{root}/said", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def act(_intent: object) -> None:
        acted = os.open(environ["SCENE_ACTED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(acted, b".")

    healer = Healer(
        environ["NAME"],
        detect=lambda: "stuck=1",
        decide=lambda _fact: environ["SCENE_INTENT"],
        act=act,
        verify=lambda _intent: environ["SCENE_CHECK"] == "true",
    )
    status = 1
    try:
        os.write(alive.fileno(), b".")
        gate.recv_bytes()
        status = healer.main(["--once"], environ, lambda: float(environ["SCENE_NOW"]))
    except BaseException:  # noqa: BLE001 - as an interpreter would end
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


Language = Callable[[Scene, Mapping[str, str]], Running]
"""Starts a cycle that waits."""

LANGUAGES: dict[str, Language] = {"bash": _Bash, "python": _Python}


def run(language: Language, scene: Scene, environ: Mapping[str, str]) -> int:
    """Run one cycle undisturbed; its exit status."""
    cycle = language(scene, environ)
    cycle.go()
    status = cycle.status()
    cycle.gone()
    return status
