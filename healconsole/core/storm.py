"""The storm brake: when too many hosts want to act on one scope, the symptom is not theirs."""

from __future__ import annotations

from healconsole.core.fields import EPOCH, POSITIVE, SECONDS
from healconsole.core.frozen import Frozen
from healconsole.core.pattern import pattern
from healconsole.core.records import Corrupt

_STORM = pattern(f"{EPOCH} {POSITIVE} {SECONDS}")

LIVE_S = 900
"""Seconds for which a host counts as live after a guarded cycle of it; the window, if longer."""


class StormLimit(Frozen):
    """So many hosts may want the same, or so many in a hundred of those that live."""

    hosts: int | None = None
    percent: int | None = None


class StormRecord(Frozen):
    """A field of ``heal:storms``: since when, and how many hosts wanted it within the window."""

    since: int
    hosts: int
    window: int


def parse_limit(text: str) -> StormLimit:
    """Parse ``10`` (hosts) or ``20%`` (of the live hosts), as a policy lets them through.

    >>> parse_limit("10"), parse_limit("20%")
    (StormLimit(hosts=10, percent=None), StormLimit(hosts=None, percent=20))
    """
    if text.endswith("%"):
        return StormLimit(percent=int(text[:-1]))
    return StormLimit(hosts=int(text))


def is_storm(limit: StormLimit, wanting: int, live: int) -> bool:
    """Whether more hosts want to act than may. One alone never is a storm.

    >>> is_storm(parse_limit("3"), 3, 100), is_storm(parse_limit("3"), 4, 100)
    (False, True)
    >>> is_storm(parse_limit("20%"), 20, 100), is_storm(parse_limit("20%"), 21, 100)
    (False, True)
    >>> is_storm(parse_limit("20%"), 1, 1)
    False
    """
    if wanting < 2:
        return False
    if limit.percent is not None:
        return wanting * 100 > limit.percent * max(live, wanting)
    return limit.hosts is not None and wanting > limit.hosts


def parse_storm(text: str, scope: str) -> StormRecord | Corrupt:
    """Parse ``<since> <hosts> <window>``.

    >>> parse_storm("1764000000 12 300", "restart")
    StormRecord(since=1764000000, hosts=12, window=300)
    """
    found = _STORM.fullmatch(text)
    if found is None:
        sample = text.encode("utf-8", "surrogateescape")[:64]
        return Corrupt(f"heal:storms {scope}", "does not match its format", sample)
    since, hosts, window = map(int, found.groups())
    return StormRecord(since, hosts, window)


def format_storm(storm: StormRecord) -> str:
    """Write a storm in its one format.

    >>> format_storm(StormRecord(1764000000, 12, 300))
    '1764000000 12 300'
    """
    return f"{storm.since} {storm.hosts} {storm.window}"


def storm_said(storm: StormRecord | Corrupt, scope: str) -> str:
    """Why a storm denies.

    >>> storm_said(StormRecord(1764000000, 12, 300), "restart")
    'storm: 12 hosts wanted restart within 300 s, stopped until an operator releases it'
    """
    if isinstance(storm, Corrupt):
        return f"{storm.path} is corrupt: {storm.why}"
    return (
        f"storm: {storm.hosts} hosts wanted {scope} within {storm.window} s, "
        "stopped until an operator releases it"
    )
