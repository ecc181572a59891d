"""Times and spans as people read them, and the spans that they type."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone

from healconsole.core.pattern import pattern

MINUTE = 60
HOUR = 3600
DAY = 86_400

_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1}
_DURATION = pattern(
    r"(?:(?P<d>\d{1,6}(?:\.\d{1,6})?)d)?(?:(?P<h>\d{1,7}(?:\.\d{1,6})?)h)?"
    r"(?:(?P<m>\d{1,8}(?:\.\d{1,6})?)m)?(?:(?P<s>\d{1,9}(?:\.\d{1,6})?)s)?",
    re.ASCII,
)
_LONGEST = 3650 * DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def age(seconds: float) -> str:
    """Return a span in its largest unit only: coarse ages change rarely, and cost few bytes.

    A negative span (a time that is still to come) carries its sign: it is an anomaly to see.

    >>> [age(s) for s in (0.4, 12.9, 119, 3 * 3600 + 59, 5 * 86400, -30)]
    ['0s', '12s', '1m', '3h', '5d', '-30s']
    """
    if not math.isfinite(seconds):
        return "?"
    whole = int(seconds)
    sign, whole = ("-", -whole) if whole < 0 else ("", whole)
    if whole < MINUTE:
        return f"{sign}{whole}s"
    if whole < HOUR:
        return f"{sign}{whole // MINUTE}m"
    if whole < DAY:
        return f"{sign}{whole // HOUR}h"
    return f"{sign}{whole // DAY}d"


def countdown(seconds: float) -> str:
    """Return the time left in two units, rounded up, so that ``0s`` means over.

    >>> [countdown(s) for s in (0, 40.2, 452, 600, 3720, 100000)]
    ['0s', '41s', '7m32s', '10m00s', '1h02m', '1d03h']
    """
    if not math.isfinite(seconds):
        return "?"
    whole = max(0, math.ceil(seconds))
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02d}s"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02d}m"
    return f"{whole // DAY}d{whole % DAY // HOUR:02d}h"


def parse_duration(text: str) -> float:
    """Return the seconds that `text` spells, such as ``10m``, ``90s``, ``1h30m`` or ``2d``.

    A number without a unit is refused: of ten seconds and ten minutes the wrong one hurts.

    >>> parse_duration("1h30m")
    5400.0

    Raises:
        ValueError: not a span, none at all, or more than ten years.
    """
    spelled = text.strip().lower()
    found = _DURATION.fullmatch(spelled)
    if found is None or not spelled:
        unit = " (a unit is missing)" if spelled.isdecimal() else ""
        raise ValueError(f"{text[:40]!r} is not a span such as 90s, 10m, 1h30m or 2d{unit}")
    seconds = sum(float(part) * _UNITS[unit] for unit, part in found.groupdict(default="0").items())
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f"a span must be more than 0 and at most 3650d, not {text[:40]!r}")
    return seconds


def moment(epoch: float, utc_offset_s: int = 0) -> datetime | None:
    """Return the time `epoch` (seconds) on a clock `utc_offset_s` ahead of UTC.

    None if no calendar has that time: such a number may stand in a file.
    """
    try:
        zone = timezone(timedelta(seconds=utc_offset_s))
        return (_EPOCH + timedelta(seconds=epoch)).astimezone(zone)
    except (OverflowError, ValueError):
        return None


def clock_time(epoch: float, utc_offset_s: int = 0) -> str:
    """Return the time of day.

    >>> clock_time(1764000000)
    '16:00:00'
    """
    at = moment(epoch, utc_offset_s)
    return "?" if at is None else at.strftime("%H:%M:%S")


def iso(epoch: float, utc_offset_s: int = 0, *, millis: bool = False) -> str:
    """Return the time in ISO 8601 with its offset, as the audit log writes it.

    >>> iso(1764000000, 3600), iso(1764000000.5, millis=True)
    ('2025-11-24T17:00:00+01:00', '2025-11-24T16:00:00.500+00:00')
    """
    at = moment(epoch, utc_offset_s)
    if at is None:
        return "?"
    return at.isoformat(timespec="milliseconds" if millis else "seconds")
