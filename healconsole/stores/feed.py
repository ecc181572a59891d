"""The live picture: files and Redis, looked at in threads, given out as whole snapshots."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from healconsole.core.snapshot import Snapshot
from healconsole.stores.picture import SILENT, FleetNews, Picture, Sources
from healconsole.stores.requestfiles import FOLDER
from healconsole.stores.watch import Watch

if TYPE_CHECKING:
    from healconsole.stores.fleetpoll import FleetPoll

TICK_S: Final = 1.0
"""Between two looks of the safety net, where changes are pushed to us."""
POLL_S: Final = 0.25
"""The same where they are not."""
_SHARE: Final = 0.01
"""Of the time between two looks, what goes to healers that no change was reported of."""
_POLL_SHARE: Final = 0.08
_ROUND_TICKS: Final = 5
"""A round through all healers takes at least so many looks where changes are pushed to us."""
_SLOW_LOOKS: Final = 10
"""Every how many ticks the catalog and the metrics are read again unasked."""
_FIRST_S: Final = 0.1
"""A first reading that takes longer is shown in parts."""

_WATCH_AFTER_S: Final = 0.15
_REDIS_AFTER_S: Final = 0.4
"""After the start: the first screen goes before the imports that these need."""
_PAUSE_S: Final = 0.03
"""After a snapshot: what changes in a burst shares the next one, and the frame that it costs."""
_STEPS_AT_ONCE: Final = 8
"""Steps of the tail in one look, so that a flood does not keep other news waiting."""

_CLOCK_STEP_S: Final = 2.0
_STEP_SHOWN_S: Final = 600.0

_NO_STATE: Final = frozenset({".scratch", ".guard", "aside", "dry"})
"""Entries of a healer's directory whose change shows nowhere."""


@dataclass(slots=True)
class _Due:
    """What is to be looked at next. Filled by threads through the mailbox, used by one."""

    healers: set[str]
    listing: bool = False
    tail: bool = False
    catalog: bool = False
    beats: bool = False
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(
            self.healers
            or self.listing
            or self.tail
            or self.catalog
            or self.beats
            or self.everything
        )


class Feed:
    """Looks at everything, and calls back with a snapshot when something changed.

    Also once a second when nothing did, so that silence means that the feed is dead. Files
    never wait for Redis. Looking changes nothing: no file is written, no lock taken.

    Args:
        sources: where things are; a `stores.config.Config` is that.
        clock: epoch seconds.
        on_snapshot: called from the feed's own thread, never from two at a time. It must not
            wait for whoever calls `stop`.
    """

    def __init__(
        self,
        sources: Sources,
        clock: Callable[[], float],
        on_snapshot: Callable[[Snapshot], None],
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._on_snapshot = on_snapshot
        self._picture = Picture(sources)
        self._mailbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._due = _Due(set())
        self._published: Snapshot | None = None
        self._told_at = 0.0
        self._unread: list[str] | None = None
        self._fleet: FleetPoll | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._watches: list[Watch] = []
        self._state_push: str | None = None
        self._audit_push: str | None = None
        self._turn = 0
        self._ticks = 0
        self._clock_lead = 0.0
        self._stepped_at: float | None = None

    def first(self, budget_s: float = 0.05) -> Snapshot:
        """Look once, before `start`, on the caller's thread; `start` then goes on from there.

        Args:
            budget_s: seconds after which the healers not read by then are left for later.
        """
        self._begin()
        self._read_some(budget_s)
        return self._picture.snapshot(self._clock(), state_push=None, audit_push=None)

    def start(self) -> None:
        """Begin to look; returns at once."""
        self._thread.start()
        if self._sources.redis is not None:
            from healconsole.stores.fleetpoll import FleetPoll

            self._fleet = FleetPoll(
                self._sources.redis, self._clock, self._fleet_said, after=_REDIS_AFTER_S
            )
            self._fleet.start()

    def stop(self) -> None:
        """End; no snapshot comes after this returns. A hanging Redis is not waited for."""
        self._stopping.set()
        if self._fleet is not None:
            self._fleet.stop()
        self._mailbox.put(None)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def look_at(self, name: str | None) -> None:
        """Read the markers of this healer too, and it before the others; None = of none."""

        def look() -> None:
            before = self._picture.looked_at
            if before == name:
                return
            self._picture.looked_at = name
            self._due.healers |= {one for one in (before, name) if one is not None}

        self._mailbox.put(look)

    def poke(self) -> None:
        """Look at everything now rather than at the next turn: something was done."""

        def look() -> None:
            self._due.everything = True

        self._mailbox.put(look)
        if self._fleet is not None:
            self._fleet.poke()

    # The thread that reads files and gives out snapshots.

    def _run(self) -> None:
        try:
            self._first_look()
            self._start_watches()
            next_tick = time.monotonic()
            while not self._stopping.wait(self._told_at + _PAUSE_S - time.monotonic()):
                self._take_mail(next_tick)
                if time.monotonic() >= next_tick:
                    self._tick()
                    next_tick = time.monotonic() + (POLL_S if self._polling() else TICK_S)
                    self._look()
                    self._publish(even_unchanged=True)
                else:
                    self._look()
                    self._publish()
        finally:
            for watch in self._watches:
                watch.stop()
            for watch in self._watches:
                watch.join()
            self._picture.close()

    def _first_look(self) -> None:
        """Read what `first` has not read, showing a part where it takes long."""
        if self._unread is None:
            self._begin()
        while self._unread and not self._stopping.is_set():
            self._read_some(_FIRST_S)
            if self._unread:
                self._publish()
        self._publish(even_unchanged=True)

    def _begin(self) -> None:
        picture = self._picture
        self._clock_lead = self._clock() - time.monotonic()
        picture.read_tail()
        picture.read_catalog()
        picture.read_heartbeats()
        picture.read_requests(self._clock())
        self._unread = sorted(picture.list_healers(), reverse=True)

    def _read_some(self, budget_s: float) -> None:
        """Read healers until none is left or the time is up."""
        end = time.monotonic() + budget_s
        while self._unread:
            self._picture.read_healer(self._unread.pop())
            if time.monotonic() > end or self._stopping.is_set():
                return

    def _start_watches(self) -> None:
        flat = [self._sources.audit.parent, self._sources.catalog]
        if self._sources.textfile_dir is not None:
            flat.append(self._sources.textfile_dir)
        self._watches = [
            Watch(
                [self._sources.state_root],
                recursive=True,
                on_paths=lambda paths: self._mailbox.put(lambda: self._state_changed(paths)),
                on_live=lambda why: self._mailbox.put(lambda: self._state_live(why)),
                after=_WATCH_AFTER_S,
            ),
            Watch(
                flat,
                recursive=False,
                on_paths=lambda paths: self._mailbox.put(lambda: self._flat_changed(paths)),
                on_live=lambda why: self._mailbox.put(lambda: self._flat_live(why)),
                after=_WATCH_AFTER_S,
            ),
        ]
        for watch in self._watches:
            watch.start()

    def _take_mail(self, until: float) -> None:
        """Wait for mail until then, and take all that is there: one look serves them all."""
        busy = self._due or self._picture.look_back()
        idle = 0.0 if busy else max(0.0, until - time.monotonic())
        try:
            mail = self._mailbox.get(timeout=idle) if idle else self._mailbox.get_nowait()
            while mail is not None:
                mail()
                mail = self._mailbox.get_nowait()
        except queue.Empty:
            return

    def _state_changed(self, paths: set[str]) -> None:
        root = str(self._sources.state_root.absolute())
        for path in paths:
            name, _, rest = path[len(root) :].lstrip("/").partition("/")
            if not rest or name == FOLDER:
                self._due.listing = True
            if name and name[0] != "." and rest.partition("/")[0] not in _NO_STATE:
                self._due.healers.add(name)

    def _flat_changed(self, paths: set[str]) -> None:
        audit = self._sources.audit.absolute()
        for path in map(PurePath, paths):
            if path.parent == audit.parent and path.name.startswith(audit.name):
                self._due.tail = True
            elif path.suffix == ".toml":
                self._due.catalog = True
            elif path.suffix == ".prom":
                self._due.beats = True

    def _state_live(self, why: str) -> None:
        self._state_push = _polled(why)
        # What changed before the watch stood was not reported.
        self._due.everything = True

    def _flat_live(self, why: str) -> None:
        self._audit_push = _polled(why)
        self._due.tail = self._due.catalog = self._due.beats = True

    def _fleet_said(self, news: FleetNews) -> None:
        self._mailbox.put(lambda: self._picture.take_fleet(news))

    def _polling(self) -> bool:
        return bool(self._state_push or self._audit_push)

    def _tick(self) -> None:
        """The safety net: the log and the listing each time, the healers in turn."""
        self._due.tail = self._due.listing = True
        if self._ticks % _SLOW_LOOKS == 0:
            self._due.catalog = self._due.beats = True
        self._ticks += 1
        if self._picture.looked_at is not None:
            self._due.healers.add(self._picture.looked_at)
        self._read_in_turn()
        self._check_clock()
        if self._fleet is not None and self._fleet.hung:
            self._picture.take_fleet(SILENT)

    def _read_in_turn(self) -> None:
        names = self._picture.names
        if self._polling():
            most, end = len(names), time.monotonic() + _POLL_SHARE * POLL_S
        else:
            most, end = -(-len(names) // _ROUND_TICKS), time.monotonic() + _SHARE * TICK_S
        for _ in range(most):
            self._turn = (self._turn + 1) % len(names)
            self._picture.read_healer(names[self._turn])
            if time.monotonic() > end:
                return

    def _look(self) -> None:
        """Look at what is due. A healer that changed costs one reading of that healer."""
        due, self._due = self._due, _Due(set())
        if not due:
            return
        picture = self._picture
        if due.tail or due.everything:
            for _ in range(_STEPS_AT_ONCE):
                if self._stopping.is_set() or not picture.read_tail():
                    break
                self._publish()
            else:
                self._due.tail = True
        if due.catalog or due.everything:
            picture.read_catalog()
        if due.beats or due.everything:
            picture.read_heartbeats()
        if due.listing or due.everything:
            due.healers |= picture.list_healers()
            picture.read_requests(self._clock())
        if due.everything:
            due.healers.update(picture.names)
        for name in due.healers:
            picture.read_healer(name)

    def _publish(self, *, even_unchanged: bool = False) -> None:
        snapshot = self._picture.snapshot(
            self._clock(), state_push=self._state_push, audit_push=self._audit_push
        )
        if (even_unchanged or snapshot != self._published) and not self._stopping.is_set():
            self._published, self._told_at = snapshot, time.monotonic()
            self._on_snapshot(snapshot)

    def _check_clock(self) -> None:
        """Say so when this host's clock jumps: ages and cooldowns jump with it."""
        lead = self._clock() - time.monotonic()
        step = lead - self._clock_lead
        self._clock_lead = lead
        if abs(step) > _CLOCK_STEP_S:
            self._stepped_at = time.monotonic()
            way = "forward" if step > 0 else "back"
            self._picture.anomalies = (
                f"the clock of this host stepped {way} by {abs(step):.0f} s, ages with it",
            )
        elif self._stepped_at is not None and time.monotonic() - self._stepped_at > _STEP_SHOWN_S:
            self._stepped_at = None
            self._picture.anomalies = ()


def _polled(why: str) -> str:
    return why and f"{why}; looked at every {POLL_S:g} s instead"
