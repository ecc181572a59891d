"""The heartbeat: ``cycle.json``, and the textfile metric for monitoring."""

from __future__ import annotations

import os
from pathlib import Path

from healconsole.core.cycle import format_cycle, parse_cycle
from healconsole.core.records import Corrupt, CycleRecord
from healconsole.stores.files import CYCLE_LIMIT, Missing, Unreadable, open_dir, read_below
from healconsole.stores.writing import replace_below

CYCLE = "cycle.json"
METRIC = "heal_last_cycle_timestamp_seconds"


def read_cycle(state_dir: Path) -> CycleRecord | None:
    """The record of the last cycle; None if there is none that can be read."""
    try:
        at = open_dir(state_dir)
        try:
            raw = read_below(at, CYCLE, CYCLE_LIMIT)
        finally:
            os.close(at)
    except (Missing, Unreadable):
        return None
    record = parse_cycle(raw, CYCLE)
    return None if isinstance(record, Corrupt) else record


def write_cycle(state_dir: Path, record: CycleRecord) -> None:
    """Put the record in place.

    Raises:
        OSError, Missing, Unreadable: it cannot be written; the one before stays.
    """
    at = open_dir(state_dir)
    try:
        replace_below(at, CYCLE, format_cycle(record))
    finally:
        os.close(at)


def write_metric(textfile_dir: Path, healer: str, at: float) -> None:
    """Put the metric in place for the node exporter, which reads every ``*.prom``.

    Not fsynced: after a power cut an old heartbeat is as true as a new one.

    Raises:
        OSError: it cannot be written.
    """
    text = (
        f"# HELP {METRIC} When the healer last finished a cycle.\n"
        f"# TYPE {METRIC} gauge\n"
        f'{METRIC}{{healer="{healer}"}} {at:.3f}\n'
    )
    draft = textfile_dir / f".heal_{healer}.{os.getpid()}"
    try:
        draft.write_text(text, encoding="ascii")
        draft.replace(textfile_dir / f"heal_{healer}.prom")
    finally:
        draft.unlink(missing_ok=True)
