"""Findings in the units that run healers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from healconsole.core.findings import bashtext
from healconsole.core.findings.facts import HealerFacts, HostFacts
from healconsole.core.findings.finding import Finding
from healconsole.core.findings.unitfile import Unit, seconds_of

_INSTANCE: Final = re.compile(r"@[^@]*\.(?=[a-z]+$)")
_RESTARTS: Final = frozenset({"on-failure", "on-watchdog", "on-abnormal", "on-abort", "always"})
_HIDING: Final = {
    "ProtectProc": {"", "default"},
    "ProcSubset": {"", "all"},
    "PrivatePIDs": {"", "no", "false", "off", "0"},
}
"""Settings that hide /proc, with the values that do not. Source: systemd.exec(5)."""
_OFF: Final = frozenset({"0", "0s", "infinity"})


def of_units(healer: HealerFacts, host: HostFacts) -> list[Finding]:
    """Return the findings in the units of one healer."""
    units = units_of(healer, host)
    if not units:
        return [] if _in_cron(healer, host) else [_no_unit(healer, host)]
    return [
        found
        for unit in units
        if unit.last("Service.Type") != "oneshot"  # a timer starts it again, whatever happened
        for found in (*_of_daemon(healer, unit), *_of_notify(healer, unit))
    ] + [found for unit in units for found in _of_sight(healer, unit)]


def units_of(healer: HealerFacts, host: HostFacts) -> list[Unit]:
    """Return the units that the catalog names for a healer, or that start its program."""
    catalog = healer.state.catalog
    named = catalog.unit if catalog is not None and catalog.unit else f"{healer.state.name}.service"
    names = {named, _INSTANCE.sub("@.", named)}
    programs = {program.path for program in healer.programs}
    return [
        unit
        for unit in host.units
        if unit.name in names or any(programs & set(command) for command in unit.commands)
    ]


def _in_cron(healer: HealerFacts, host: HostFacts) -> bool:
    programs = [program.path for program in healer.programs]
    return any(path in file.text for path in programs for file in host.cron)


def _no_unit(healer: HealerFacts, host: HostFacts) -> Finding:
    catalog = healer.state.catalog
    named = f"{catalog.unit} is not there; " if catalog is not None and catalog.unit else ""
    return Finding(
        "no-unit", "has no unit, and no crontab starts it",
        ", ".join(host.searched.get("units", ())) or "(no directory of units)",
        f"{named}a healer that crashed stays down, and people have unlearned what it did",
        "run it from a unit with Restart=on-failure and WatchdogSec; `unit` of its catalog "
        "entry names it", healer.state.name,
    )  # fmt: skip


def _of_daemon(healer: HealerFacts, unit: Unit) -> list[Finding]:
    name = healer.state.name
    found = []
    asked = unit.last("Service.WatchdogSec")
    allowed = None if asked in _OFF else seconds_of(asked)
    slowest = healer.slowest_ms / 1000
    if not allowed:
        found.append(
            Finding(
                "no-watchdog", "has a unit without a watchdog", unit.path,
                "a healer that hangs looks like one that has nothing to do",
                "WatchdogSec=180 and Type=notify in [Service]", name,
            )
        )  # fmt: skip
    elif allowed <= slowest:
        found.append(
            Finding(
                "watchdog-too-short",
                f"has a watchdog of {allowed:g} s, and its slowest cycle took {slowest:g} s",
                unit.path,
                "the watchdog ends it in the middle of an act, which counts as a failure",
                f"WatchdogSec={int(2 * slowest) + 1} or more", name,
            )
        )  # fmt: skip
    if unit.last("Service.Restart") not in _RESTARTS:
        found.append(
            Finding(
                "no-restart", "has a unit that does not start it again", unit.path,
                "a healer that crashed is worse than none: nobody looks any more",
                "Restart=on-failure and RestartSec=5 in [Service]", name,
            )
        )  # fmt: skip
    return found


def _of_notify(healer: HealerFacts, unit: Unit) -> Iterator[Finding]:
    """Whether systemd hears a healer in bash, for which a child speaks."""
    waits = unit.last("Service.Type") == "notify" or unit.last("Service.WatchdogSec")
    started = {word for command in unit.commands for word in command}
    speaks = [
        program.path
        for program in healer.programs
        if program.language == "bash"
        and program.path in started
        and bashtext.is_guarded(bashtext.lines(program.text))
    ]
    if waits and speaks and unit.last("Service.NotifyAccess") != "all":
        yield Finding(
            "notify-access", "has a unit that does not hear it", unit.path,
            f"{speaks[0]} speaks through systemd-notify, a child of its own: systemd takes it "
            "for hung, and ends it again and again",
            "NotifyAccess=all in [Service]", healer.state.name,
        )  # fmt: skip


def _of_sight(healer: HealerFacts, unit: Unit) -> Iterator[Finding]:
    """Whether it can see the processes whose claims it judges."""
    hiding = [
        f"{key}={unit.last(f'Service.{key}')}"
        for key, harmless in _HIDING.items()
        if unit.last(f"Service.{key}") not in harmless
    ]
    if hiding:
        yield Finding(
            "hidden-processes", f"has a unit with {', '.join(hiding)}", unit.path,
            "whether another process's act is still in flight is seen in /proc: one that cannot "
            "be seen is taken for interrupted, and may be done twice",
            f"take {' and '.join(hiding)} out of [Service]", healer.state.name,
        )  # fmt: skip
