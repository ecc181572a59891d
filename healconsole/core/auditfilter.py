"""The filter of the audit log, as an operator types it.

    healer:worker* outcome:verify-failed since:2h -reason:"by hand" some words

Terms are joined by *and*. ``field:glob`` matches the whole field, ``*`` and ``?`` being wild;
a bare word matches anywhere in the line; ``-`` negates; quotes keep spaces, and keep a colon
from naming a field. Case does not matter. ``since:`` and ``until:`` take a span (``2h``), a
time of day (``14:30``, the latest that has been) or an ISO 8601 time with an offset.
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Callable

from healconsole.core.ages import DAY, parse_duration
from healconsole.core.auditline import AuditEvent, AuditLine
from healconsole.core.auditparse import parse_ts
from healconsole.core.frozen import Frozen

FIELDS = (
    *("healer", "outcome", "intent", "scope", "host", "guard", "reason", "fact"),
    *("operator", "incident"),
)
"""Fields that a term can name, beside ``since`` and ``until``."""

FILTER_MAX = 1000
"""Characters of a filter."""

_TIMES = ("since", "until")
_TERM = re.compile(
    r"""(?P<minus>-?+)(?:(?P<field>[A-Za-z_]+):)?+(?:"(?P<quoted>[^"]*)"|(?P<word>[^\s"]+))(?=\s|$)"""
)
_BLANKS = re.compile(r"\s*")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)


def _user(event: AuditEvent) -> str:
    user = event.operator.get("user", "")
    return user if isinstance(user, str) else str(user)


_WHOLE_FIELD: dict[str, Callable[[AuditEvent], str]] = {
    "healer": lambda event: event.healer,
    "outcome": lambda event: event.outcome,
    "intent": lambda event: event.intent,
    "scope": lambda event: event.scope,
    "host": lambda event: event.host,
    "guard": lambda event: event.guard,
    "reason": lambda event: event.reason,
    "fact": lambda event: event.fact,
    "operator": _user,
    "incident": lambda event: event.incident,
}


class FilterError(ValueError):
    """The text is no filter; the message says where and what would be one."""


class FieldTerm(Frozen):
    """One field against a glob."""

    field: str
    pattern: re.Pattern[str]
    negated: bool

    def matches(self, line: AuditLine) -> bool:
        """Whether the line passes; an unparsable one has no fields."""
        found = isinstance(line, AuditEvent) and self.pattern.match(_WHOLE_FIELD[self.field](line))
        return bool(found) is not self.negated


class WordTerm(Frozen):
    """A text to be found anywhere in a line."""

    text: str
    """Case-folded."""
    negated: bool

    def matches(self, line: AuditLine) -> bool:
        """Whether the line passes."""
        return (self.text in _haystack(line)) is not self.negated


class AuditFilter(Frozen):
    """A filter that was understood. An empty one matches every line."""

    text: str = ""
    terms: tuple[FieldTerm | WordTerm, ...] = ()
    since: float | None = None
    """Epoch seconds; lines before it do not match, nor do lines without a time."""
    until: float | None = None
    """Epoch seconds; lines at or after it do not match, nor do lines without a time."""

    def __bool__(self) -> bool:
        """Whether it filters anything."""
        return bool(self.terms) or self.since is not None or self.until is not None

    def matches(self, line: AuditLine) -> bool:
        """Whether `line` passes every term."""
        if not self._in_time(line):
            return False
        return all(term.matches(line) for term in self.terms)

    def _in_time(self, line: AuditLine) -> bool:
        if self.since is None and self.until is None:
            return True
        if not isinstance(line, AuditEvent) or line.ts is None:
            return False
        return (self.since is None or line.ts >= self.since) and (
            self.until is None or line.ts < self.until
        )


def parse_filter(text: str, now: float, utc_offset_s: int = 0) -> AuditFilter:
    """Read a filter.

    Args:
        text: as typed.
        now: epoch seconds, for spans and times of day.
        utc_offset_s: of the clock on which times of day are meant.

    Raises:
        FilterError: with the term that was not understood, and the mend.
    """
    if len(text) > FILTER_MAX:
        raise FilterError(f"a filter has at most {FILTER_MAX} characters, not {len(text)}")
    terms: list[FieldTerm | WordTerm] = []
    times: dict[str, float] = {}
    place = _skip(text, 0)
    while place < len(text):
        found = _TERM.match(text, place)
        if found is None:
            raise FilterError(_misread(text[place:]))
        place = _skip(text, found.end())
        negated = found["minus"] == "-"
        field = (found["field"] or "").lower()
        value = found["quoted"] if found["quoted"] is not None else found["word"]
        if field in _TIMES:
            _take_time(times, field, value, negated=negated, now=now, offset=utc_offset_s)
        elif field in _WHOLE_FIELD:
            terms.append(FieldTerm(field, _glob(value), negated))
        elif field:
            raise FilterError(
                f"there is no field {field!r}: use {', '.join(FIELDS)}, since or until; "
                f'quote "{field}:{value}" to find it as text'
            )
        elif value:
            terms.append(WordTerm(value.casefold(), negated))
    since, until = times.get("since"), times.get("until")
    if since is not None and until is not None and since >= until:
        raise FilterError("since is not before until: no line can match")
    return AuditFilter(text, tuple(terms), since, until)


def _skip(text: str, place: int) -> int:
    found = _BLANKS.match(text, place)
    return place if found is None else found.end()


def _misread(rest: str) -> str:
    term = rest.split(maxsplit=1)[0][:40]
    if rest.count('"') % 2:
        return f'a quote is not closed: {term} … needs another "'
    if term.endswith(":"):
        return f'{term} needs a value, such as {term}x* or {term}"two words"'
    return f'{term} is not a term: use word, field:value, -word or "two words"'


def _take_time(
    times: dict[str, float], field: str, value: str, *, negated: bool, now: float, offset: int
) -> None:
    if negated:
        other = _TIMES[1 - _TIMES.index(field)]
        raise FilterError(f"-{field}: is not known: say {other}:{value}")
    if field in times:
        raise FilterError(f"{field}: stands twice")
    times[field] = _time(field, value, now, offset)


def _time(field: str, value: str, now: float, offset: int) -> float:
    clock = _CLOCK.fullmatch(value)
    if clock is not None:
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        midnight = math.floor((now + offset) / DAY) * DAY - offset
        at = midnight + hours * 3600 + minutes * 60 + seconds
        return float(at if at <= now else at - DAY)
    moment = parse_ts(value)
    if moment is not None:
        return moment
    try:
        return now - parse_duration(value)
    except ValueError as error:
        raise FilterError(
            f"{field}:{value[:40]} is not a time: say {field}:2h, {field}:14:30 or "
            f"{field}:2026-11-23T14:30:00+00:00"
        ) from error


def _glob(value: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(value.replace("[", "[[]")), re.IGNORECASE)


def _haystack(line: AuditLine) -> str:
    if not isinstance(line, AuditEvent):
        return line.raw.decode(errors="replace").casefold()
    return "\n".join(
        (
            *(line.ts_text, line.host, line.healer, line.intent, line.outcome, line.reason),
            *(line.fact, line.scope, line.guard, line.trigger, line.incident, _user(line)),
            *(line.before, line.after),
        )
    ).casefold()
