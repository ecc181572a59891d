"""Heartbeats of healers that write no ``cycle.json``: node_exporter's textfile metrics."""

from __future__ import annotations

import math
import os
import re
from itertools import islice
from pathlib import Path
from typing import Final

from healconsole.core.pattern import pattern
from healconsole.core.records import Corrupt
from healconsole.stores.files import Missing, Unreadable, open_dir, read_name

_LIMIT: Final = 65_536
"""Bytes of one metrics file."""
_FILES_MAX: Final = 10_000
_NAME: Final = pattern(r"heal_(.+)\.prom", re.DOTALL)
_SAMPLE: Final = pattern(
    rb'^heal_last_cycle_timestamp_seconds\{(?:[^}\n]*,)?healer="((?:[^"\\\n]|\\.)*)"[^}\n]*\}'
    rb"[ \t]+(\S+)(?:[ \t]+-?[0-9]+)?[ \t]*$",
    re.MULTILINE,
)


def read_heartbeats(folder: Path) -> dict[str, float | Corrupt]:
    """Return when each healer last finished a cycle (epoch seconds), by its name.

    Reads ``heal_<name>.prom`` in `folder`. A file that gives no time gives a `Corrupt`, under
    the name that the file has. A folder that is not there is empty.

    Raises:
        Unreadable: the folder cannot be read.
    """
    try:
        descriptor = open_dir(folder)
    except Missing:
        return {}
    beats: dict[str, float | Corrupt] = {}
    try:
        with os.scandir(descriptor) as entries:
            matching = (match for entry in entries if (match := _NAME.fullmatch(entry.name)))
            names = sorted((match[0], match[1]) for match in islice(matching, _FILES_MAX))
        for file, healer in names:
            beats |= _read(descriptor, file, healer)
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror})") from error
    finally:
        os.close(descriptor)
    return beats


def _read(folder: int, file: str, healer: str) -> dict[str, float | Corrupt]:
    try:
        data, _ = read_name(folder, file, _LIMIT)
    except Missing:
        # Replaced while we looked: the next look finds it.
        return {}
    except Unreadable as error:
        return {healer: Corrupt(file, error.why, error.sample)}
    found: dict[str, float | Corrupt] = {}
    for label, value in _SAMPLE.findall(data):
        name = _unescaped(label)
        at = _number(value)
        found[name] = Corrupt(file, "the metric is not a time", value[:64]) if at is None else at
    return found or {healer: Corrupt(file, "holds no heal_last_cycle_timestamp_seconds", data[:64])}


def _unescaped(label: bytes) -> str:
    """The text of a label (Prometheus text format: backslash, quote and newline are escaped)."""
    text = label.decode("utf-8", "surrogateescape")
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)


def _number(value: bytes) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
