"""State directories and audit logs of any size, written the way healers write them."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson

POLICY = {
    "rate": "0.016700", "burst": 3, "max_failures": 3, "cooldown": 600, "bucket": 300,
    "settle": 5, "action_timeout": 60, "check_timeout": 30,
}  # fmt: skip


def write_cycle(healer: Path, at: float, seq: int, fact: str = "queue_depth=1") -> None:
    """Replace the record of the last cycle."""
    record = {
        "v": 1, "at": at, "seq": seq, "trigger": "timer", "fact": fact, "intent": "",
        "verdict": None, "outcome": "", "duration_ms": 12, "next_due": at + 60, "interval": 60,
        "pid": os.getpid(), "library": "heal.sh", "version": "0.1.0", "policy": POLICY,
        "mode": "live",
    }  # fmt: skip
    temporary = healer / ".cycle.new"
    temporary.write_bytes(orjson.dumps(record) + b"\n")
    temporary.replace(healer / "cycle.json")


def write_healers(root: Path, count: int) -> list[Path]:
    """``count`` healers, each with a bucket, a breaker and a cycle record."""
    now = time.time()
    made = []
    for number in range(count):
        healer = root / f"healer-{number:04d}"
        for folder in ("keys", "rate", "cb"):
            (healer / folder).mkdir(parents=True)
        stamp = int(now) - number % 50
        bucket = f"{stamp} 2.000000 0.016700 3\n"
        (healer / "rate" / "restart_worker").write_text(bucket, encoding="ascii")
        breaker = f"1 {stamp} 3 600 closed 0\n"
        (healer / "cb" / "restart_worker").write_text(breaker, encoding="ascii")
        write_cycle(healer, now - number % 50, 1)
        made.append(healer)
    return made


def event(at: float, number: int, healer: str = "healer-0000") -> bytes:
    """One line of an audit log."""
    ts = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return (
        b'{"v":1,"ts":"%b","host":"web-07","healer":"%b","intent":"restart_worker pid=%d",'
        b'"outcome":"success","reason":"queue over threshold","fact":"queue_depth=%d,n=%d",'
        b'"scope":"restart_worker","pid":4242,"duration_ms":812,"dry_run":false}\n'
        % (ts.encode(), healer.encode(), number % 32768, number * 7 % 20000, number)
    )


def write_audit(path: Path, lines: int, seconds_apart: float = 0.5) -> None:
    """A log of ``lines`` events that ends now; written in large pieces, for it may be gigabytes."""
    start = time.time() - lines * seconds_apart
    with path.open("wb", buffering=1 << 22) as log:
        for number in range(lines):
            log.write(event(start + number * seconds_apart, number))
