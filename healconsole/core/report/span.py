"""The span that a report covers, and the days in it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, timedelta

from healconsole.core.ages import DAY, iso
from healconsole.core.auditline import AuditEvent
from healconsole.core.frozen import Frozen

MOST_DAYS = 3_700
"""Days that are listed one by one: ten years."""


class Span(Frozen):
    """From ``since`` (included) to ``until`` (excluded), both in epoch seconds."""

    since: float
    until: float

    def __post_init__(self) -> None:
        """Refuse what no event can lie in.

        Raises:
            ValueError: it ends before it begins, or is not finite.
        """
        if not (math.isfinite(self.since) and math.isfinite(self.until)):
            raise ValueError("a span has a beginning and an end")
        if self.since >= self.until:
            raise ValueError("the span ends before it begins: no event can lie in it")

    def holds(self, ts: float) -> bool:
        """Whether the time ``ts`` lies in the span."""
        return self.since <= ts < self.until

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.until - self.since


def day_of(event: AuditEvent) -> str:
    """Return the calendar day of an event on the clock of its own host, such as 2026-11-23.

    A day is what the host called so: its log says with which offset it counted, also across
    a change to summer time.
    """
    text = event.ts_text
    if len(text) > 10 and text[4] == "-" and text[7] == "-":
        return text[:10]
    return iso(event.ts or 0.0)[:10]


def days_of(span: Span, utc_offset_s: int, seen: Iterable[str] = ()) -> tuple[str, ...]:
    """Return every day of the span on a clock `utc_offset_s` ahead of UTC, in order.

    Quiet days too: nothing happened there, which is an answer. Days in `seen` are added, for
    a host's calendar may be a day ahead of or behind the reader's. The last `MOST_DAYS`.

    >>> days_of(Span(1764000000, 1764090000), 0)
    ('2025-11-24', '2025-11-25')
    """
    last_second = max(span.since, math.nextafter(span.until, 0))
    first = iso(max(span.since, span.until - MOST_DAYS * DAY), utc_offset_s)[:10]
    found = {*seen, first, iso(last_second, utc_offset_s)[:10]} - {"?"}
    known = sorted(found)
    if not known:
        return ()
    begin, end = date.fromisoformat(known[0]), date.fromisoformat(known[-1])
    begin = max(begin, end - timedelta(days=MOST_DAYS))
    return tuple(
        (begin + timedelta(days=number)).isoformat() for number in range((end - begin).days + 1)
    )
