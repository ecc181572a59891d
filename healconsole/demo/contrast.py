"""The same incident twice, at the same time: behind guardrails, and without them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass

import orjson

from healconsole.demo.launch import running_site, tell
from healconsole.demo.layout import BAD_RELEASE, BUSY, JOBS, Site
from healconsole.demo.link import connect
from healconsole.demo.script import Player

WARM_UP = 2.0
"""Seconds that a worker needs before its first job: what an impatient healer never grants."""
INCIDENT: tuple[tuple[float, str], ...] = (
    (6, "poison"),
    (20, f"deploy {BAD_RELEASE}"),
    (38, "fix"),
)
"""Seconds after the start, command given to both sites."""
RESET_AT = 39.0
"""When the operator resets the breaker of the guarded site; the other has none."""
LASTS = 54.0
"""Seconds that both sites are watched."""
LOOK_EVERY = 0.1


@dataclass(slots=True)
class Tally:
    """What was counted on one site. ``down`` in seconds: jobs wait and none gets done."""

    actions: int = 0
    down: float = 0.0

    def per_minute(self, seconds: float) -> float:
        """Restarts per minute."""
        return self.actions * 60 / seconds


def play() -> None:
    """Run both sites through the incident and print what became of them, side by side.

    Raises:
        DemoError: a site did not come up.
        NotReachedError: the operator's reset was refused.
    """
    with ExitStack() as stack:
        options = ("--no-story", "--warm-up", str(WARM_UP))
        guarded = stack.enter_context(running_site(*options, announce=False))
        unguarded = stack.enter_context(running_site(*options, "--unguarded", announce=False))
        print(f"two sites, one incident, {LASTS:.0f} s", flush=True)
        tallies = _watch(guarded, unguarded)
        tallies[0].actions = _guarded_actions(guarded)
        tallies[1].actions = _unguarded_actions(unguarded)
    print(table(tallies[0], tallies[1], LASTS), flush=True)


def _watch(guarded: Site, unguarded: Site) -> tuple[Tally, Tally]:
    tallies = (Tally(), Tally())
    links = (connect(guarded), connect(unguarded))
    began = last = time.monotonic()
    pending = [*INCIDENT, (RESET_AT, "reset")]
    while (now := time.monotonic()) - began < LASTS:
        while pending and now - began >= pending[0][0]:
            _happen(pending.pop(0)[1], guarded, unguarded)
        for link, tally in zip(links, tallies, strict=True):
            if link.llen(JOBS) and not link.exists(BUSY):
                tally.down += now - last
        last = now
        time.sleep(LOOK_EVERY)
    return tallies


def _happen(command: str, guarded: Site, unguarded: Site) -> None:
    if command == "reset":
        print("  operator: resets the breaker of the guarded site", flush=True)
        reason = "rolled back the deploy"
        Player(guarded).console("reset", "worker-queue-healer", "--reason", reason)
        return
    print(f"  both sites: {command}", flush=True)
    for site in (guarded, unguarded):
        tell(site, command)


def _guarded_actions(site: Site) -> int:
    events = (orjson.loads(line) for line in site.audit.read_bytes().splitlines())
    return sum(
        event["healer"] == "worker-queue-healer" and event["outcome"] == "started"
        for event in events
    )


def _unguarded_actions(site: Site) -> int:
    try:
        return len(site.unguarded_actions.read_bytes().splitlines())
    except FileNotFoundError:
        return 0


def table(guarded: Tally, unguarded: Tally, seconds: float) -> str:
    """Both tallies side by side.

    >>> print(table(Tally(5, 21.5), Tally(80, 44.0), 60.0))
                             guarded   unguarded
    restarts                       5          80
    restarts per minute          5.0        80.0
    site down                 21.5 s      44.0 s
    """
    rows = (
        ("", "guarded", "unguarded"),
        ("restarts", str(guarded.actions), str(unguarded.actions)),
        ("restarts per minute", *(f"{t.per_minute(seconds):.1f}" for t in (guarded, unguarded))),
        ("site down", *(f"{t.down:.1f} s" for t in (guarded, unguarded))),
    )
    return "\n".join(f"{name:20}{left:>12}{right:>12}" for name, left, right in rows)
