"""A made-up host for the doctor: real files below one directory, three healers that are well."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from healconsole.core.findings import Finding, HostFacts, examine
from healconsole.stores.config import Config
from healconsole.stores.hostfacts import gather
from healconsole.stores.hostfiles import Places
from healconsole.stores.layout import prepare
from healconsole.stores.look import read_once
from tests.cli.program import cycle

REPO = Path(__file__).parents[2] / "healconsole"
EXAMPLES = {
    "queue.sh": REPO / "shell" / "examples" / "worker-queue-healer.sh",
    "worker.py": REPO / "examples" / "worker_queue_healer.py",
}

DECLARED = """\
name = "reaper"
detect = ["count-cores"]
decide = ["over", "9"]
act = ["reap"]
verify = ["fewer-cores"]
"""

UNIT = """\
[Service]
Type=notify
NotifyAccess=all
ExecStart={command}
Restart=on-failure
RestartSec=5
WatchdogSec=3min
StateDirectory=heal/{name}
"""

RULES = """\
groups:
  - name: heal
    rules:
      - {alert: Stale, expr: time() - heal_last_cycle_timestamp_seconds > 300}
      - {alert: Absent, expr: absent(heal_last_cycle_timestamp_seconds)}
      - {alert: Open, expr: 'heal_breaker_state{state="open"} == 1', for: 15m}
      - {alert: Busy, expr: increase(heal_actions_total[1d]) > 5}
      - {alert: Scrape, expr: node_textfile_scrape_error > 0}
"""

LOGROTATE = "{audit} {{\n  daily\n  rotate 90\n  create 0640 heal heal\n  compress\n}}\n"

ENTRY = """\
command = {command}
unit = "{name}.service"
user = "{user}"
interval = 60

[policy]
rate = 0.0167
burst = 3
"""


@dataclass
class Host:
    """The host, and what looks at it."""

    root: Path
    least_free: int = 0
    redis: str | None = None
    clock: Callable[[], float] = time.time
    now: int = field(default_factory=lambda: int(time.time()))

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def audit(self) -> Path:
        return self.root / "log" / "audit.jsonl"

    @property
    def config(self) -> Config:
        return Config(
            state_root=self.state,
            audit=self.audit,
            catalog=self.root / "healers.d",
            redis=self.redis,
            host="web-07",
        )

    @property
    def places(self) -> Places:
        return Places(
            units=(self.root / "systemd" / "etc", self.root / "systemd" / "lib"),
            tmpfiles=(self.root / "tmpfiles.d",),
            logrotate=(self.root / "logrotate.d",),
            rules=(self.root / "prometheus",),
            cron=(self.root / "cron.d",),
        )

    def facts(self) -> HostFacts:
        """Look at it. The real disk that the tests run on may be as full as it is."""
        return gather(
            self.config,
            read_once(self.config, self.clock),
            self.places,
            self.clock,
            config_files=[self.root / "healconsole.toml"],
            least_free=self.least_free,
        )

    def findings(self) -> list[Finding]:
        return [
            found for found in examine(self.facts()) if self.least_free or found.id != "disk-full"
        ]

    @property
    def options(self) -> list[str]:
        """Options of ``healconsole doctor`` that point it here."""
        given = {
            "state-root": self.state,
            "audit": self.audit,
            "catalog": self.root / "healers.d",
            "config": self.root / "healconsole.toml",
            "units": self.root / "systemd" / "etc",
            "tmpfiles": self.root / "tmpfiles.d",
            "logrotate": self.root / "logrotate.d",
            "rules": self.root / "prometheus",
            "cron": self.root / "cron.d",
            "disk-free": 0,
        }
        return [word for flag, value in given.items() for word in (f"--{flag}", str(value))]

    def write(self, path: str, text: str, mode: int = 0o644) -> Path:
        """Put a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text that is there in a file."""
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    def program(self, name: str, text: str) -> Path:
        """Replace the program of the healer ``queue`` (bash) or ``worker`` (Python)."""
        return self.write(f"sbin/{name}", text, 0o755)

    def add(self, name: str, command: list[str], library: str) -> None:
        """Add a healer with its unit, its catalog entry and its state."""
        prepare(self.state / name, self.now)
        record = cycle(self.now, library=library, verdict=None, intent="", outcome="")
        self.write(f"state/{name}/cycle.json", record)
        self.write(f"systemd/etc/{name}.service", UNIT.format(command=" ".join(command), name=name))
        entry = ENTRY.format(command=json.dumps(command), name=name, user=getpass.getuser())
        self.write(f"healers.d/{name}.toml", entry)


def good_host(root: Path) -> Host:
    """A host on which the doctor finds nothing."""
    host = Host(root)
    root.chmod(0o755)
    (root / "sbin").mkdir()
    for name, example in EXAMPLES.items():
        shutil.copy(example, root / "sbin" / name)
        (root / "sbin" / name).chmod(0o755)
    declared = host.write("sbin/reaper.toml", DECLARED)
    host.add("queue", [str(root / "sbin" / "queue.sh")], "heal.sh")
    host.add("worker", ["/usr/bin/python3", str(root / "sbin" / "worker.py")], "python")
    host.add("reaper", ["/usr/bin/healconsole", "heal", str(declared)], "python")
    host.write("log/audit.jsonl", "")
    host.write("healconsole.toml", "read_only = true\n")
    host.write("tmpfiles.d/heal.conf", f"e {host.state}/*/keys - - - 1d\n")
    host.write("logrotate.d/heal", LOGROTATE.format(audit=host.audit))
    host.write("prometheus/rules.d/heal.yml", RULES)
    (root / "cron.d").mkdir()
    os.utime(host.audit, (host.now, host.now))
    return host
