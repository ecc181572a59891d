"""The tail of a log that is written fast and rotated often: nothing lost, nothing twice, or said.

``HEALCONSOLE_LONG=1 pytest -n0 tests/load`` rotates a hundred times at 1,000 lines a second, and
writes 5,000 lines a second for a minute.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from healconsole.core.auditline import AuditEvent, AuditLine
from healconsole.core.auditparse import format_event
from healconsole.stores.tail import Tail

LONG = os.environ.get("HEALCONSOLE_LONG") == "1"
ROTATIONS = 100 if LONG else 12
LINES_EACH, PER_SECOND = (1000, 1000) if LONG else (150, 1000)
LOOK_S = 0.02


def line(number: int) -> bytes:
    """An event that says its number."""
    return format_event(
        ts_text="2026-11-23T14:30:09.000+00:00", host="web-07", healer="worker",
        outcome="success", intent=f"restart n={number}", reason="x" * 60,
    )  # fmt: skip


class Writer(threading.Thread):
    """Appends lines at a steady rate, as our writers do: each opens, looks and writes."""

    def __init__(self, log: Path, total: int) -> None:
        super().__init__()
        self.log = log
        self.total = total
        self.written = 0

    def run(self) -> None:
        began = time.monotonic()
        while self.written < self.total:
            due = min(self.total, int((time.monotonic() - began) * PER_SECOND) + 1)
            while self.written < due:
                with self.log.open("ab") as file:
                    file.write(line(self.written))
                self.written += 1
            time.sleep(0.001)


def numbers(lines: list[AuditLine]) -> list[int]:
    """The numbers that the lines say, in the order in which they were seen."""
    return [int(one.intent.partition("=")[2]) for one in lines if isinstance(one, AuditEvent)]


def followed(log: Path, rotate: Callable[[int], None]) -> tuple[list[AuditLine], list[str], int]:
    """Write, rotate and follow at once: what was seen, the gaps said, how many written."""
    log.touch()
    tail = Tail(log)
    tail.poll()
    writer = Writer(log, ROTATIONS * LINES_EACH)
    seen: list[AuditLine] = []
    gaps: list[str] = []
    rotations = 0
    writer.start()
    while writer.is_alive():
        look(tail, seen, gaps)
        due = writer.written > (rotations + 1) * LINES_EACH - LINES_EACH // 2
        if due and rotations < ROTATIONS:
            rotate(rotations)
            rotations += 1
        time.sleep(LOOK_S)
    writer.join()
    look(tail, seen, gaps)
    look(tail, seen, gaps)
    tail.close()
    assert rotations >= ROTATIONS - 1
    return seen, gaps, writer.written


def look(tail: Tail, seen: list[AuditLine], gaps: list[str]) -> None:
    """Poll until nothing more is there at once."""
    while True:
        step = tail.poll()
        seen += step.lines
        if step.gap and (not gaps or gaps[-1] != step.gap):
            gaps.append(step.gap)
        if not step.more:
            return


@pytest.mark.timeout(300)
def test_rotation_by_create_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"

    def rotate(number: int) -> None:
        for older in range(min(number, 3), 0, -1):
            log.with_name(f"{log.name}.{older}").replace(log.with_name(f"{log.name}.{older + 1}"))
        log.rename(log.with_name(f"{log.name}.1"))  # writers make the next one themselves

    seen, gaps, written = followed(log, rotate)
    assert numbers(seen) == list(range(written))
    assert gaps == []


@pytest.mark.timeout(300)
def test_rotation_by_copytruncate_doubles_nothing_and_says_its_gap(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"

    def rotate(number: int) -> None:
        shutil.copyfile(log, tmp_path / f"audit.jsonl.{number}")
        os.truncate(log, 0)

    seen, gaps, written = followed(log, rotate)
    found = numbers(seen)
    assert found == sorted(set(found)), "something was seen twice, or out of order"
    assert len(found) <= written
    assert all("truncated" in gap for gap in gaps)
    assert gaps


def test_a_reused_inode_is_another_log(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_bytes(b"".join(map(line, range(20))))
    tail = Tail(log)
    assert len(tail.poll().lines) == 20
    inode = log.stat().st_ino
    reused = 0
    for number in range(1, 100 if LONG else 20):
        # What the tail holds open keeps its inode. So the number comes back only in place; then
        # the bytes tell.
        os.truncate(log, 0)
        log.write_bytes(b"".join(map(line, range(1000 * number, 1000 * number + 40))))
        reused += log.stat().st_ino == inode
        step = tail.poll()
        assert numbers(list(step.lines)) == list(range(1000 * number, 1000 * number + 40))
        assert step.gap
    tail.close()
    assert reused


def test_a_log_that_is_deleted_and_made_again_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_bytes(line(1))
    tail = Tail(log)
    tail.poll()
    for number in range(2, 40):
        log.unlink()
        log.write_bytes(line(number) * 3)
        assert numbers(list(tail.poll().lines)) == [number] * 3
    tail.close()
