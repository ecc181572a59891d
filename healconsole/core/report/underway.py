"""Which events are an action: each one once, whether the log tells it in one event or two."""

from __future__ import annotations

from collections import OrderedDict

from healconsole.core.auditline import AuditEvent
from healconsole.core.words import FAILURES, Outcome

MOST = 10_000
"""Actions underway at a time; of what comes beyond, the oldest is taken to have ended."""

_ENDS = frozenset({*map(str, FAILURES), Outcome.SUCCESS})


class Underway:
    """The actions of one healer that have started and not ended.

    The libraries of today write ``started`` and later the outcome; the older one writes the
    outcome only. A span may also begin in the midst of an action.
    """

    def __init__(self) -> None:
        self._started: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begins(self, event: AuditEvent) -> bool:
        """Whether the event is the first that the log has of its action."""
        key = (event.host, event.intent)
        if event.outcome == Outcome.STARTED:
            self._started[key] = None
            if len(self._started) > MOST:
                self._started.popitem(last=False)
            return True
        if event.outcome in _ENDS:
            known = key in self._started
            self._started.pop(key, None)
            return not known
        return False
