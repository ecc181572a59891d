"""What can be wrong on a host: each entry spoils a good one in one way, and names the finding."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import NamedTuple

import pytest

from healconsole.stores.auditlog import AuditWriter
from tests.cli.program import cycle
from tests.ops.hosts import Host

DAY = 86_400

OWN_BASH = """\
#!/bin/bash
# Says idempotent, rate limit, breaker and verify only here.
while sleep 5; do [ "$(queue-length)" -gt 100 ] && systemctl restart worker; done
"""

OWN_PYTHON = """\
import subprocess, time
while True:
    if depth() > 100:
        subprocess.run(["systemctl", "restart", "worker"])
    time.sleep(5)
"""

BASH = """\
#!/usr/bin/env bash
NAME=queue
source /usr/share/heal.sh
{body}
"""

DETECT_ZERO = """\
detect() {
  local depth
  depth=$(redis-cli LLEN jobs 2>/dev/null || echo 0)
  printf 'queue_depth=%s' "$depth"
}
heal_main detect decide restart drains "$@"
"""

PYTHON = """\
from healconsole import Healer, Fact
class Worker(Healer):
    name = "worker"
    def detect(self):
        {detect}
    def decide(self, fact):
        return None
    def act(self, intent):
        pass
    {verify}
"""

VERIFY = "def verify(self, intent):\n        return self.depth() < 10"


def bash(host: Host, body: str) -> None:
    host.program("queue.sh", BASH.format(body=body))


def python(host: Host, detect: str = "return Fact(depth=1)", verify: str = VERIFY) -> None:
    host.program("worker.py", PYTHON.format(detect=detect, verify=verify))


def limits(host: Host, **changed: object) -> None:
    record = json.loads(cycle(host.now, verdict=None, intent="", outcome=""))
    record["policy"] |= changed
    host.write("state/queue/cycle.json", json.dumps(record) + "\n")


def unlimited(host: Host) -> None:
    (host.state / "queue" / "cycle.json").unlink()
    host.replace("healers.d/queue.toml", "\n[policy]\nrate = 0.0167\nburst = 3\n", "")


def legacy(host: Host) -> None:
    for name in ("cycle.json", "claims"):
        path = host.state / "queue" / name
        path.unlink() if path.is_file() else path.rmdir()
    host.write("state/queue/cb/restart pid=7", f"1 {host.now}\n")


def old_marker(host: Host) -> None:
    key = host.write(f"state/queue/keys/{'a' * 64}", "")
    os.utime(key, (host.now - 40 * DAY,) * 2)


def slow_cycle(host: Host) -> None:
    record = cycle(host.now, verdict=None, intent="", outcome="", duration_ms=200_000)
    host.write("state/queue/cycle.json", record)


def no_keys(host: Host) -> None:
    for name in ("keys", "dry/keys"):
        (host.state / "queue" / name).rmdir()


def second_unit(host: Host) -> None:
    text = (host.root / "systemd/etc/queue.service").read_text()
    host.write("systemd/lib/queue-copy.service", text)


def no_state(host: Host) -> None:
    host.state.rename(host.root / "gone")


def unreadable(host: Host) -> None:
    top = host.state / "queue"
    top.rename(host.root / "elsewhere")
    top.symlink_to(host.root / "elsewhere")


def cut_off(host: Host) -> None:
    """An operator's act is announced, and its result is not."""
    AuditWriter(host.audit, lambda: host.now - 600.0, "web1").append(
        healer="queue", outcome="operator-trip", pid=4711, reason="deploy", operator={"user": "ana"}
    )


def foreign(host: Host) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(host.state / "queue" / "rate", 12345, -1)


def guard_in_cron(host: Host) -> None:
    host.replace(
        "systemd/etc/queue.service",
        f"{host.root}/sbin/queue.sh",
        "/usr/bin/healconsole guard --healer queue --intent reap -- reap /var/cores",
    )
    entry = host.root / "healers.d/queue.toml"
    entry.write_text("\n".join(entry.read_text().splitlines()[1:]))


class Bad(NamedTuple):
    """One way in which a host is bad."""

    finding: str
    spoil: Callable[[Host], object]
    """What is done to the good host."""
    where: str
    """Part of the place that is named."""


BAD = {
    "no marker in bash": Bad(
        "no-idempotency",
        lambda h: h.program("queue.sh", OWN_BASH + "# \nrate_limit breaker verify() { :; }\n"),
        "sbin/queue.sh",
    ),
    "no marker in Python": Bad(
        "no-idempotency",
        lambda h: h.program("worker.py", OWN_PYTHON + "rate = breaker = verify = 1\n"),
        "sbin/worker.py",
    ),
    "a bucket of nothing": Bad("no-idempotency", lambda h: limits(h, bucket=1), "state/queue"),
    "no rate in bash": Bad(
        "no-rate-limit",
        lambda h: h.program("queue.sh", OWN_BASH + "marker breaker verify\n"),
        "sbin/queue.sh",
    ),
    "a rate without end": Bad("no-rate-limit", lambda h: limits(h, rate="5.000000"), "state/queue"),
    "no breaker in bash": Bad(
        "no-breaker",
        lambda h: h.program("queue.sh", OWN_BASH + "marker rate_limit verify\n"),
        "sbin/queue.sh",
    ),
    "a breaker that never opens": Bad(
        "no-breaker", lambda h: limits(h, max_failures=999_999), "state/queue"
    ),
    "no verification in bash": Bad(
        "no-verification",
        lambda h: h.program("queue.sh", OWN_BASH + "marker rate_limit breaker\n"),
        "sbin/queue.sh",
    ),
    "no check is named": Bad(
        "no-verification",
        lambda h: bash(h, 'heal_act_with_guardrails "restart w" restart'),
        "sbin/queue.sh:4",
    ),
    "true is the check": Bad(
        "no-verification",
        lambda h: bash(h, 'heal_main detect decide restart true "$@"'),
        "sbin/queue.sh:4",
    ),
    "the check is hollow": Bad(
        "no-verification",
        lambda h: bash(h, 'ok() { return 0; }\nheal_main detect decide restart ok "$@"'),
        "sbin/queue.sh:5",
    ),
    "a healer without verify": Bad(
        "no-verification", lambda h: python(h, verify="x = 1"), "sbin/worker.py:2"
    ),
    "verify is always true": Bad(
        "no-verification",
        lambda h: python(h, verify="def verify(self, intent):\n        return True"),
        "sbin/worker.py:10",
    ),
    "a declaration with true": Bad(
        "no-verification",
        lambda h: h.replace("sbin/reaper.toml", '"fewer-cores"', '"true"'),
        "sbin/reaper.toml",
    ),
    "guard without a check": Bad("no-verification", guard_in_cron, "healconsole guard"),
    "echo 0 in bash": Bad("error-as-zero", lambda h: bash(h, DETECT_ZERO), "sbin/queue.sh:6"),
    "an assignment of 0": Bad(
        "error-as-zero",
        lambda h: bash(h, 'depth=$(ask) || depth=0\nheal_main a b c d "$@"'),
        "sbin/queue.sh:4",
    ),
    "printf 0 in bash": Bad(
        "error-as-zero",
        lambda h: bash(h, "depth=$(ask || printf '%s' 0)\nheal_main a b c d \"$@\""),
        "sbin/queue.sh:4",
    ),
    "return 0 in Python": Bad(
        "error-as-zero",
        lambda h: python(
            h, "try:\n            return self.ask()\n        except OSError:\n            return 0"
        ),
        "sbin/worker.py:8",
    ),
    "depth = 0 in Python": Bad(
        "error-as-zero",
        lambda h: python(
            h,
            "try:\n            n = self.ask()\n"
            "        except OSError:\n            n = 0\n        return Fact(n=n)",
        ),
        "sbin/worker.py:8",
    ),
    "detect restarts": Bad(
        "acts-in-detect",
        lambda h: bash(h, 'detect() {\n  systemctl restart worker\n}\nheal_main detect b c d "$@"'),
        "sbin/queue.sh:5",
    ),
    "detect kills in Python": Bad(
        "acts-in-detect",
        lambda h: python(h, "import os\n        os.kill(7, 9)\n        return Fact(n=1)"),
        "sbin/worker.py:6",
    ),
    "no state root": Bad("no-state-directory", no_state, "state"),
    "no state directory": Bad(
        "no-state-directory", lambda h: (h.state / "queue").rename(h.root / "gone"), "state/queue"
    ),
    "no keys": Bad("no-state-directory", no_keys, "state/queue"),
    "two units": Bad("two-instances", second_unit, "queue-copy.service"),
    "a float in (( ))": Bad(
        "float-in-bash",
        lambda h: bash(h, 'if ((load > 1.5)); then :; fi\nheal_main a b c d "$@"'),
        "sbin/queue.sh:4",
    ),
    "a float beside -gt": Bad(
        "float-in-bash",
        lambda h: bash(h, '[ "$load" -gt 0.8 ] && x\nheal_main a b c d "$@"'),
        "sbin/queue.sh:4",
    ),
    "a float as text": Bad(
        "float-in-bash",
        lambda h: bash(h, '[[ $load > 1.5 ]] && x\nheal_main a b c d "$@"'),
        "sbin/queue.sh:4",
    ),
    "the legacy library": Bad("legacy-library", legacy, "state/queue"),
    "a file of the legacy library": Bad(
        "legacy-leftover",
        lambda h: h.write("state/queue/cb-restart pid=7", f"3 {h.now}\n"),
        "state/queue",
    ),
    "limits assumed": Bad("limits-assumed", unlimited, "state/queue"),
    "no unit": Bad("no-unit", lambda h: (h.root / "systemd/etc/queue.service").unlink(), "systemd"),
    "no watchdog": Bad(
        "no-watchdog",
        lambda h: h.replace("systemd/etc/queue.service", "WatchdogSec=3min\n", ""),
        "queue.service",
    ),
    "a watchdog of 0": Bad(
        "no-watchdog",
        lambda h: h.write("systemd/etc/queue.service.d/off.conf", "[Service]\nWatchdogSec=0\n"),
        "queue.service",
    ),
    "a short watchdog": Bad("watchdog-too-short", slow_cycle, "queue.service"),
    "a unit that does not hear bash": Bad(
        "notify-access",
        lambda h: h.replace("systemd/etc/queue.service", "NotifyAccess=all\n", ""),
        "queue.service",
    ),
    "a unit that hears the main process only": Bad(
        "notify-access",
        lambda h: h.replace("systemd/etc/queue.service", "NotifyAccess=all", "NotifyAccess=main"),
        "queue.service",
    ),
    "a unit that hides processes": Bad(
        "hidden-processes",
        lambda h: h.replace(
            "systemd/etc/queue.service", "[Service]\n", "[Service]\nProtectProc=invisible\n"
        ),
        "queue.service",
    ),
    "a unit that hides what else is in /proc": Bad(
        "hidden-processes",
        lambda h: h.replace(
            "systemd/etc/queue.service", "[Service]\n", "[Service]\nProcSubset=pid\n"
        ),
        "queue.service",
    ),
    "no restart": Bad(
        "no-restart",
        lambda h: h.replace("systemd/etc/queue.service", "Restart=on-failure\n", ""),
        "queue.service",
    ),
    "no rules": Bad(
        "no-rules", lambda h: (h.root / "prometheus/rules.d/heal.yml").unlink(), "prometheus"
    ),
    "a rule in a comment": Bad(
        "no-rules",
        lambda h: h.replace(
            "prometheus/rules.d/heal.yml", "      - {alert: Open", "#     - {alert: Open"
        ),
        "prometheus",
    ),
    "markers that nothing ages": Bad(
        "markers-not-aged",
        lambda h: (h.root / "tmpfiles.d/heal.conf").write_text(
            f"e {h.state}/[rw]*/keys - - - 1d\n"
        ),
        "state/queue/keys",
    ),
    "markers that stay": Bad("markers-not-aged", old_marker, "state/queue/keys"),
    "breakers that are aged": Bad(
        "state-aged",
        lambda h: h.write("tmpfiles.d/more.conf", f"d {h.state}/queue 0755 heal heal 7d\n"),
        "more.conf:1",
    ),
    "markers that go at once": Bad(
        "state-aged",
        lambda h: h.write("tmpfiles.d/more.conf", f"e {h.state}/queue/keys - - - 5m\n"),
        "more.conf:1",
    ),
    "a log that only grows": Bad(
        "log-not-rotated",
        lambda h: h.replace("logrotate.d/heal", "audit.jsonl", "other.log"),
        "audit.jsonl",
    ),
    "an act that a crash cut off": Bad("act-unfinished", cut_off, "audit.jsonl"),
    "a log that is copied": Bad(
        "log-copied",
        lambda h: h.replace("logrotate.d/heal", "  create 0640 heal heal", "  copytruncate"),
        "logrotate.d/heal",
    ),
    "state for everybody": Bad(
        "permissions", lambda h: (h.state / "queue" / "cb").chmod(0o777), "state/queue/cb"
    ),
    "a log for everybody": Bad("permissions", lambda h: h.audit.chmod(0o666), "audit.jsonl"),
    "somebody else's state": Bad("permissions", foreign, "state/queue/rate"),
    "a password for everybody": Bad(
        "permissions",
        lambda h: h.write("healconsole.toml", 'redis = "redis://:secret@r/0"\n'),
        "healconsole.toml",
    ),
    "a link for a healer": Bad("unreadable", unreadable, "state/queue"),
}
