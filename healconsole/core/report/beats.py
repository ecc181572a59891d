"""Heartbeats of the past, as Prometheus remembers them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from healconsole.core.ages import iso

METRIC: Final = "heal_last_cycle_timestamp_seconds"

Beats = Mapping[str, frozenset[str]]
"""Days on which a healer finished a cycle, by host."""

_HOST_LABELS = ("host", "hostname", "nodename", "instance")


def parse_beats(raw: bytes, healer: str, utc_offset_s: int = 0) -> Beats:
    """Return on which days `healer` finished a cycle, by host.

    Args:
        raw: the answer of Prometheus to ``/api/v1/query_range`` for the heartbeat metric. Each
            value is the time of a cycle, so the value tells the day and not the sample's time.
        healer: its name, as the label ``healer`` has it.
        utc_offset_s: of the clock that days are told on.

    Raises:
        ValueError: it is no such answer.
    """
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    found: dict[str, set[str]] = {}
    for labels, values in _series(answer):
        if labels.get("healer") != healer:
            continue
        days = found.setdefault(_host(labels), set())
        for value in values:
            at = _time(value)
            if at is not None:
                days.add(iso(at, utc_offset_s)[:10])
    return {host: frozenset(days) for host, days in found.items()}


def beats_on(beats: Beats, host: str) -> frozenset[str]:
    """Return the days of `host`, whether it is told with its domain or without."""
    short = host.partition(".")[0]
    days = [found for name, found in beats.items() if name.partition(".")[0] == short]
    return frozenset().union(*days)


def _series(answer: object) -> Iterator[tuple[Mapping[str, Any], list[Any]]]:
    data = answer.get("data") if isinstance(answer, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(result, list):
        raise ValueError(  # noqa: TRY004 - the type of a value in a file is its content
            "not an answer of Prometheus to /api/v1/query_range (it has no data.result)"
        )
    for series in result:
        labels = series.get("metric") if isinstance(series, dict) else None
        values = series.get("values") if isinstance(series, dict) else None
        if isinstance(labels, dict) and isinstance(values, list):
            yield labels, values


def _host(labels: Mapping[str, Any]) -> str:
    label = next((str(labels[name]) for name in _HOST_LABELS if name in labels), "")
    host, colon, port = label.rpartition(":")
    return host if colon and port.isdecimal() else label


def _time(value: object) -> float | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    try:
        at = float(value[1])
    except (TypeError, ValueError):
        return None
    return at if math.isfinite(at) and at > 0 else None
