"""Looking back in the log, by offset, by time, by filter, and into rotated files."""

from __future__ import annotations

import gzip
import itertools
import os
import time
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healconsole.core.auditline import AuditEvent, AuditLine, UnparsableLine
from healconsole.core.auditparse import format_event
from healconsole.stores.files import Unreadable
from healconsole.stores.history import REACH, History
from healconsole.stores.rotated import rotated_lines, rotations

EPOCH = 1_764_000_000


def line(number: int, pad: int = 0) -> bytes:
    return format_event(
        ts_text=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(EPOCH + number)),
        host="web-07",
        healer="a" if number % 10 else "b",
        outcome="success",
        intent=f"restart n={number}",
        fact="x" * pad,
    )


def numbers(lines: tuple[AuditLine, ...]) -> list[int]:
    return [
        int(one.intent.partition("=")[2]) if isinstance(one, AuditEvent) else -1 for one in lines
    ]


@pytest.fixture(scope="module")
def thousands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20,000 lines, a second apart, some 4 MB."""
    path = tmp_path_factory.mktemp("history") / "audit.jsonl"
    path.write_bytes(b"".join(line(number) for number in range(20_000)))
    return path


def test_pages_back_and_on(thousands: Path) -> None:
    history = History(thousands)
    size = history.size()
    last = history.lines_before(size, 1000)
    assert numbers(last) == list(range(19_000, 20_000))
    before = history.lines_before(last[0].offset, 700)
    assert numbers(before) == list(range(18_300, 19_000))
    assert history.lines_after(before[0].offset, 1700) == before + last
    assert history.lines_after(size, 10) == ()
    assert numbers(history.lines_before(size + 999, 1)) == [19_999]
    assert history.lines_before(0, 10) == ()
    assert numbers(history.lines_after(0, 2)) == [0, 1]


def test_an_offset_inside_a_line_takes_whole_lines_only(thousands: Path) -> None:
    history = History(thousands)
    third = history.lines_after(0, 3)[2]
    assert numbers(history.lines_before(third.offset + 5, 9)) == [0, 1]
    assert numbers(history.lines_after(third.offset + 5, 1)) == [3]


@pytest.mark.parametrize("wanted", [-5, 0, 1, 777, 10_000, 19_998, 19_999, 19_999.5])
def test_finds_a_time(thousands: Path, wanted: float) -> None:
    history = History(thousands)
    offset = history.find_time(EPOCH + wanted)
    found = numbers(history.lines_after(offset, 1))
    assert found == [max(0, int(wanted))] if wanted < 19_999.5 else found == []


def test_finds_a_time_among_lines_without_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    noise = b"no json\n" * 12_000
    path.write_bytes(line(1) + noise + line(2) + noise + line(3))
    history = History(path)
    for number in (1, 2, 3):
        offset = history.find_time(EPOCH + number)
        assert numbers(history.lines_after(offset, 1)) == [number]


def test_finding_a_time_in_a_terabyte_reads_little(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.write(line(1))
        file.seek(1 << 40)
        file.write(b"\n" + line(2))
    began = time.monotonic()
    assert History(path).find_time(EPOCH + 2) > 0
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("direction", ["back", "on"])
def test_scans_in_bounded_steps(thousands: Path, direction: Literal["back", "on"]) -> None:
    history = History(thousands)

    def matches(one: AuditLine) -> bool:
        return isinstance(one, AuditEvent) and one.healer == "b"

    offset = history.size() if direction == "back" else 0
    found: list[int] = []
    steps = 0
    while True:
        step = history.scan(matches, offset, direction, budget=100_000)
        assert abs(step.offset - offset) < 200_000
        part = numbers(step.lines)
        found = part + found if direction == "back" else found + part
        offset = step.offset
        steps += 1
        if step.done:
            break
    assert steps > 20
    assert found == list(range(0, 20_000, 10))


def test_long_and_torn_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(line(1) + b"x" * 1_048_576 + b"\n" + line(2, pad=60_000) + b'{"torn')
    history = History(path)
    back = history.lines_before(history.size(), 9)
    assert numbers(back) == [1, -1, 2]
    assert back == history.lines_after(0, 9)
    assert isinstance(back[1], UnparsableLine)
    assert back[1].length == 1_048_577
    assert len(back[1].raw) == 4096


def test_an_endless_line_is_passed_in_bounded_steps(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.write(line(1))
        file.truncate(3 * REACH)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line(2))
    history = History(path)
    offset = history.size()
    seen = 0
    while offset > 0:
        lines = history.lines_before(offset, 5)
        assert lines
        seen += len(lines)
        assert lines[0].offset < offset
        offset = lines[0].offset
    assert 3 < seen < 10
    assert sum(one.length for one in history.lines_after(0, 100)) == history.size()


@pytest.mark.parametrize("kind", ["missing", "fifo", "directory"])
def test_what_is_no_log_reads_as_empty(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    history = History(path)
    assert history.size() == 0
    assert history.lines_before(99, 9) == history.lines_after(0, 9) == ()
    assert history.find_time(0) == 0
    assert history.scan(bool, 0).done


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(st.binary(max_size=40).map(lambda part: part.replace(b"\n", b" ")), max_size=30),
    torn=st.booleans(),
    offset=st.integers(0, 1500),
)
def test_back_and_on_agree_with_splitting_the_whole(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], offset: int, *, torn: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.log"
    data = b"\n".join(parts) + (b"" if torn else b"\n")
    path.write_bytes(data)
    begins = [0] + [at + 1 for at, byte in enumerate(data) if byte == 10]
    whole = list(itertools.pairwise(begins))
    history = History(path)
    back = [(one.offset, one.offset + one.length) for one in history.lines_before(offset, 99)]
    on = [(one.offset, one.offset + one.length) for one in history.lines_after(offset, 99)]
    assert back == [(begin, end) for begin, end in whole if end <= offset]
    assert on == [(begin, end) for begin, end in whole if begin >= offset]


def test_rotated_files_are_found_and_read(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_bytes(line(9))
    (tmp_path / "audit.jsonl.1").write_bytes(line(7) + line(8) + b"torn")
    for number in (2, 10):
        with gzip.open(tmp_path / f"audit.jsonl.{number}.gz", "wb") as file:
            file.write(b"".join(line(number * 100 + index) for index in range(500)))
    for other in ("audit.jsonl.bak", "audit.jsonl.1.swp", "xaudit.jsonl.3", "audit.jsonl-2026"):
        (tmp_path / other).touch()
    found = rotations(log)
    assert [path.name for path in found] == [
        "audit.jsonl.1",
        "audit.jsonl.2.gz",
        "audit.jsonl.10.gz",
    ]
    assert numbers(tuple(rotated_lines(found[0]))) == [7, 8, -1]
    assert numbers(tuple(rotated_lines(found[1]))) == list(range(200, 700))
    assert next(rotated_lines(found[2])).offset == 0


def test_rotated_by_date(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    for suffix in ("-20261121.gz", "-20261123", "-20261122.gz"):
        (tmp_path / f"audit.jsonl{suffix}").touch()
    assert [path.name[11:] for path in rotations(log)] == [
        "-20261123",
        "-20261122.gz",
        "-20261121.gz",
    ]
    assert rotations(tmp_path / "none" / "log") == ()


def test_a_damaged_gz_gives_what_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl.2.gz"
    whole = gzip.compress(b"".join(line(number, pad=number % 977) for number in range(3000)))
    path.write_bytes(whole[: len(whole) // 2])
    lines = tuple(rotated_lines(path))
    assert numbers(lines[:5]) == [0, 1, 2, 3, 4]
    assert isinstance(lines[-1], UnparsableLine)
    assert "damaged" in lines[-1].why
    path.write_bytes(b"not gzip")
    with pytest.raises(Unreadable, match="gzip"):
        tuple(rotated_lines(path))
