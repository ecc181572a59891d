"""Everything the console knows at one instant, immutable, and free of the clock."""

from __future__ import annotations

from healconsole.core.auditline import AuditEvent, AuditTail
from healconsole.core.frozen import Frozen, field
from healconsole.core.halt import HaltRecord
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    CycleRecord,
    MarkerRecord,
    OverrideRecord,
    Policy,
)
from healconsole.core.request import Request
from healconsole.core.storm import StormRecord
from healconsole.core.words import Library, SourceState


class SourceHealth(Frozen):
    """How one source does. ``latency_ms`` is that of the last answer."""

    state: SourceState = SourceState.STARTING
    detail: str = ""
    """What is wrong and what to do, or where the source is."""
    latency_ms: float | None = field(default=None, compare=False)
    last_ok: float | None = field(default=None, compare=False)
    """Epoch seconds of the last good answer."""


class Lock(Frozen):
    """A Redis lock as last read."""

    key: str
    """Without ``heal:lock:``."""
    owner: str
    """Owner token, exact."""
    expires_at: float | None
    """Epoch seconds on this host's clock; None = no TTL."""
    fence: int | None = None


class CatalogEntry(Frozen):
    """``healers.d/<name>.toml``: what an administrator says of a healer."""

    name: str
    path: str
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    description: str = ""
    owner: str = ""
    runbook: str = ""
    unit: str = ""
    user: str = ""
    stage: str = ""
    interval: float | None = None
    policy: Policy | None = None
    """None if the entry has no ``[policy]``."""
    problem: str = ""
    """Why the entry cannot be trusted or read, with its mend; empty if it is good."""


class Heartbeat(Frozen):
    """When the healer last finished a cycle, and who says so."""

    at: float
    source: str
    """``cycle.json`` or ``textfile``."""


class ScopedBreaker(Frozen):
    """A breaker with the scope that its file name stands for."""

    scope: str
    record: BreakerRecord | Corrupt
    file: str
    """Path relative to the healer's directory."""


class ScopedBucket(Frozen):
    """A bucket with the scope that its file name stands for."""

    scope: str
    record: BucketRecord | Corrupt
    file: str


class Shadow(Frozen):
    """What a healer in dry-run decides on in place of its buckets and markers."""

    buckets: tuple[ScopedBucket, ...] = ()
    markers_total: int = 0
    marker_keys: frozenset[str] = frozenset()
    markers: tuple[MarkerRecord | Corrupt, ...] | None = None


PARTS = frozenset({"cycle", "cb", "rate", "keys"})
"""What a healer's directory tells: its last cycle, breakers, buckets, markers."""


class HealerState(Frozen):
    """One healer as its directory, its catalog entry and the audit log have it.

    Nothing in it depends on the clock: what is true *now* is computed by ``core.view``.
    """

    name: str
    path: str
    library: Library = Library.UNKNOWN
    problem: str = ""
    """Why the directory cannot be read, with its mend; empty if it can."""
    unread: frozenset[str] = frozenset()
    """What of `PARTS` could not be read: it is unknown, not empty."""
    absent: bool = False
    """It is announced in the catalog, and no directory of it is seen below the state root."""
    cycle: CycleRecord | Corrupt | None = None
    heartbeat: Heartbeat | Corrupt | None = None
    hold: OverrideRecord | Corrupt | None = None
    dry_run: OverrideRecord | Corrupt | None = None
    breakers: tuple[ScopedBreaker, ...] = ()
    buckets: tuple[ScopedBucket, ...] = ()
    leftovers: tuple[str, ...] = ()
    """Breakers and buckets of the legacy library that a healer on ours does not read."""
    claims: tuple[ClaimRecord | Corrupt, ...] = ()
    markers_total: int = 0
    marker_keys: frozenset[str] = frozenset()
    """Names in ``keys/`` (at most 10,000)."""
    markers: tuple[MarkerRecord | Corrupt, ...] | None = None
    """Read only for a healer that is looked at, newest first, at most 200; else None."""
    marked: tuple[MarkerRecord | Corrupt, ...] = ()
    """The markers of the latest intent, of this window and the one before, as they were read."""
    shadow: Shadow | None = None
    """Read where the healer may be in dry-run; see `core.shadow.rehearsed`."""
    daemon_pid: int | None = None
    """Who holds ``.singleton``; None if nobody does."""
    catalog: CatalogEntry | None = None
    last: AuditEvent | None = None
    """Newest audit event of a cycle (not an operator's)."""
    intents: tuple[str, ...] = ()
    """Intents seen in the audit log, newest first, each once, at most 50."""
    host: str = ""
    """The host that it is on; empty where all are of this one."""
    lost_since: float | None = None
    """Since when (epoch seconds) its host tells no more; None while it does."""

    @property
    def id(self) -> str:
        """What no other healer in sight is called: its name, on a fleet with its host before it.

        >>> HealerState("reaper", "/x").id, HealerState("reaper", "/x", host="web-07").id
        ('reaper', 'web-07/reaper')
        """
        return f"{self.host}/{self.name}" if self.host else self.name

    @property
    def absence(self) -> str:
        """That no state directory is seen, and where; empty if there is one.

        >>> HealerState("reaper", "/var/lib/heal/reaper", absent=True).absence
        'no state directory of it is seen below /var/lib/heal'
        """
        if not self.absent:
            return ""
        return f"no state directory of it is seen below {self.path.rpartition('/')[0] or '/'}"


class Host(Frozen):
    """A host of the fleet, as Redis has it."""

    name: str
    lost_since: float | None = None
    """Since when (epoch seconds) it tells no more; None while it does."""
    healers: int = 0
    problem: str = ""
    """What is wrong with what it says; empty if nothing is."""


class Snapshot(Frozen):
    """Everything the console knows at one instant."""

    host: str = ""
    taken_at: float = field(default=0.0, compare=False)
    healers: tuple[HealerState, ...] = ()
    """Ordered by name, on a fleet by host and name."""
    hosts: tuple[Host, ...] = ()
    """Hosts that publish, or did, ordered by name; none where no Redis is configured."""
    fleet: bool = False
    """Whether the healers are those of all hosts, and not of one."""
    locks: tuple[Lock, ...] = ()
    halt: HaltRecord | Corrupt | None = None
    """``heal:halt`` as last read."""
    halts: tuple[HaltRecord | Corrupt, ...] = ()
    """``heal:halts``, by target: stops of one healer, or of some hosts."""
    storms: tuple[tuple[str, StormRecord | Corrupt], ...] = ()
    """``heal:storms``: scopes that the storm brake has stopped."""
    requests: tuple[Request, ...] = ()
    """Acts that wait for a second person, the oldest first; some may be over by now."""
    audit: AuditTail = field(default_factory=AuditTail)
    audit_health: SourceHealth = SourceHealth()
    state_health: SourceHealth = SourceHealth()
    redis_health: SourceHealth = SourceHealth(SourceState.OFF)
    anomalies: tuple[str, ...] = ()
    """Sentences on what is wrong with the host as a whole (the clock stepped)."""


EMPTY = Snapshot()
