"""A time to jump to, as somebody types it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from healconsole.core.ages import parse_duration

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


class JumpError(ValueError):
    """What was typed is no time; the message says what would be one."""


def parse_jump(text: str, now: float, utc_offset_s: int) -> float:
    """Return the epoch seconds of a typed time.

    ``14:30`` is the last time that it was half past two on the screen's clock, ``-2h`` two
    hours ago; a date with a time is taken as it is.

    >>> parse_jump("-2h", 7200.0, 0)
    0.0

    Raises:
        JumpError: it is none of these.
    """
    spelled = text.strip()
    zone = timezone(timedelta(seconds=utc_offset_s))
    if spelled.startswith("-"):
        try:
            return now - parse_duration(spelled[1:])
        except ValueError as error:
            raise JumpError(str(error)) from error
    clock = _CLOCK.fullmatch(spelled)
    try:
        if clock:
            hour, minute, second = (int(part or 0) for part in clock.groups())
            today = datetime.fromtimestamp(now, zone)
            at = today.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return (at if at <= today else at - timedelta(days=1)).timestamp()
        found = datetime.fromisoformat(spelled)
    except ValueError as error:
        raise JumpError("a time is 14:30, 14:30:09, -2h, or 2026-11-23 14:30") from error
    return (found if found.tzinfo else found.replace(tzinfo=zone)).timestamp()
