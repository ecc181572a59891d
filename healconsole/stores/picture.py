"""What each source said last, put together into snapshots; only what changed is read again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from healconsole.core.auditline import AuditEvent, AuditLine, AuditTail
from healconsole.core.frozen import Frozen, replace
from healconsole.core.halt import HaltRecord
from healconsole.core.records import Corrupt
from healconsole.core.request import Request
from healconsole.core.snapshot import (
    CatalogEntry,
    HealerState,
    Heartbeat,
    Host,
    Lock,
    Snapshot,
    SourceHealth,
)
from healconsole.core.storm import StormRecord
from healconsole.core.words import SourceState
from healconsole.stores.catalog import CatalogError, load_catalog
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.healerdir import absent_healer, read_healer
from healconsole.stores.history import BUDGET, History
from healconsole.stores.listing import Listing
from healconsole.stores.marked import read_marked
from healconsole.stores.requestfiles import waiting
from healconsole.stores.tail import Tail, TailStep
from healconsole.stores.textfile import read_heartbeats
from healconsole.stores.trust import Untrusted

LINES_MAX: Final = 500
EARLIER_MAX: Final = 100
INTENTS_MAX: Final = 50
NAMES_MAX: Final = 10_000
"""Healers of whom the log is remembered without a directory of theirs."""
LOOK_BACK: Final = 4 * 1_048_576
"""Bytes before the tail that are searched for the last event of quiet healers."""
_JITTER: Final = 0.5
"""Seconds by which the end of a lock may differ between two looks and be the same."""


class Sources(Protocol):
    """What of the configuration says where things are; `stores.config.Config` is one."""

    @property
    def state_root(self) -> Path: ...
    @property
    def audit(self) -> Path: ...
    @property
    def redis(self) -> str | None: ...
    @property
    def textfile_dir(self) -> Path | None: ...
    @property
    def catalog(self) -> Path: ...
    @property
    def host(self) -> str: ...


class FleetNews(Frozen):
    """What Redis said; where it could not be asked, ``health`` says why and the rest is void."""

    health: SourceHealth
    locks: tuple[Lock, ...] = ()
    halt: HaltRecord | Corrupt | None = None
    halts: tuple[HaltRecord | Corrupt, ...] = ()
    storms: tuple[tuple[str, StormRecord | Corrupt], ...] = ()
    hosts: tuple[Host, ...] = ()
    """Who publishes; asked for only where there are locks, to tell of whom."""


SILENT: Final = FleetNews(
    SourceHealth(SourceState.UNKNOWN, "Redis has not answered for 2 s (or its name server)")
)
"""The news when not even a refusal came: a name server knows no timeout."""


@dataclass(slots=True)
class _Past:
    """What the audit log says of one healer."""

    last: AuditEvent | None
    intents: tuple[str, ...] = ()


class Picture:
    """Reads files when told to, and keeps the result. For one thread; never waits, never writes."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._tail = Tail(sources.audit)
        self._step = TailStep()
        self._lines: deque[AuditLine] = deque(maxlen=LINES_MAX)
        self._earlier: tuple[AuditLine, ...] = ()
        self._past: dict[str, _Past] = {}
        self._looked_back: int | None = None
        self._listing = Listing(sources.state_root)
        self._names: tuple[str, ...] = ()
        self._listed: frozenset[str] = frozenset()
        self._read: dict[str, HealerState] = {}
        self._shown: dict[str, HealerState] = {}
        self._whole: tuple[list[str] | None, tuple[HealerState, ...]] = (None, ())
        """Who was shown last, and as what; None once one of them is to be made anew."""
        self._catalog: dict[str, CatalogEntry] = {}
        self._names_known: list[str] = []
        self._known_of: tuple[object, object, int] = (None, None, 0)
        """Of which listing, catalog and number of readings these names are."""
        self._beats: dict[str, float | Corrupt] = {}
        self._root_problem: tuple[SourceState, str] | None = None
        self._catalog_problem = ""
        self._textfile_problem = ""
        self._requests: tuple[Request, ...] = ()
        self._requests_problem = ""
        self._fleet = FleetNews(
            SourceHealth(SourceState.STARTING if sources.redis else SourceState.OFF)
        )
        self.looked_at: str | None = None
        """The healer whose markers are read."""
        self._now = 0.0
        self.anomalies: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The healers that there are, in order."""
        return self._names

    def close(self) -> None:
        """Let go of the log."""
        self._tail.close()

    def list_healers(self) -> set[str]:
        """Look which healers there are; return those that are new and not read yet."""
        root = self._sources.state_root
        try:
            names = self._listing.names()
            self._root_problem = None
        except Missing:
            names = ()
            mend = f"{root} is not there: name another with --state-root"
            self._root_problem = (SourceState.MISSING, mend)
        except Unreadable as error:
            # What was read before is still the best that is known; the health says what it is.
            self._root_problem = (SourceState.UNKNOWN, f"{root}: {error.why}")
            return set()
        if names != self._names:
            self._names, self._listed = names, frozenset(names)
            for gone in self._read.keys() - self._listed:
                del self._read[gone]
                self._forget(gone)
        return set() if len(self._read) == len(names) else set(names) - self._read.keys()

    def read_healer(self, name: str) -> None:
        """Read one healer's directory again; one that is not listed is not read."""
        if name not in self._read and name not in self._listed:
            return
        try:
            state = read_healer(self._sources.state_root, name, with_markers=name == self.looked_at)
        except (Missing, Unreadable):
            # The root itself: the next listing says so.
            return
        shown = self._shown.get(name)
        if state != self._read.get(name) or (shown is not None and shown.marked):
            self._read[name] = state
            self._forget(name)

    def read_catalog(self) -> None:
        """Read what the administrator says of the healers."""
        try:
            catalog = load_catalog(self._sources.catalog)
            self._catalog_problem = ""
        except CatalogError as error:
            self._catalog_problem = str(error)
            return
        for name in self._catalog.keys() | catalog.keys():
            if self._catalog.get(name) != catalog.get(name):
                self._forget(name)
        self._catalog = catalog

    def read_requests(self, now: float) -> None:
        """Read which acts wait for a second person; who may not see them is shown none."""
        try:
            self._requests = waiting(self._sources.state_root, now)
            self._requests_problem = ""
        except Untrusted as error:
            self._requests = ()
            self._requests_problem = f"requests are not to be trusted: {error}"
        except (Unreadable, OSError):
            self._requests = ()

    def read_heartbeats(self) -> None:
        """Read the textfile metrics."""
        if self._sources.textfile_dir is None:
            return
        try:
            beats = read_heartbeats(self._sources.textfile_dir)
            self._textfile_problem = ""
        except Unreadable as error:
            self._textfile_problem = f"{self._sources.textfile_dir}: {error.why}"
            return
        for name in self._beats.keys() | beats.keys():
            if self._beats.get(name) != beats.get(name):
                self._forget(name)
        self._beats = beats

    def read_tail(self) -> bool:
        """Read what is new in the audit log; return whether there is more to read at once."""
        generation = self._step.generation
        step = self._step = self._tail.poll()
        if step.generation != generation:
            self._earlier = (*self._lines, *step.lines[: step.former])[-EARLIER_MAX:]
            self._lines.clear()
        self._lines.extend(step.lines[step.former :])
        self._note(reversed(step.lines), newer=True)
        return step.more

    def fill_tail(self, count: int) -> None:
        """Have at least `count` lines of the tail (at most 500) if the log has them."""
        missing = min(count, LINES_MAX) - len(self._lines)
        if missing > 0 and self._lines:
            older = History(self._sources.audit).lines_before(self._lines[0].offset, missing)
            self._lines.extendleft(reversed(older))
            self._note(reversed(older), newer=False)

    def look_back(self) -> bool:
        """Search a bounded part before the tail for quiet healers; return whether to go on."""
        if self._looked_back is None:
            self._looked_back = self._lines[0].offset if self._lines else 0
        end = self._looked_back
        # A rotation since then has made the offset one of another file.
        if end <= 0 or self._step.generation or self._step.size - end > LOOK_BACK:
            return False
        if all(name in self._past and self._past[name].last for name in self._names):
            return False
        step = History(self._sources.audit).scan(lambda _: True, end, "back", BUDGET)
        self._note(reversed(step.lines), newer=False)
        self._looked_back = 0 if step.done else step.offset
        return not step.done

    def take_fleet(self, news: FleetNews) -> None:
        """Take over what Redis said; where it said nothing, the last locks stay, as unknown."""
        if news.health.state is not SourceState.LIVE:
            self._fleet = replace(self._fleet, health=news.health)
            return
        known = {(lock.key, lock.owner): lock for lock in self._fleet.locks}
        self._fleet = replace(
            news,
            locks=tuple(_steady(lock, known.get((lock.key, lock.owner))) for lock in news.locks),
        )

    def snapshot(
        self, now: float, *, state_push: str | None = "", audit_push: str | None = ""
    ) -> Snapshot:
        """Return everything known at `now`.

        Args:
            now: epoch seconds.
            state_push: why changes below the state root are not pushed to us; empty if they
                are, None while that is not known.
            audit_push: the same of the audit log.
        """
        step = self._step
        self._now = now
        return Snapshot(
            host=self._sources.host,
            taken_at=now,
            healers=self._all(),
            locks=self._fleet.locks,
            audit=AuditTail(
                path=str(self._sources.audit),
                generation=step.generation,
                size=step.size,
                lines=tuple(self._lines),
                unparsable=step.unparsable,
                gap=step.gap,
                earlier=self._earlier,
            ),
            audit_health=self._audit_health(now, audit_push),
            state_health=self._state_health(now, state_push),
            redis_health=self._fleet.health,
            halt=self._fleet.halt,
            halts=self._fleet.halts,
            storms=self._fleet.storms,
            requests=self._requests,
            hosts=self._fleet.hosts,
            anomalies=self._anomalies(),
        )

    def _all(self) -> tuple[HealerState, ...]:
        """Every healer; put together again are only those that something new was read of."""
        known = self._known()
        if self._whole[0] is not known:
            for name in [name for name in known if name not in self._shown]:
                self._healer(name)
            self._whole = known, tuple(map(self._shown.__getitem__, known))
        return self._whole[1]

    def _forget(self, name: str) -> None:
        self._shown.pop(name, None)
        self._whole = None, ()

    def _known(self) -> list[str]:
        """Names of the healers, by name: those with a directory, and those only announced.

        A healer of the catalog that never ran has no directory yet; it is shown all the same,
        for its absence is what somebody has to see.
        """
        names, catalog, read = self._names, self._catalog, len(self._read)
        was_of = self._known_of
        if was_of[0] is not names or was_of[1] is not catalog or was_of[2] != read:
            there = set(names)
            announced = (name for name in catalog if name not in there)
            self._names_known = sorted(
                [*(name for name in names if name in self._read), *announced]
            )
            self._known_of = (names, catalog, read)
        return self._names_known

    def _healer(self, name: str) -> HealerState:
        shown = self._shown.get(name)
        if shown is None:
            past, beat = self._past.get(name), self._heartbeat(name)
            ran = bool(beat or (past and past.last))
            state = self._read.get(name) or absent_healer(self._sources.state_root, name, ran=ran)
            shown = replace(
                state,
                heartbeat=beat if state.heartbeat is None else state.heartbeat,
                catalog=self._catalog.get(name),
                last=past.last if past else None,
                intents=past.intents if past else (),
            )
            marked = read_marked(self._sources.state_root, shown, self._now)
            shown = self._shown[name] = replace(shown, marked=marked) if marked else shown
        return shown

    def _heartbeat(self, name: str) -> Heartbeat | Corrupt | None:
        beat = self._beats.get(name)
        return Heartbeat(beat, "textfile") if isinstance(beat, float) else beat

    def _note(self, lines: Iterable[AuditLine], *, newer: bool) -> None:
        """Keep the last event and the intents of each healer from lines that come newest first."""
        found: dict[str, _Past] = {}
        for line in lines:
            if not isinstance(line, AuditEvent) or not line.healer:
                continue
            if len(self._past) > NAMES_MAX and line.healer not in self._names:
                continue
            past = found.setdefault(line.healer, _Past(None))
            if past.last is None and not line.outcome.startswith("operator-"):
                past.last = line
            if line.intent and line.intent not in past.intents:
                past.intents = (*past.intents, line.intent)[:INTENTS_MAX]
        for name, past in found.items():
            known = self._past.get(name, _Past(None))
            first, second = (past, known) if newer else (known, past)
            intents = tuple(dict.fromkeys((*first.intents, *second.intents)))[:INTENTS_MAX]
            merged = _Past(first.last or second.last, intents)
            if merged != known:
                self._past[name] = merged
                self._forget(name)

    def _audit_health(self, now: float, push: str | None) -> SourceHealth:
        step = self._step
        if step.missing:
            return SourceHealth(SourceState.MISSING, f"{self._sources.audit} is not there yet")
        if step.problem:
            return SourceHealth(SourceState.UNKNOWN, f"{self._sources.audit}: {step.problem}")
        return _pushed(push, str(self._sources.audit), now)

    def _state_health(self, now: float, push: str | None) -> SourceHealth:
        if self._root_problem is not None:
            return SourceHealth(*self._root_problem)
        return _pushed(push, str(self._sources.state_root), now)

    def _anomalies(self) -> tuple[str, ...]:
        problems = (self._catalog_problem, self._textfile_problem, self._requests_problem)
        return (*self.anomalies, *(problem for problem in problems if problem))


def _pushed(push: str | None, where: str, now: float) -> SourceHealth:
    if push is None:
        return SourceHealth(SourceState.STARTING, where, last_ok=now)
    if push:
        return SourceHealth(SourceState.POLLING, push, last_ok=now)
    return SourceHealth(SourceState.LIVE, where, last_ok=now)


def _steady(lock: Lock, known: Lock | None) -> Lock:
    """The lock as it was known, if nothing but the way of the answer changed its end."""
    if known is None or known.expires_at is None or lock.expires_at is None:
        return lock
    if known.fence == lock.fence and abs(known.expires_at - lock.expires_at) < _JITTER:
        return known
    return lock
