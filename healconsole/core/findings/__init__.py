"""What the doctor finds on a host: pure judgements on facts that ``stores.hostfacts`` read."""

from __future__ import annotations

from collections.abc import Container

from healconsole.core.findings.facts import HostFacts
from healconsole.core.findings.finding import IDS, Finding, ordered
from healconsole.core.findings.host import of_healer_paths, of_host
from healconsole.core.findings.programs import of_programs
from healconsole.core.findings.state import of_state
from healconsole.core.findings.tmpfiles import of_aging
from healconsole.core.findings.units import of_units

__all__ = ["IDS", "Finding", "HostFacts", "examine"]


def examine(host: HostFacts, skipped: Container[str] = ()) -> tuple[Finding, ...]:
    """Return all findings but those whose id is ``skipped``, in the order of their ids."""
    found = of_host(host) + of_aging(host)
    for healer in host.healers:
        found += of_programs(healer)
        found += of_state(healer, host)
        found += of_units(healer, host)
        found += of_healer_paths(healer)
    return ordered([finding for finding in found if finding.id not in skipped])
