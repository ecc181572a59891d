"""The commands that a bash healer starts, each with a tracer of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.crash.scene import Scene
from tests.crash.tracing import Call, calls_in

COMMANDS = ("cat", "flock", "mkdir", "mv", "rm", "sha256sum", "stat", "sync", "tail", "truncate")
_SHIM = Path(__file__).parent / "shims" / "command"


@dataclass(frozen=True)
class Started:
    """A command that a cycle starts: the how manieth, its name, and its calls."""

    number: int
    name: str
    calls: tuple[Call, ...]


class Shims:
    """A folder for the PATH whose commands can be told what is to happen to one of them."""

    def __init__(self, scene: Scene, calls: str) -> None:
        self._dir = scene.root / "shims"
        self._dir.mkdir()
        self._calls = calls
        for name in COMMANDS:
            (self._dir / name).symlink_to(_SHIM)
        os.mkfifo(self._dir / "gate")

    def environ(
        self, base: Mapping[str, str], mode: str, at: int = 0, inject: str = ""
    ) -> dict[str, str]:
        """``base`` with the shims first on its PATH; see ``shims/command`` for the modes."""
        return {
            **base,
            "PATH": f"{self._dir}:{base['PATH']}",
            "SHIM_PATH": base["PATH"],
            "SHIM_DIR": str(self._dir),
            "SHIM_CALLS": self._calls,
            "SHIM_MODE": mode,
            "SHIM_AT": str(at),
            "SHIM_INJECT": inject,
        }

    def started(self) -> list[Started]:
        """What a cycle in mode ``count`` started."""
        names = (self._dir / "names").read_text(encoding="ascii").split()
        return [
            Started(number, name, calls_in(self._dir / f"trace.{number}"))
            for number, name in enumerate(names, 1)
        ]

    def release(self) -> None:
        """Let the orphan go on, which must have come to its gate."""
        with (self._dir / "gate").open("w", encoding="ascii") as gate:
            gate.write("\n")
