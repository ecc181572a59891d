"""One path of the Python engine, again and again: ``python -m tests.bench.acts PATH ROUNDS``.

The counterpart of ``acts.sh``, on the same environment. Prints a JSON object: ``taken`` the
microseconds of each round, ``synced`` those of them that were spent in fsync(2) and fdatasync(2),
``moved`` those in rename(2) and ftruncate(2), which wait for the file system's journal, too.
Looks for ``MARK`` between the rounds, for whoever counts calls.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Final

from healconsole import Guard
from healconsole.core.records import DEFAULT_POLICY
from healconsole.engine.process import Ended, run_command, run_function
from healconsole.engine.settings import settings_from
from tests.bench.calls import MARK

SAME: Final = {
    "duplicate": "restart_worker pid=1",
    "rate-limited": "restart_worker pid=77",
    "open circuit": "restart_worker pid=78",
}
"""Paths on which each round asks for the same intent; on the others each asks for its own."""

_spent = {"synced": 0, "moved": 0}
"""Nanoseconds until now."""


def main(path: str, rounds: int) -> None:
    """Run ``rounds`` rounds of ``path`` and print what they took."""
    for name, what in (
        ("fsync", "synced"), ("fdatasync", "synced"), ("rename", "moved"), ("ftruncate", "moved"),
    ):  # fmt: skip
        _time(name, what)
    said: dict[str, list[float]] = {"taken": [], "synced": [], "moved": []}
    settings = settings_from(os.environ["NAME"], os.environ, DEFAULT_POLICY, 60)
    with Guard.from_settings(settings, time.time) as guard:
        once = _round(guard, path)
        for number in range(rounds):
            intent = SAME.get(path, f"restart_worker pid={number}")
            before = dict(_spent)
            os.path.exists(MARK)  # noqa: PTH110 - the one call, and no object around it
            began = time.perf_counter_ns()
            once(intent)
            ended = time.perf_counter_ns()
            said["taken"].append((ended - began) / 1000)
            for what, until in before.items():
                said[what].append((_spent[what] - until) / 1000)
        os.path.exists(MARK)  # noqa: PTH110
    print(json.dumps(said))


def nothing() -> None:
    """The action that costs nothing."""


def _round(guard: Guard, path: str) -> Callable[[str], None]:
    if path == "alone, a command":
        return lambda _intent: _alone(run_command(("true",), 10))
    if path == "alone, a function":
        return lambda _intent: _alone(run_function(nothing, 10))
    if path == "allowed, a block":
        return lambda intent: _block(guard, intent)
    if path == "allowed, a command":
        return lambda intent: _expect(guard, intent, ("true",))
    if path == "allowed, a function":
        return lambda intent: _expect(guard, intent, nothing)
    return lambda intent: _deny(guard, intent)


def _block(guard: Guard, intent: str) -> None:
    with guard.protect(intent):
        pass


def _expect(guard: Guard, intent: str, action: tuple[str, ...] | Callable[[], None]) -> None:
    done = guard.run(intent, action)
    if done.outcome != "success":
        raise SystemExit(f"{intent}: {done.outcome}, {done.reason}")


def _alone(ended: Ended) -> None:
    if not ended.ok:
        raise SystemExit(ended.why)


def _deny(guard: Guard, intent: str) -> None:
    guard.run(intent, nothing)


def _time(name: str, what: str) -> None:
    """Have the calls of ``os.<name>`` add to the time that was spent in ``what``."""
    call = getattr(os, name)

    def timed(*args: object, **options: object) -> None:
        began = time.perf_counter_ns()
        try:
            call(*args, **options)
        finally:
            _spent[what] += time.perf_counter_ns() - began

    setattr(os, name, timed)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
