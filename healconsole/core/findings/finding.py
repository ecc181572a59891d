"""One finding of the doctor."""

from __future__ import annotations

from typing import Final

from healconsole.core.frozen import Frozen

IDS: Final = (
    "no-idempotency",
    "no-rate-limit",
    "no-breaker",
    "no-verification",
    "error-as-zero",
    "acts-in-detect",
    "no-state-directory",
    "two-instances",
    "float-in-bash",
    "legacy-library",
    "legacy-leftover",
    "limits-assumed",
    "no-unit",
    "no-watchdog",
    "watchdog-too-short",
    "notify-access",
    "hidden-processes",
    "no-restart",
    "no-rules",
    "markers-not-aged",
    "tmpfiles-glob",
    "state-aged",
    "log-not-rotated",
    "log-copied",
    "permissions",
    "catalog",
    "act-unfinished",
    "unreadable",
    "clock-skew",
    "redis-unknown",
    "disk-full",
)
"""The findings that there are, in the order in which they are told."""


class Finding(Frozen):
    """What is wrong, where, why it matters, and how to mend it.

    ``what`` and ``where`` may hold text from outside.
    """

    id: str
    """One of ``IDS``."""
    what: str
    where: str
    """A path, with a line where there is one."""
    why: str
    mend: str
    healer: str = ""
    """Empty if it concerns the host."""


def ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return ``findings`` by id, healer and place, each once."""
    rank = {name: place for place, name in enumerate(IDS)}
    return tuple(
        sorted(set(findings), key=lambda found: (rank[found.id], found.healer, found.where))
    )
