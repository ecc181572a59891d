"""Events of healers as their libraries write them, and naive sums to compare with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import orjson

from healconsole.core.auditline import AuditEvent
from healconsole.core.auditparse import parse_line

NOW = 1_764_000_000.0
"""2025-11-24T16:00:00Z."""
DAY = 86_400.0


def stamp(at: float) -> str:
    """``ts`` as the audit log has it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def line(at: float, outcome: str, **given: object) -> bytes:
    """One event of a library of today."""
    fields: dict[str, object] = {
        "v": 1, "ts": stamp(at), "host": "web-1", "healer": "queue",
        "intent": "restart_worker pid=7", "outcome": outcome, "reason": "", "fact": "depth=900",
        "scope": "restart_worker", "key": "", "guard": "", "pid": 4242, "duration_ms": 0,
        "dry_run": outcome == "dry-run", "trigger": "timer",
    }  # fmt: skip
    return orjson.dumps(fields | given, option=orjson.OPT_APPEND_NEWLINE)


def legacy_line(at: float, outcome: str, **given: object) -> bytes:
    """One event of the older library: seven fields."""
    fields: dict[str, object] = {
        "ts": stamp(at), "host": "mx-1", "healer": "mailq", "intent": "flush_queue q=1",
        "outcome": outcome, "reason": "", "fact": "mailq=300",
    }  # fmt: skip
    return orjson.dumps(fields | given, option=orjson.OPT_APPEND_NEWLINE)


def event(at: float, outcome: str, **given: object) -> AuditEvent:
    """One event of a library of today, as a reader has it."""
    return parsed(line(at, outcome, **given))


def legacy(at: float, outcome: str, **given: object) -> AuditEvent:
    """One event of the older library, as a reader has it."""
    return parsed(legacy_line(at, outcome, **given))


def parsed(raw: bytes) -> AuditEvent:
    """The event in a line."""
    found = parse_line(raw, 0)
    assert isinstance(found, AuditEvent)
    return found


def write(path: Path, *lines: bytes) -> Path:
    """A log with these lines."""
    path.write_bytes(b"".join(lines))
    return path


def positive(counts: Mapping[str, int]) -> dict[str, int]:
    """Counts without those that are 0."""
    return {word: number for word, number in counts.items() if number}
