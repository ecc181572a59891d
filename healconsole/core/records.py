"""What the files of a state directory hold, one immutable record each.

Times are whole seconds since the Unix epoch (UTC). Tokens are counted in whole
millionths (``*_micro``), so that bash and Python compute the same number.
``docs/contract.md`` is the source of every format.
"""

from __future__ import annotations

from functools import lru_cache

from healconsole.core.frozen import Frozen
from healconsole.core.pattern import pattern
from healconsole.core.words import Circuit, Library

STAGES = ("dev", "dry-run", "canary", "10%", "25%", "50%", "100%")
"""Steps of a rollout; ``core.stage`` says which hosts are in."""

_HOSTS = pattern(r"[A-Za-z0-9._*?-]{1,255}(?:[ ,]+[A-Za-z0-9._*?-]{1,255})*")
_STORM_LIMIT = pattern(r"[1-9][0-9]{0,5}|(?:100|[1-9]?[0-9])%")

MICRO = 1_000_000
"""Micro-tokens in one token."""


class Policy(Frozen):
    """Limits of one healer. Rates in tokens per second, the rest in seconds or counts.

    The defaults are those of the legacy library: one act a minute, bursts of three,
    open after three failures for ten minutes, one incident in five minutes.

    Raises:
        ValueError: a limit is out of its range.
    """

    rate_micro: int = 16_700
    burst: int = 3
    max_failures: int = 3
    cooldown: int = 600
    bucket: int = 300
    settle: float = 5.0
    action_timeout: float = 60.0
    check_timeout: float = 30.0
    scope: str | None = None
    """Fixed scope of every intent; by default the intent's VERB."""
    redis_unreachable: str = "deny"
    """``deny``, or ``local-only`` where somebody chose it."""
    fleet_lock: str | None = None
    """Key of the fleet lock that an act needs, without ``heal:lock:``."""
    fleet_lock_ttl: int = 60
    fleet_rate_micro: int | None = None
    """Tokens per second that all hosts together have for a scope; None = no such limit."""
    fleet_burst: int = 1
    fleet_slots: str | None = None
    """Group of hosts of which only ``fleet_slots_max`` act at once."""
    fleet_slots_max: int = 1
    fleet_storm: str | None = None
    """More hosts than this (``10``, or ``20%`` of the live ones) that want to act are a storm."""
    fleet_storm_window: int = 300
    stage: str | None = None
    """How far the rollout is (``core.stage``); None = on every host."""
    canaries: str = ""
    """Hosts that act from stage canary on."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("rate_micro", 0, 999_999_999_999),
            ("burst", 1, 999_999),
            ("max_failures", 1, 999_999),
            ("cooldown", 0, 999_999_999),
            ("bucket", 1, 999_999_999),
            ("settle", 0, 86_400),
            ("action_timeout", 0.001, 86_400),
            ("check_timeout", 0.001, 86_400),
            ("fleet_lock_ttl", 1, 86_400),
            ("fleet_rate_micro", 0, 999_999_999_999),
            ("fleet_burst", 1, 999_999),
            ("fleet_slots_max", 1, 999_999),
            ("fleet_storm_window", 1, 86_400),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} must be from {low} to {high}, not {value!r}")
        if self.redis_unreachable not in {"deny", "local-only"}:
            raise ValueError("redis_unreachable must be 'deny' or 'local-only'")
        if self.stage is not None and self.stage not in STAGES:
            raise ValueError(f"stage must be one of {', '.join(STAGES)}, not {self.stage!r}")
        if self.canaries and not _HOSTS.fullmatch(self.canaries):
            raise ValueError("canaries must be names of hosts, parted by commas or spaces")
        if self.fleet_storm is not None and not _STORM_LIMIT.fullmatch(self.fleet_storm):
            raise ValueError("fleet_storm must be a number of hosts, such as 10, or 20%")

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.rate_micro / MICRO

    @property
    def probe_lease(self) -> int:
        """Seconds for which a half-open probe is held by the one that took it."""
        return _probe_lease(self.action_timeout, self.settle, self.check_timeout)


@lru_cache(maxsize=64)
def _probe_lease(*spans: float) -> int:
    # In millionths, as bash sums them: 0.7 + 0.1 + 0.2 is 1, and no float less.
    return sum(round(span * MICRO) for span in spans) // MICRO + 30


DEFAULT_POLICY = Policy()
"""What is assumed of a healer that does not declare its limits."""


class Corrupt(Frozen):
    """State that does not match its format. It denies; a reset mends it.

    ``why`` is a sentence of ours; ``sample`` is at most 64 bytes of what was found.
    """

    path: str
    why: str
    sample: bytes = b""


class BucketRecord(Frozen):
    """``rate/<scope>``. Limits are None in a legacy file."""

    last_refill: int
    tokens_micro: int
    rate_micro: int | None = None
    burst: int | None = None


class BreakerRecord(Frozen):
    """``cb/<scope>``. The last four are None / 0 in a legacy file."""

    failures: int
    last_failure: int
    max_failures: int | None = None
    cooldown: int | None = None
    state: Circuit | None = None
    until: int = 0


class MarkerRecord(Frozen):
    """``keys/<key>``. A legacy marker has no intent, and the file's mtime as ``at``."""

    key: str
    at: int
    intent: str | None = None
    scope: str | None = None
    pid: int | None = None
    outcome: str | None = None

    @property
    def legacy(self) -> bool:
        """Whether the file was empty."""
        return self.intent is None


class OverrideRecord(Frozen):
    """``hold`` or ``dry-run``: an operator's word. ``until`` 0 = no end."""

    on: bool
    since: int
    until: int
    operator: str


class ClaimRecord(Frozen):
    """``claims/<slot>``: an action that was begun and has no outcome yet."""

    slot: int
    pid: int
    start: int
    boot: str
    at: int
    key: str
    scope_file: str
    """File name of the scope (``core.scopes.scope_file_name``): a long scope has only that."""
    probe: bool
    last_refill: int
    tokens_micro: int
    intent: str
    alive: bool = False
    """Whether that very process lives; filled in by the store that looked."""


class VerdictRecord(Frozen):
    """``verdict`` in ``cycle.json``."""

    allow: bool
    guard: str
    reason: str
    earliest: int | None


class CycleRecord(Frozen):
    """``cycle.json``: the last cycle of a healer."""

    at: float
    seq: int
    trigger: str
    fact: str
    intent: str
    verdict: VerdictRecord | None
    outcome: str
    duration_ms: int
    next_due: float
    interval: float
    pid: int
    library: Library
    version: str
    policy: Policy
    mode: str
    """``live`` or ``dry-run``."""
