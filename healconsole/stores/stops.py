"""Halts and storms as an operator sees and changes them: read, and swapped for what was read."""

from __future__ import annotations

from typing import Any

from healconsole.core.halt import FLEET, HaltRecord, parse_halt
from healconsole.core.records import Corrupt
from healconsole.core.storm import StormRecord, parse_storm
from healconsole.stores.redislink import (
    HALT,
    HALTS,
    STORMS,
    WANT,
    RedisLink,
    RedisUnknown,
    raw,
    text,
)


def read_stops(
    link: RedisLink,
) -> tuple[tuple[HaltRecord | Corrupt, ...], tuple[tuple[str, StormRecord | Corrupt], ...]]:
    """The halts that are not for the whole fleet, by target, and the storms, by scope.

    Raises:
        RedisUnknown: nothing is known.
    """
    halts = sorted(_fields(link, HALTS).items())
    storms = sorted(_fields(link, STORMS).items())
    return (
        tuple(parse_halt(record, target or "(nobody)") for target, record in halts),
        tuple((scope, parse_storm(record, scope)) for scope, record in storms),
    )


def halt_there(link: RedisLink, target: str) -> str:
    """The record of a halt as it is written; empty if there is none.

    Raises:
        RedisUnknown: nothing is known.
    """
    return _there(link, HALT, "") if target == FLEET else _there(link, HALTS, target)


def storm_there(link: RedisLink, scope: str) -> str:
    """The record of a storm as it is written; empty if there is none.

    Raises:
        RedisUnknown: nothing is known.
    """
    return _there(link, STORMS, scope)


def swap_halt(link: RedisLink, target: str, expected: str, record: str) -> bool:
    """Put ``record`` (empty: nothing) where ``expected`` is; False if something else is there.

    Raises:
        RedisUnknown: it may or may not have been done.
    """
    key, field = (HALT, "") if target == FLEET else (HALTS, target)
    return _swap(link, key, field, expected, record)


def release_storm(link: RedisLink, scope: str, expected: str) -> bool:
    """End the storm that reads ``expected``, and forget who wanted to act until now.

    Raises:
        RedisUnknown: it may or may not have been done.
    """
    link.ask(lambda client: client.delete(raw(WANT + scope)))
    return _swap(link, STORMS, scope, expected, "")


def _swap(link: RedisLink, key: str, field: str, expected: str, record: str) -> bool:
    try:
        return bool(link.run("swap", (key,), field, expected, record))
    except RedisUnknown as lost:
        if not lost.unanswered:
            raise
        # The reply was lost; what is there now says whether it was done.
        return _there(link, key, field) == record


def _there(link: RedisLink, key: str, field: str) -> str:
    found: Any = link.ask(lambda client: client.hget(key, raw(field)) if field else client.get(key))
    return "" if found is None else text(found)


def _fields(link: RedisLink, key: str) -> dict[str, str]:
    found: Any = link.ask(lambda client: client.hgetall(key))
    return {text(field): text(value) for field, value in found.items()}
