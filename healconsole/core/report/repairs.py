"""Incidents as the log tells them: from the first fact that asked for an act to a success."""

from __future__ import annotations

from collections import OrderedDict

from healconsole.core.ages import HOUR
from healconsole.core.auditline import AuditEvent
from healconsole.core.frozen import Frozen
from healconsole.core.report.durations import Durations, DurationSummary
from healconsole.core.words import FAILURES, Guardrail, Outcome

QUIET_S = 6 * HOUR
"""A silence that ends an incident without success: what comes later is another one. A run of
denials is no silence, for its last event says that it went on."""

MOST_OPEN = 10_000
"""Incidents followed at a time; beyond it the oldest is given up as not healed."""

_LIVE = frozenset({*map(str, FAILURES), Outcome.STARTED, Outcome.DENIED})


class Repairs(Frozen):
    """Incidents of one healer."""

    healed: DurationSummary
    """From the first event of an incident to its success; the mean is the MTTR."""
    unhealed: int
    """Incidents that went quiet, or lasted at the end, without a success."""


class RepairTally:
    """Follows the incidents of one healer over its hosts and scopes."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._healed = Durations()
        self._lost = 0

    def add(self, event: AuditEvent, ts: float) -> None:
        """Take one event of a live (not rehearsed) act, in the order of the log."""
        key = (event.host, event.scope or event.intent.partition(" ")[0])
        if event.outcome == Outcome.SUCCESS:
            begun = self._begin(key, event, ts)
            self._open.pop(key, None)
            # An older library writes no event when it starts; what the act took is part of it.
            took = ts - (event.duration_ms or 0) / 1000
            self._healed.add(ts - min(took if begun is None else begun, took))
        elif event.outcome in _LIVE and not event.dry_run:
            if event.guard == Guardrail.IDEMPOTENCY and key not in self._open:
                return  # an echo of the act that has just healed it
            begun = self._begin(key, event, ts)
            self._open[key] = (ts if begun is None else begun, ts)
            self._open.move_to_end(key)
            if len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
                self._lost += 1

    def result(self) -> Repairs:
        """What is known by now."""
        return Repairs(self._healed.summary(), self._lost + len(self._open))

    def _begin(self, key: tuple[str, str], event: AuditEvent, ts: float) -> float | None:
        """When the incident that the event goes on with began; None if it is a new one."""
        found = self._open.get(key)
        if found is None:
            return None
        begun, last = found
        if ts - last > QUIET_S and event.count == 1:
            self._lost += 1
            return None
        return begun
