"""The story without a terminal: each station is reached, or the script says which was not."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import orjson

from healconsole.demo.launch import running_site, tell
from healconsole.demo.layout import BAD_RELEASE, Site

PATIENCE = 90.0
"""Seconds within which each station has to be reached."""
LOOK_EVERY = 0.1
"""Seconds between two looks at the log."""
STATUS_EVERY = 0.5
"""Seconds between two looks at the status, each of which is a whole run of the program."""
PACE = 2
"""How many times faster than on the screen the healers of the script cycle."""

_ENOUGH = 3
"""Failures that open the breaker of the worker's healer."""

Status = dict[str, Any]


class NotReachedError(Exception):
    """A station of the story was not reached in time."""


class Player:
    """Operates one site through the command line, as a person would."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._options = (
            "--state-root", str(site.state), "--audit", str(site.audit),
            "--catalog", str(site.catalog), "--textfile-dir", str(site.textfile),
        )  # fmt: skip
        self._environment = {
            "HEAL_REDIS_URL": site.redis_url_file.read_text(encoding="ascii").strip(),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        }

    def console(self, *words: str) -> str:
        """Run ``healconsole WORDS``; its standard output.

        Raises:
            NotReachedError: it ended with a status other than 0.
        """
        done = subprocess.run(
            (sys.executable, "-P", "-m", "healconsole", *words, *self._options),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        if done.returncode != 0:
            raise NotReachedError(f"'healconsole {' '.join(words)}' failed: {done.stderr.strip()}")
        return done.stdout

    def status(self) -> dict[str, Status]:
        """``status --json``, the healers by name; key ``""`` holds the whole object."""
        whole = orjson.loads(self.console("status", "--json"))
        return {"": whole, **{healer["name"]: healer for healer in whole["healers"]}}

    def events(self) -> list[Status]:
        """Every event of the audit log so far."""
        try:
            lines = self.site.audit.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [orjson.loads(line) for line in lines]

    def station(self, name: str, reached: Callable[[], object], every: float = LOOK_EVERY) -> None:
        """Wait for a station, with a look ``every`` so many seconds, and say so.

        Raises:
            NotReachedError: it was not reached within ``PATIENCE``.
        """
        began = time.monotonic()
        while not reached():
            if time.monotonic() - began > PATIENCE:
                raise NotReachedError(f"station not reached in {PATIENCE:.0f} s: {name}")
            time.sleep(every)
        print(f"  ✔ {time.monotonic() - began:5.1f} s  {name}", flush=True)

    def has_event(self, healer: str, outcome: str, **fields: str) -> bool:
        """Whether the log holds such an event."""
        wanted = {"healer": healer, "outcome": outcome, **fields}
        return any(wanted.items() <= event.items() for event in self.events())

    def outcomes(self, healer: str) -> list[str]:
        """The outcomes of a healer's events, in order."""
        return [event["outcome"] for event in self.events() if event["healer"] == healer]

    def failures(self) -> int:
        """How many restarts of the worker have failed since the last that did not."""
        mine = self.outcomes("worker-queue-healer")
        since = len(mine) - mine[::-1].index("success") if "success" in mine else 0
        return mine[since:].count("verify-failed")


def breaker(status: dict[str, Status], healer: str) -> str:
    """State of the one breaker of a healer; ``closed`` if it has none yet."""
    breakers = status.get(healer, {}).get("breakers", [])
    return str(breakers[0]["state"]) if breakers else "closed"


def play() -> None:
    """Play the whole story.

    Raises:
        NotReachedError: a station was not reached.
        DemoError: the site did not come up.
    """
    with running_site("--no-story", "--pace", str(PACE), announce=False) as site:
        player = Player(site)
        _peace(player)
        _stuck_worker(player)
        _fleet_lock(player)
        _bad_deploy(player)
        _stale(player)
        _repair(player)
    if site.root.exists():
        raise NotReachedError(f"the site left {site.root} behind")
    print("the story was played to its end", flush=True)


def _peace(player: Player) -> None:
    def all_known() -> bool:
        status = player.status()
        beating = [
            name for name in ("worker-queue-healer", "disk-reaper", "broker-restarter")
            if status.get(name, {}).get("heartbeat", {}).get("state") == "fresh"
        ]  # fmt: skip
        return len(beating) == 3

    player.station("three healers beat", all_known, STATUS_EVERY)
    player.station(
        "disk-reaper rehearses: dry-run", lambda: player.has_event("disk-reaper", "dry-run")
    )
    player.station(
        "legacy-mailq acts, and its files are read",
        lambda: (
            player.has_event("legacy-mailq", "success")
            and player.status()["legacy-mailq"]["library"] == "legacy"
        ),
    )


def _stuck_worker(player: Player) -> None:
    tell(player.site, "poison")
    poisoned = 1

    def healed() -> bool:
        nonlocal poisoned
        if player.has_event("worker-queue-healer", "success"):
            return True
        # On a machine that is too busy the worker may come back only after the healer looked:
        # it works again then, and nothing is left to heal. One more time.
        if poisoned <= player.failures() < _ENOUGH:
            poisoned += 1
            tell(player.site, "poison")
        return False

    player.station("a stuck worker is restarted, and the queue drains", healed)


def _fleet_lock(player: Player) -> None:
    def held() -> bool:
        locks = player.status()[""]["locks"]
        return any(lock["key"] == "broker" and lock["state"] == "held" for lock in locks)

    player.station("the fleet lock is held by web-08", held, STATUS_EVERY)
    tell(player.site, "hang-broker")
    hung = 1

    def waits() -> bool:
        nonlocal hung
        if player.has_event("broker-restarter", "denied", guard="fleet"):
            return True
        # On a machine that is too busy the lock may be free by the time the healer looks, and
        # the broker is restarted at once. One more time.
        if player.outcomes("broker-restarter").count("success") >= hung and held():
            hung += 1
            tell(player.site, "hang-broker")
        return False

    def acts_later() -> bool:
        outcomes = player.outcomes("broker-restarter")
        return "success" in outcomes[outcomes.index("denied") :]

    player.station("broker-restarter waits for the fleet lock", waits)
    player.station("broker-restarter acts once the lock is free", acts_later)


def _bad_deploy(player: Player) -> None:
    tell(player.site, f"deploy {BAD_RELEASE}")
    tell(player.site, "kill-healer broker-restarter")  # its heartbeat grows old meanwhile
    player.station(
        "a bad deploy: three restarts fail, the breaker opens, and the open breaker denies",
        lambda: (
            player.has_event("worker-queue-healer", "denied", guard="circuit")
            and breaker(player.status(), "worker-queue-healer") == "open"
        ),
    )
    if (failed := player.failures()) != _ENOUGH:
        raise NotReachedError(f"the breaker opened after {failed} failures, not {_ENOUGH}")
    answer = orjson.loads(player.console("explain", "worker-queue-healer", "--json"))
    if answer["verdict"]["allow"] or answer["verdict"]["guard"] != "circuit":
        raise NotReachedError(f"explain does not name the circuit: {answer}")
    last = [e for e in player.events() if e["outcome"] == "verify-failed"][-1]
    if f"release={BAD_RELEASE}" not in last["fact"]:
        raise NotReachedError(f"the fact does not lead to the cause: {last['fact']}")


def _stale(player: Player) -> None:
    player.station(
        "a killed healer is seen as stale",
        lambda: player.status()["broker-restarter"]["heartbeat"]["state"] == "stale",
        STATUS_EVERY,
    )


def _repair(player: Player) -> None:
    tell(player.site, "fix")
    player.console("reset", "worker-queue-healer", "--reason", "rolled back deploy 5121",
                   "--incident", "INC-4711")  # fmt: skip
    player.station(
        "the cause is repaired, the breaker reset, and one probe closes it",
        lambda: (
            _outcomes_after_reset(player)[:2] == ["started", "success"]
            and breaker(player.status(), "worker-queue-healer") == "closed"
        ),
    )
    event = next(e for e in player.events() if e["outcome"] == "operator-reset")
    if (event["reason"], event["incident"]) != ("rolled back deploy 5121", "INC-4711"):
        raise NotReachedError(f"the operator's event lacks what was given: {event}")
    player.station(
        "the dead healer runs again",
        lambda: player.status()["broker-restarter"]["heartbeat"]["state"] == "fresh",
        STATUS_EVERY,
    )


def _outcomes_after_reset(player: Player) -> list[str]:
    mine = player.outcomes("worker-queue-healer")
    after = mine[mine.index("operator-reset") + 1 :] if "operator-reset" in mine else []
    return [outcome for outcome in after if outcome in {"started", "success", "verify-failed"}]
