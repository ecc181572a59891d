"""The loop: detect, decide, guard, act; nothing that one cycle does ends it."""

from __future__ import annotations

import time
from collections.abc import Callable

from healconsole.core.cycle import status_line
from healconsole.core.metrics import Tally
from healconsole.core.records import CycleRecord
from healconsole.engine.asked import GuardedResult
from healconsole.engine.cyclerecord import made_record
from healconsole.engine.guard import Guard
from healconsole.engine.healer import Decision, Healer
from healconsole.engine.heartbeat import counted, read_cycle, write_cycle, write_metric
from healconsole.engine.notify import Notify
from healconsole.engine.process import Beat, describe
from healconsole.engine.settings import Settings
from healconsole.engine.signals import Signals
from healconsole.engine.singleton import Singleton
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.metricsfile import read_tally

Log = Callable[[str], None]


class Loop:
    """Runs the cycles of one healer; ``log`` takes a line for people."""

    def __init__(
        self,
        healer: Healer,
        guard: Guard,
        settings: Settings,
        clock: Callable[[], float],
        log: Log,
        notify: Notify,
    ) -> None:
        self.healer = healer
        self.guard = guard
        self.settings = settings
        self._clock = clock
        self._log = log
        self._notify = notify
        self._last = read_cycle(settings.state_dir)
        folder = settings.textfile_dir
        self._tally = read_tally(folder, healer.name) if folder is not None else Tally()
        every = notify.every
        self._beat = Beat(notify.alive, every) if every is not None else None

    def run(self, signals: Signals) -> None:
        """Run a cycle at each interval, or when woken, until a signal asks to stop.

        Raises:
            AlreadyRunning: another instance of this healer lives.
            OSError: the lock cannot be taken.
        """
        with Singleton(self.healer.name, self.settings.state_dir):
            self._notify.ready()
            trigger = "timer"
            while signals.stop is None:
                began = time.monotonic()
                self.cycle(trigger, signals, interval=self.settings.interval)
                trigger = self._wait(began + self.settings.interval, signals)
            self._notify.stopping()
            self._log(f"stopped by {signals.stop.name}")

    def once(self, trigger: str, signals: Signals) -> CycleRecord | None:
        """Run one cycle, under the same lock as a daemon.

        Raises:
            AlreadyRunning: another instance of this healer lives.
            OSError: the lock cannot be taken.
        """
        with Singleton(self.healer.name, self.settings.state_dir):
            return self.cycle(trigger, signals, interval=0)

    def _wait(self, due: float, signals: Signals) -> str:
        while signals.stop is None:
            if signals.taken_wake():
                return "operator"
            left = due - time.monotonic()
            if left <= 0:
                return "timer"
            self._notify.alive()
            signals.wait(min(left, self._notify.every or left))
        return "timer"

    def cycle(self, trigger: str, signals: Signals, *, interval: float) -> CycleRecord | None:
        """One pass of detect, decide and act; its record, or None if it could not be told.

        Whatever goes wrong in it is logged and left behind: the next one comes at its time.
        """
        began_at, began = self._clock(), time.monotonic()
        self._notify.alive()
        try:
            self.guard.recover(trigger)
            decision = self.healer.consider(self.healer.measure(self._beat), self._beat)
            fact = str(decision.fact)
            if decision.problem:
                self._log(f"decide failed: {decision.problem}")
            result = None
            if decision.intent and signals.stop is None:
                result = self._guarded(decision, trigger)
                self._log(f"{decision.intent}: {result.sentence}")
            elif not decision.intent:
                self.guard.nothing_to_do()
            record = self._record(trigger, began_at, began, fact, decision.intent, result, interval)
        except Exception as error:  # noqa: BLE001 - a loop that dies heals nothing
            self._log(f"the cycle failed: {describe(error)}")
            return None
        self._write(record, result)
        return record

    def _guarded(self, decision: Decision, trigger: str) -> GuardedResult:
        intent = decision.wanted(self.guard.policy)
        return self.guard.run(
            intent,
            self.healer.action(intent, decision.fact),
            self.healer.check(intent, decision.fact),
            fact=str(decision.fact),
            trigger=trigger,
            beat=self._beat,
            again=self._said_before(decision.intent),
        )

    def _said_before(self, intent: str) -> str:
        """The guardrail by which the last cycle, of whatever process, was denied this intent."""
        last = self._last
        if last is None or last.verdict is None or last.verdict.allow:
            return ""
        same = last.intent.partition(" ")[0] == intent.partition(" ")[0]
        return last.verdict.guard if same else ""

    def _record(
        self,
        trigger: str,
        began_at: float,
        began: float,
        fact: str,
        intent: str,
        result: GuardedResult | None,
        interval: float,
    ) -> CycleRecord:
        return made_record(
            self.guard,
            self._last,
            result,
            at=self._clock(),
            began_at=began_at,
            duration_ms=int((time.monotonic() - began) * 1000),
            trigger=trigger,
            fact=fact,
            intent=intent,
            interval=interval,
        )

    def _write(self, record: CycleRecord, result: GuardedResult | None) -> None:
        """Put the record in place: it is the heartbeat."""
        self._last = record
        self._tally = counted(self._tally, result, self.guard.taken_interrupted())
        self._notify.status(status_line(record))
        try:
            write_cycle(self.settings.state_dir, record)
            write_metric(self.settings, record, self._tally)
        except (OSError, Missing, Unreadable) as error:
            self._log(f"the heartbeat cannot be written: {describe(error)}")
