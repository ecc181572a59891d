"""Findings in what all healers of a host share: log, rules, disks, clock, permissions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from healconsole.core.findings.facts import HealerFacts, HostFacts, PathFacts, TextFile
from healconsole.core.findings.finding import Finding

_METRICS: Final = (
    ("heal_last_cycle_timestamp_seconds", "a stale heartbeat"),
    ("absent", "an absent heartbeat"),
    ("heal_breaker_state", "an open breaker"),
    ("heal_actions_total", "too many actions"),
    ("node_textfile_scrape_error", "a failed scrape of the textfiles"),
)
"""What the alerts of a healer are made of, and what for."""
_MOST_SKEW: Final = 2.0
"""Seconds. Fleet tokens are counted on the clock of Redis, local ones on the host's."""
_LEAST_BYTES: Final = 64 * 1_048_576
_STANZA: Final = re.compile(r"([^{}]*)\{([^{}]*)\}")


def of_host(host: HostFacts) -> list[Finding]:
    """Return the findings that concern no healer by itself."""
    found = [*_of_root(host), *_of_rules(host), *_of_log(host), *_of_redis(host), *_of_disks(host)]
    found += _of_acts(host)
    return found + [finding for path in host.paths for finding in _of_path(path)]


def of_healer_paths(healer: HealerFacts) -> list[Finding]:
    """Return the findings in owners and modes of what belongs to one healer."""
    found = [finding for path in healer.paths for finding in _of_path(path, healer.state.name)]
    catalog = healer.state.catalog
    if catalog is not None and catalog.problem:
        found.append(
            Finding(
                "catalog", "has a catalog entry that does not count", catalog.path,
                f"{catalog.problem}; its command, limits and owner are unknown to the console",
                "mend the entry as said", healer.state.name,
            )
        )  # fmt: skip
    return found


def _of_root(host: HostFacts) -> Iterator[Finding]:
    if not host.root_there:
        yield Finding(
            "no-state-directory", "there is no state root", host.state_root,
            "no healer can remember what it did, so none may act",
            f"install -d -o heal -g heal {host.state_root}, or StateDirectory=heal in the units",
        )  # fmt: skip

    if host.root_problem:
        yield Finding(
            "unreadable", "the state root cannot be read", host.state_root,
            f"{host.root_problem}; nobody can tell what the healers did",
            "run this as a user who may read it",
        )  # fmt: skip


def _of_rules(host: HostFacts) -> Iterator[Finding]:
    text = "\n".join(_uncommented(file.text) for file in host.rules)
    missing = [says for metric, says in _METRICS if metric not in text]
    if missing:
        yield Finding(
            "no-rules", f"no alert on {', '.join(missing)}", _searched(host, "rules"),
            "a healer that stopped is noticed by whoever suffers from what it used to mend",
            "install the rules of `healconsole init`, or name where they are: --rules DIR",
        )  # fmt: skip


def _of_log(host: HostFacts) -> Iterator[Finding]:
    stanzas = [
        (file.path, body)
        for file in host.logrotate
        for names, body in _STANZA.findall(_uncommented(file.text))
        if any(fnmatchcase(host.audit, name.strip("\"'")) for name in names.split())
    ]
    if not stanzas:
        yield Finding(
            "log-not-rotated", "the audit log is not rotated", host.audit,
            "a full disk stops every healer: an act that cannot be recorded does not start",
            f"a stanza for {host.audit} in {_searched(host, 'logrotate')}, with `create`",
        )  # fmt: skip
    for path, body in stanzas:
        if re.search(r"^\s*copytruncate\b", body, re.MULTILINE):
            yield Finding(
                "log-copied", "the audit log is rotated by copytruncate", path,
                "what is written between the copy and the cut is lost, and the log is evidence",
                "`create` in place of `copytruncate`: writers open the log for each event",
            )  # fmt: skip


def _of_acts(host: HostFacts) -> Iterator[Finding]:
    for says in host.unfinished:
        yield Finding(
            "act-unfinished", f"an operator's act was cut off: {says}", host.audit,
            "whoever reads the log takes it for done, and it may be done by half or not at all",
            "look at the state, and act anew: `healconsole status NAME`",
        )  # fmt: skip


def _of_redis(host: HostFacts) -> Iterator[Finding]:
    if host.redis_problem:
        yield Finding(
            "redis-unknown", "Redis does not answer", host.redis_problem,
            "healers that need the fleet's word are denied until it answers",
            "see `healconsole locks`; the address is that of --redis",
        )  # fmt: skip
    elif host.redis_skew is not None and abs(host.redis_skew) > _MOST_SKEW:
        word = "ahead of" if host.redis_skew > 0 else "behind"
        yield Finding(
            "clock-skew",
            f"the clock of Redis is {abs(host.redis_skew):.1f} s {word} this host's",
            "this host, or that of Redis",
            "a fleet bucket refills on the one clock, local limits and cooldowns on the other",
            "run chrony or systemd-timesyncd on both",
        )  # fmt: skip


def _of_disks(host: HostFacts) -> Iterator[Finding]:
    for disk in host.disks:
        least = max(_LEAST_BYTES, disk.size * host.least_free // 100)
        percent = 100 * disk.free // max(1, disk.size)
        if disk.free < min(least, disk.size):
            yield _disk(disk.path, f"{percent} % free ({disk.free // 1_048_576} MB)")
        elif disk.inodes and disk.inodes_free < disk.inodes * min(host.least_free, 10) // 100:
            yield _disk(disk.path, f"{100 * disk.inodes_free // disk.inodes} % of its inodes free")


def _disk(path: str, left: str) -> Finding:
    return Finding(
        "disk-full", f"the file system has {left}", path,
        "a full disk stops every healer: an act that cannot be recorded does not start",
        "make room; `healconsole gc` removes old markers, logrotate old logs",
    )  # fmt: skip


def _of_path(path: PathFacts, healer: str = "") -> Iterator[Finding]:
    if path.mode & 0o002 and not (path.directory and path.mode & 0o1000):
        yield Finding(
            "permissions", f"everybody may write it ({path.mode:04o})", path.path,
            "whoever writes it can spend tokens, forge markers, or have a command run",
            f"chmod o-w {path.path}", healer,
        )  # fmt: skip
    if path.secret and path.mode & 0o044:
        yield Finding(
            "permissions", f"others may read the password in it ({path.mode:04o})", path.path,
            "with it anybody can take or break the fleet's locks",
            f"chmod 0640 {path.path}, or put the address into HEAL_REDIS_URL", healer,
        )  # fmt: skip
    if path.owners and path.uid not in path.owners:
        yield Finding(
            "permissions", f"belongs to uid {path.uid}, who does not run it", path.path,
            "the healer cannot write it and is denied, or somebody else can",
            f"chown {min(path.owners)} {path.path}", healer,
        )  # fmt: skip


def _uncommented(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _searched(host: HostFacts, what: str) -> str:
    return ", ".join(host.searched.get(what, ())) or f"(no directory of {what})"


def uncommented(file: TextFile) -> str:
    """The lines of ``file`` that are no comments."""
    return _uncommented(file.text)
