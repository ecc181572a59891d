"""The rollout gate: which hosts a healer acts on yet; on the others it rehearses.

A host's place in a rollout hangs on its name and the healer's alone, so it stays in once it is
in, every library says the same, and not every healer begins on the same hosts.
"""

from __future__ import annotations

import hashlib

from healconsole.core.halt import host_matches


def place_of(healer: str, host: str) -> int:
    """The host's place among a hundred, from 0.

    The first 32 bits of the SHA-256 of ``<healer>/<host>``, modulo 100.

    >>> place_of("queue", "web-01")
    38
    """
    name = f"{healer}/{host}".encode("utf-8", "surrogateescape")
    return int(hashlib.sha256(name).hexdigest()[:8], 16) % 100


def outside(stage: str | None, canaries: str, healer: str, host: str) -> str:
    """Why ``host`` is not in ``stage`` yet; empty if it is, or if there is no gate.

    Args:
        stage: one of ``core.records.STAGES``, or None for no gate.
        canaries: hosts, with ``*`` and ``?``, parted by commas or spaces; in from canary on.
        healer: its name.
        host: this host's name.

    >>> outside("canary", "web-01 web-02", "queue", "web-03")
    'stage canary: web-03 is no canary'
    >>> outside("25%", "", "queue", "web-01")
    'stage 25%: web-01 has place 38 of 100'
    >>> outside("50%", "", "queue", "web-01")
    ''
    """
    if stage is None or stage == "100%":
        return ""
    if stage in {"dev", "dry-run"}:
        return f"stage {stage}: no host acts yet"
    if any(host_matches(host, name) for name in canaries.replace(",", " ").split()):
        return ""
    if stage == "canary":
        return f"stage canary: {host} is no canary"
    place = place_of(healer, host)
    return "" if place < int(stage[:-1]) else f"stage {stage}: {host} has place {place} of 100"
