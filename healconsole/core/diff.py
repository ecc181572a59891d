"""What differs between two snapshots, so that the screen repaints only that."""

from __future__ import annotations

from healconsole.core.frozen import Frozen
from healconsole.core.snapshot import HealerState, Snapshot


class Changes(Frozen):
    """What differs between two snapshots."""

    healers: frozenset[str]
    """Ids of the healers that are new, gone or not the same."""
    audit: bool
    locks: bool
    sources: bool
    """Host, health of a source, or an anomaly."""

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.healers) or self.audit or self.locks or self.sources


def changed(old: Snapshot, new: Snapshot) -> Changes:
    """Return what of `new` differs from `old`.

    What the feed carried over unchanged is the very same object and costs one comparison,
    whatever it holds.
    """
    return Changes(
        healers=_healers(old, new),
        audit=old.audit is not new.audit and old.audit != new.audit,
        locks=old.locks is not new.locks and old.locks != new.locks,
        sources=_sources(old) != _sources(new),
    )


def _sources(snapshot: Snapshot) -> tuple[object, ...]:
    return (
        *(snapshot.host, snapshot.hosts, snapshot.anomalies),
        *(snapshot.audit_health, snapshot.state_health, snapshot.redis_health),
    )


def _healers(old: Snapshot, new: Snapshot) -> frozenset[str]:
    if old.healers is new.healers:
        return frozenset()
    before: dict[str, HealerState] = {healer.id: healer for healer in old.healers}
    differing: set[str] = set()
    for healer in new.healers:
        was = before.pop(healer.id, None)
        if was is not healer and was != healer:
            differing.add(healer.id)
    return frozenset(differing | before.keys())
