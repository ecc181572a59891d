"""Findings in what a healer keeps: its directory, its limits, its markers, its processes."""

from __future__ import annotations

import re
from typing import Final

from healconsole.core.ages import age
from healconsole.core.findings.facts import HealerFacts, HostFacts, Process
from healconsole.core.findings.finding import Finding
from healconsole.core.limits import limits_of
from healconsole.core.records import MICRO, Policy
from healconsole.core.words import Library

MARKERS_OLD: Final = 32 * 86_400
"""Seconds: `gc` removes every marker that is older."""
_INTERPRETER: Final = re.compile(r"(?:ba|da)?sh|python[0-9.]*")
_LEAST_BUCKET: Final = 30
_LEFT_SHOWN: Final = 3
_MOST_BURST: Final = 1_000
_MOST_RATE: Final = MICRO
_MOST_FAILURES: Final = 100
_LEAST_COOLDOWN: Final = 30


def of_state(healer: HealerFacts, host: HostFacts) -> list[Finding]:
    """Return the findings in the state of one healer."""
    found = _of_directory(healer, host) + _of_instances(healer, host)
    if healer.there and not healer.state.problem:
        found += _of_leftovers(healer) + _of_limits(healer) + _of_markers(healer, host)
    return found


def _of_directory(healer: HealerFacts, host: HostFacts) -> list[Finding]:
    name = healer.state.name
    if not host.root_there or host.root_problem:
        return []  # told once, of the host
    mend = (
        f"install -d -o heal -g heal {healer.state.path}, or StateDirectory=heal/{name} in its "
        "unit; the healer makes the rest when it starts"
    )
    if healer.state.problem and healer.there:
        return [
            Finding(
                "unreadable", "has state that cannot be read", healer.state.path,
                f"{healer.state.problem}; nobody can tell whether it may act",
                "see `healconsole status`, which names the mend", name,
            )
        ]  # fmt: skip
    if not healer.there:
        return [
            Finding(
                "no-state-directory", "has no state directory", healer.state.path,
                "it never ran here, or forgets between runs what it did", mend, name,
            )
        ]  # fmt: skip
    if healer.missing and healer.state.library is not Library.LEGACY:
        listed = ", ".join(healer.missing)
        return [
            Finding(
                "no-state-directory", f"lacks {listed} in its state directory",
                healer.state.path, "a guardrail without its directory denies, or never ran",
                "start the healer once: it makes what is missing", name,
            )
        ]  # fmt: skip
    return []


def _of_leftovers(healer: HealerFacts) -> list[Finding]:
    left = healer.state.leftovers
    if not left:
        return []
    shown = ", ".join(left[:_LEFT_SHOWN])
    more = f" and {len(left) - _LEFT_SHOWN} more" if len(left) > _LEFT_SHOWN else ""
    return [
        Finding(
            "legacy-leftover", f"keeps files of the legacy library: {shown}{more}",
            healer.state.path,
            f"it runs on {healer.state.library}, which reads none of them; a program that still "
            "does decides on another state than the healer",
            "remove them, once nothing runs on the legacy library here", healer.state.name,
        )
    ]  # fmt: skip


def _of_limits(healer: HealerFacts) -> list[Finding]:
    state = healer.state
    found = []
    if state.library is Library.LEGACY:
        found.append(
            Finding(
                "legacy-library", "runs on the legacy library", state.path,
                "it takes no lock, writes files that a power cut tears, spends tokens on acts "
                "that it denies, and reads neither hold nor dry-run of an operator",
                'source "$(healconsole heal-sh)" in place of the old file; the functions have '
                "the same names, and its state is read on", state.name,
            )
        )  # fmt: skip
    limits = limits_of(state)
    if limits.assumed:
        found.append(
            Finding(
                "limits-assumed", f"does not declare {', '.join(sorted(limits.assumed))}",
                state.path,
                "the console shows guesses (marked ~), and an operator's trip or reset is "
                "written for limits that may be others",
                f"declare them in the [policy] of its catalog entry {state.name}.toml", state.name,
            )
        )  # fmt: skip
        return found
    return found + _of_policy(healer, limits.policy)


def _of_policy(healer: HealerFacts, policy: Policy) -> list[Finding]:
    """Limits that limit nothing."""
    rules = (
        ("no-idempotency", policy.bucket < _LEAST_BUCKET, f"has a bucket of {policy.bucket} s",
         "the same incident is acted on again before the first act can have helped",
         "bucket = 300"),
        ("no-rate-limit", policy.burst > _MOST_BURST or policy.rate_micro > _MOST_RATE,
         f"may act {policy.burst} times at once and {policy.rate * 3600:.0f} times an hour",
         "a usual day has 0 to 5 acts on a host; this limits nothing",
         "rate = 0.0167 and burst = 3"),
        ("no-breaker", policy.max_failures > _MOST_FAILURES or policy.cooldown < _LEAST_COOLDOWN,
         f"opens its breaker after {policy.max_failures} failures for {policy.cooldown} s",
         "an act that does not help is repeated all night, and nobody is called",
         "max_failures = 3 and cooldown = 600"),
    )  # fmt: skip
    return [
        Finding(name, what, healer.state.path, why, f"set {mend} in its policy", healer.state.name)
        for name, wrong, what, why, mend in rules
        if wrong
    ]


def _of_markers(healer: HealerFacts, host: HostFacts) -> list[Finding]:
    oldest = healer.oldest_marker
    if oldest is None or host.now - oldest <= MARKERS_OLD:
        return []
    old, total = age(host.now - oldest), healer.state.markers_total
    return [
        Finding(
            "markers-not-aged", f"keeps {total} markers, the oldest {old} old",
            f"{healer.state.path}/keys",
            "a directory that only grows slows every look at it, and ends with the inodes",
            "run `healconsole gc` every night", healer.state.name,
        )
    ]  # fmt: skip


def _of_instances(healer: HealerFacts, host: HostFacts) -> list[Finding]:
    name = healer.state.name
    running = [
        process.pid for process in _tops(host.processes, {path.path for path in healer.programs})
    ]
    why = (
        "two loops measure and decide apart: without common locks each acts, and with them one "
        "of the two never does, unnoticed"
    )
    found = []
    if len(running) > 1:
        pids = ", ".join(map(str, running))
        found.append(
            Finding("two-instances", f"runs {len(running)} times", f"pids {pids}", why,
                    "end all but the one that its unit started", name)
        )  # fmt: skip
    starters = sorted(
        {unit.path for unit in host.units if set(unit.commands) & set(healer.commands)}
    )
    if len(starters) > 1:
        found.append(
            Finding("two-instances", "is started by several units", ", ".join(starters), why,
                    "keep one of the units", name)
        )  # fmt: skip
    return found


def _tops(processes: tuple[Process, ...], programs: set[str]) -> list[Process]:
    """Processes that run one of ``programs``, without the children that a shell forks."""
    ours = {process.pid: process for process in processes if _program(process) in programs}
    return [process for process in ours.values() if process.parent not in ours]


def _program(process: Process) -> str:
    """What a process runs: its command, or the script that its interpreter was given."""
    command = process.argv[0] if process.argv else ""
    if not _INTERPRETER.fullmatch(command.rpartition("/")[2]):
        return command
    return next((word for word in process.argv[1:] if not word.startswith("-")), "")
