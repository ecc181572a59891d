"""What the screens are given: a feed, the operator's acts, a log to look back in, a clock.

The screens are built on these shapes alone, so that a test gives recorded snapshots and a
read-only console is built with no acts at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from healconsole.core.auditline import AuditLine
from healconsole.core.frozen import Frozen, field
from healconsole.core.snapshot import CatalogEntry, HealerState, Snapshot
from healconsole.core.view import Thresholds

if TYPE_CHECKING:  # a read-only console never loads what can write
    from healconsole.core.acts import ActPlan
    from healconsole.engine.operators import Operator
    from healconsole.stores.apply import Applied, UndoRecord
    from healconsole.stores.since import Since

Clock = Callable[[], float]
"""Epoch seconds."""


class Feed(Protocol):
    """The source of snapshots. It calls back from a thread of its own."""

    def start(self) -> None:
        """Begin to look; returns at once."""

    def stop(self) -> None:
        """End, and wait until nothing runs any more."""

    def look_at(self, name: str | None) -> None:
        """Read the markers of this healer too; None = of none."""

    def poke(self) -> None:
        """Look now rather than at the next turn."""


FeedFactory = Callable[[Callable[[Snapshot], None]], Feed]


class LogStep(Protocol):
    """What one step of a search found."""

    @property
    def lines(self) -> Sequence[AuditLine]:
        """Matching lines, oldest first."""

    @property
    def offset(self) -> int:
        """Where the next step begins."""


class LogStretch(Protocol):
    """A part of a log without a gap in it."""

    @property
    def lines(self) -> Sequence[AuditLine]:
        """Oldest first."""

    @property
    def start(self) -> int:
        """Where it begins; 0 if nothing stands before it."""

    @property
    def end(self) -> int:
        """Where it ends."""

    @property
    def at(self) -> int:
        """Offset from which on the lines are of the time that was asked for."""


class LogReader(Protocol):
    """A whole log by offset: ``stores.history.History`` of one host, ``FleetHistory`` of all.

    Called in threads. That of the fleet raises ``RedisUnknown``.
    """

    def scan(self, matches: Callable[[AuditLine], bool], offset: int) -> LogStep:
        """Take one bounded step back from ``offset``, and return the lines that match."""

    def newer(self, offset: int, count: int) -> LogStep:
        """At most ``count`` lines from ``offset`` on, and where they end."""

    def around(self, ts: float, count: int) -> LogStretch:
        """``count`` lines before an epoch time, and as many from it on."""


@runtime_checkable
class ChainReader(Protocol):
    """A log whose neighbouring lines are those of its chain: one of one host."""

    def lines_before(self, offset: int, count: int) -> Sequence[AuditLine]:
        """At most ``count`` lines that end at or before ``offset``, oldest first."""

    def lines_after(self, offset: int, count: int) -> Sequence[AuditLine]:
        """At most ``count`` lines from ``offset`` on, oldest first."""


class Acts(Protocol):
    """What an operator can do. ``engine.operators.OperatorDesk`` is the real one."""

    @property
    def operator(self) -> Operator:
        """Who acts."""

    @property
    def four_eyes(self) -> frozenset[str]:
        """The verbs that want a second person."""

    @property
    def second_within(self) -> float:
        """Seconds for which they wait for one."""

    def plan_trip(
        self, healer: HealerState, scope: str | None = None, for_s: float | None = None
    ) -> ActPlan:
        """Force open one scope, or (None) the whole healer."""

    def plan_reset(
        self,
        healer: HealerState,
        scope: str | None = None,
        to: str = "half-open",
        events: Sequence[AuditLine] = (),
    ) -> ActPlan:
        """Let a scope, or (None) all of them, act again."""

    def plan_dry_run(self, healer: HealerState, *, on: bool) -> ActPlan:
        """Turn rehearsal on or off."""

    def plan_release(self, healer: HealerState) -> ActPlan:
        """Take back a hold."""

    def apply(self, plan: ActPlan, *, reason: str, incident: str = "") -> Applied:
        """Do what a plan shows, if the state still is what it shows."""

    def changed_since(self, record: UndoRecord, utc_offset_s: int) -> tuple[Since, ...]:
        """What of an act's files holds something else by now: then it cannot be undone."""

    def undo(self, record: UndoRecord, *, reason: str, incident: str = "") -> Applied:
        """Take an act back, if nothing else has changed what it left."""

    def read(self, name: str, catalog: CatalogEntry | None = None) -> HealerState:
        """A healer as its directory is now."""


class LockActs(Protocol):
    """What an operator can do to a lock. ``engine.halting.FleetDesk`` is the real one."""

    def break_lock(self, key: str, token: str, *, reason: str, incident: str = "") -> object:
        """Take a lock away from the holder ``token``, and from nobody else."""


@runtime_checkable
class Ticking(Protocol):
    """A screen that shows what only time changes."""

    def tick(self, now: float) -> None:
        """Draw for ``now``."""

    def names_in_sight(self) -> Iterable[str]:
        """Return the healers whose rows are in sight."""


@runtime_checkable
class Guarded(Protocol):
    """A screen that takes no key which was pressed before it could be seen."""

    def painted(self, at: float) -> None:
        """Note that it is on its way to the terminal at this time of Textual's clock."""

    def was_seen_at(self, pressed: float) -> bool:
        """Whether it was there at this time of Textual's clock."""


class View(Frozen):
    """How the console looks and what it says of itself."""

    host: str = ""
    operator: str = ""
    incident: str = ""
    read_only: bool = True
    wall: bool = False
    theme: str = "healconsole-dark"
    keymap: dict[str, str] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=Thresholds)
    utc_offset_s: int = 0
    """Seconds that the times on the screen are ahead of UTC."""
    state_root: str = ""
    audit: str = ""
    no_color: bool = False
    fleet: bool = False
    """Whether the healers are those of all hosts."""
