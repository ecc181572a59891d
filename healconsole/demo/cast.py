"""Who plays on the site: its processes, and the catalog entries of its healers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from healconsole.core.frozen import Frozen, field
from healconsole.demo.layout import Site

INTERVAL = 2
"""Seconds between two cycles of a healer at pace 1: everything here is fast, to be watched."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WARM_UP = 0.5
"""Seconds that a worker needs before it takes its first job."""
LOOKS = 12
"""How often, five times a second, a restarted worker is looked at before it counts as stuck."""


def interval(pace: float) -> int:
    """Seconds between two cycles of a healer, whole and at least one."""
    return max(1, round(INTERVAL / pace))


class Role(Frozen):
    """One process of the site."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    respawn: bool = False
    """Whether the site starts it again when it ends, as an init system does for a service."""


def script(name: str) -> str:
    """Path of a healer that ships with the demo."""
    return str(files("healconsole.demo") / "healers" / name)


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", f"healconsole.demo.{name}", *arguments)


def services(site: Site, warm_up: float = WARM_UP) -> tuple[Role, ...]:
    """The application that the healers watch, and the second host."""
    root = str(site.root)
    return (
        Role("worker", _module("worker", root, str(warm_up)), respawn=True),
        Role("broker", _module("broker", root), respawn=True),
        Role("producer", _module("producer", root)),
        Role("rival", _module("rival", root)),
    )


def bad_healer(site: Site) -> Role:
    """The healer without guardrails; it writes a line for each of its actions."""
    environment = {
        "DEMO_ROOT": str(site.root),
        "HEAL_REDIS_URL": _redis_url(site),
        "ACTIONS": str(site.unguarded_actions),
        "PATH": SYSTEM_PATH,
    }
    return Role("bad-healer", ("/bin/bash", script("bad-healer.sh")), environment)


def _redis_url(site: Site) -> str:
    return site.redis_url_file.read_text(encoding="ascii").strip()


class HealerRole(Frozen):
    """One healer: how it is run, and what its catalog entry says."""

    name: str
    argv: tuple[str, ...]
    description: str
    runbook: str
    environment: dict[str, str]
    policy: str = ""
    """``[policy]`` of the catalog entry; empty if the healer declares its own."""
    interval: int = INTERVAL
    daemon: bool = True
    """Whether it takes the options of a daemon; what was written before heal.sh does not."""

    def role(self) -> Role:
        """The healer as a process that runs until it is stopped."""
        options = ("--interval", str(self.interval)) if self.daemon else ()
        return Role(self.name, (*self.argv, *options), self.environment)

    def catalog_toml(self) -> str:
        """The entry in ``healers.d``."""
        command = ", ".join(_toml(word) for word in (*self.argv, "--once"))
        environment = ", ".join(f"{k} = {_toml(v)}" for k, v in self.environment.items())
        return (
            f"command = [{command}]\n"
            f"description = {_toml(self.description)}\n"
            'owner = "demo"\n'
            f"runbook = {_toml(self.runbook)}\n"
            f"interval = {self.interval}\n"
            f"environment = {{ {environment} }}\n{self.policy}"
        )


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def healers(site: Site, pace: float = 1.0) -> tuple[HealerRole, ...]:
    """The four healers of the site; their cycles are ``pace`` times as fast as usual."""
    every = interval(pace)
    common = {
        "DEMO_ROOT": str(site.root),
        "HEAL_AUDIT_FILE": str(site.audit),
        "HEAL_TEXTFILE_DIR": str(site.textfile),
        "HEAL_SH": script("../../shell/heal.sh"),
        "HEAL_REDIS_URL": _redis_url(site),
        "PATH": f"{Path(sys.executable).parent}:{SYSTEM_PATH}",
    }

    def environment(name: str, **more: str) -> dict[str, str]:
        return {**common, "NAME": name, "HEAL_STATE_DIR": str(site.state / name), **more}

    return (
        HealerRole(
            "worker-queue-healer",
            ("/bin/bash", script("worker-queue-healer.sh")),
            "restarts the queue worker when it lives but does not get on",
            "demo: compare release= in the facts with what was deployed; 'healconsole demo fix'",
            environment(
                "worker-queue-healer",
                HEAL_RATE="0.5", HEAL_BURST="3", HEAL_CB_MAX="3", HEAL_CB_COOLDOWN="600",
                HEAL_BUCKET="5", HEAL_SETTLE="1", HEAL_ACTION_TIMEOUT="10", HEAL_CHECK_TIMEOUT="5",
                LOOKS=str(LOOKS),
            ),
            interval=every,
        ),
        HealerRole(
            "disk-reaper",
            (sys.executable, script("disk_reaper.py")),
            "removes core files older than a week when they are over their quota",
            "demo: look at what it would have removed before you turn dry-run off",
            environment("disk-reaper", DRY_RUN="true"),
            interval=every,
        ),
        HealerRole(
            "broker-restarter",
            ("/bin/bash", script("broker-restarter.sh")),
            "restarts a broker that does not answer, on one host at a time",
            "demo: the fleet lock 'broker' is shared with web-08",
            environment(
                "broker-restarter",
                HEAL_RATE="0.2", HEAL_BURST="3", HEAL_CB_MAX="3", HEAL_CB_COOLDOWN="60",
                HEAL_BUCKET="5", HEAL_SETTLE="1", HEAL_ACTION_TIMEOUT="10", HEAL_CHECK_TIMEOUT="5",
                HEAL_FLEET_LOCK="broker", HEAL_FLEET_LOCK_TTL="15",
            ),
            interval=every,
        ),
        HealerRole(
            "legacy-mailq",
            ("/bin/bash", script("legacy-mailq.sh")),
            "flushes the deferred mail queue; written before heal.sh",
            "demo: its limits are what its catalog entry says, for its files do not tell",
            environment("legacy-mailq", INTERVAL=str(every)),
            policy=(
                "\n[policy]\nrate = 0.0167\nburst = 3\nmax_failures = 3\n"
                "cooldown = 600\nbucket = 300\n"
            ),
            interval=every,
            daemon=False,
        ),
    )  # fmt: skip


def write_catalog(site: Site, entries: Iterable[HealerRole]) -> None:
    """Write the entry of each healer; only this user may write or read them."""
    for healer in entries:
        path = site.catalog / f"{healer.name}.toml"
        path.touch(mode=0o600)
        path.write_text(healer.catalog_toml(), encoding="utf-8")
