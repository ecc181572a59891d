"""Findings in the units that run healers."""

from __future__ import annotations

import re
from typing import Final

from healconsole.core.findings.facts import HealerFacts, HostFacts
from healconsole.core.findings.finding import Finding
from healconsole.core.findings.unitfile import Unit, seconds_of

_INSTANCE: Final = re.compile(r"@[^@]*\.(?=[a-z]+$)")
_RESTARTS: Final = frozenset({"on-failure", "on-watchdog", "on-abnormal", "on-abort", "always"})
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
        for found in _of_daemon(healer, unit)
    ]


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
