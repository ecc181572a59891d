"""Times and spans beside each other, as the details spell them."""

from __future__ import annotations

from healconsole.core.ages import age, clock_time, countdown

_FAR_S = 366 * 86_400


def when(at: float, now: float, utc_offset_s: int) -> str:
    """Return a time to come with the span until then.

    >>> when(1764000452, 1764000000, 0)
    'at 16:07:32, in 7m32s'
    """
    if at - now > _FAR_S:
        return "not by itself"
    return f"at {clock_time(at, utc_offset_s)}, in {countdown(at - now)}"


def since(at: float, now: float, utc_offset_s: int) -> str:
    """Return a time gone by with its age.

    >>> since(1764000000, 1764000130, 0)
    '16:00:00, 2m ago'
    """
    return f"{clock_time(at, utc_offset_s)}, {age(now - at)} ago"
