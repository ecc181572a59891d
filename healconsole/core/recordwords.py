"""What a state file holds, in few words for people: never its bytes."""

from __future__ import annotations

from healconsole.core.ages import clock_time
from healconsole.core.bucket import tokens_text
from healconsole.core.plan import FileRecord
from healconsole.core.records import BreakerRecord, BucketRecord, Corrupt, OverrideRecord
from healconsole.core.words import Circuit


def record_words(found: FileRecord | Corrupt | None, utc_offset_s: int | None = None) -> str:
    """Say what a file holds, as it was written; may hold data from outside.

    Args:
        found: the record that was read; None = there is no file.
        utc_offset_s: seconds that the times of day are ahead of UTC; None = UTC, which is said.

    >>> record_words(BreakerRecord(2, 1764000000, 3, 600, Circuit.HALF_OPEN, 0))
    'half-open, 2 of 3 failures, the last at 16:00:00 UTC'
    >>> record_words(OverrideRecord(True, 1764000000, 0, "ana"), 3600), record_words(None)
    ('on since 17:00:00, by ana', 'nothing')
    """

    def at(epoch: int) -> str:
        return clock_time(epoch, utc_offset_s or 0) + (" UTC" if utc_offset_s is None else "")

    if found is None:
        return "nothing"
    if isinstance(found, Corrupt):
        return f"what is corrupt ({found.why})"
    if isinstance(found, BreakerRecord):
        return _breaker(
            found, f" until {at(found.until)}", f", the last at {at(found.last_failure)}"
        )
    if isinstance(found, BucketRecord):
        return f"{tokens_text(found.tokens_micro)} tokens at {at(found.last_refill)}"
    if isinstance(found, OverrideRecord):
        until = f" until {at(found.until)}" if found.until else ""
        return f"{'on' if found.on else 'off'} since {at(found.since)}{until}, by {found.operator}"
    return f"the claim of {found.intent} since {at(found.at)}"


def _breaker(found: BreakerRecord, until: str, last: str) -> str:
    limit = "" if found.max_failures is None else f" of {found.max_failures}"
    state = "" if found.state is None else f"{found.state}{until if found.until else ''}, "
    if found.state is Circuit.FORCED_OPEN:  # its count is an operator's, not of failures
        return state.removesuffix(", ")
    return f"{state}{found.failures}{limit} failures{last if found.failures else ''}"
