"""What stops healers of the whole fleet now, in sentences: halts and storms."""

from __future__ import annotations

from healconsole.core.ages import countdown
from healconsole.core.halt import HaltRecord, ended, what_of
from healconsole.core.records import Corrupt
from healconsole.core.snapshot import Snapshot
from healconsole.core.storm import storm_said


def stops_in_force(snapshot: Snapshot, now: float) -> tuple[HaltRecord | Corrupt, ...]:
    """The halts that have not ended, that of the fleet first. A corrupt one is in force."""
    halts = (snapshot.halt, *snapshot.halts)
    return tuple(
        halt
        for halt in halts
        if halt is not None and (isinstance(halt, Corrupt) or not ended(halt, now))
    )


def stops_said(snapshot: Snapshot, now: float) -> tuple[str, ...]:
    """One sentence for each halt and storm; may hold data from outside.

    >>> stops_said(Snapshot(halt=HaltRecord(1764000000, 1764000600, "ana", "deploy")), 1764000000)
    ('fleet halted: deploy (ana), 10m00s left',)
    """
    said = [_halt_said(halt, now) for halt in stops_in_force(snapshot, now)]
    said += [storm_said(storm, scope) for scope, storm in snapshot.storms]
    return tuple(said)


def _halt_said(halt: HaltRecord | Corrupt, now: float) -> str:
    if isinstance(halt, Corrupt):
        return f"fleet halted: {halt.path} is corrupt: {halt.why}"
    left = f", {countdown(halt.until - now)} left" if halt.until else ""
    return f"{what_of(halt.target)} halted: {halt.reason} ({halt.operator}){left}"
