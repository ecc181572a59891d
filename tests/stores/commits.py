"""A healer of the tests of commits, and an act on it, step by step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from healconsole.core.intent import marker_key, parse_intent
from healconsole.core.marker import parse_marker
from healconsole.core.records import (
    ClaimRecord,
    MarkerRecord,
    Policy,
)
from healconsole.stores.commit import Held, hold
from healconsole.stores.layout import prepare
from tests.stores.children import fork

NOW = 1_764_000_000
POLICY = Policy()
INTENT = parse_intent("restart_worker pid=12 ünï %")
KEY = marker_key(INTENT.text, NOW // 300)
HALF_OPEN = b"2 1763999000 3 600 half-open 0\n"


def make_home(tmp_path: Path) -> Path:
    """A state directory of ours, new."""
    path = tmp_path / "healer"
    prepare(path, NOW)
    return path


def begin(
    held: Held,
    *,
    now: int = NOW,
    probe: bool = False,
    announce: Callable[[ClaimRecord], None] = lambda _: None,
    policy: Policy = POLICY,
) -> ClaimRecord:
    """The act's first step, under the guard."""
    return held.begin(INTENT, policy, now, probe=probe, announce=announce)


def finish(held: Held, claim: ClaimRecord, *, now: int = NOW, succeeded: bool = True) -> None:
    """The act's last step, under the guard."""
    held.finish(claim, POLICY, now, scope=INTENT.scope, succeeded=succeeded, announce=lambda: None)


def marker(home: Path, key: str = KEY) -> MarkerRecord:
    """The marker of that key, as it is on disk."""
    found = parse_marker((home / "keys" / key).read_bytes(), key, 0)
    assert isinstance(found, MarkerRecord)
    return found


def tree(home: Path) -> dict[str, bytes]:
    """Each file of the state with its bytes; the guard is none of it."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name != ".guard"
    }


def killed_after_begin(home: Path, *, probe: bool = False) -> None:
    """An act whose healer is killed after it began."""

    def act() -> None:
        with hold(home) as held:
            begin(held, probe=probe)
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(fork(act), 0)
