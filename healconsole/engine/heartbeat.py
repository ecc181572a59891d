"""The heartbeat: ``cycle.json``, and the textfile metrics for monitoring."""

from __future__ import annotations

import os
from pathlib import Path

from healconsole.core.cycle import format_cycle, parse_cycle
from healconsole.core.metrics import Tally, format_metrics, scope_samples
from healconsole.core.records import Corrupt, CycleRecord
from healconsole.core.words import Outcome
from healconsole.engine.asked import GuardedResult
from healconsole.engine.settings import Settings
from healconsole.stores.files import CYCLE_LIMIT, Missing, Unreadable, open_dir, read_below
from healconsole.stores.metricsfile import write_metrics
from healconsole.stores.scopefiles import read_scopes
from healconsole.stores.writing import replace_below

CYCLE = "cycle.json"


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


def counted(tally: Tally, result: GuardedResult | None, interrupted: int) -> Tally:
    """The tally after a cycle; ``result`` is None if nothing was asked for.

    ``interrupted`` is how many acts were found that had ended without an outcome.
    """
    if interrupted:
        tally = tally.acted(Outcome.INTERRUPTED, interrupted)
    if result is None:
        return tally
    if result.outcome is Outcome.DENIED:
        return tally.denied(str(result.verdict.guard))
    return tally.acted(result.outcome)


def write_metric(settings: Settings, record: CycleRecord, tally: Tally) -> None:
    """Put the metrics in place for the node exporter, where the settings say where.

    Raises:
        OSError: they cannot be written.
    """
    if settings.textfile_dir is None:
        return
    scopes = scope_samples(read_scopes(settings.state_dir), settings.policy, record.at)
    text = format_metrics(
        settings.healer,
        record.at,
        record.seq,
        tally,
        scopes,
        dry_run=record.mode == "dry-run",
    )
    write_metrics(settings.textfile_dir, settings.healer, text)
