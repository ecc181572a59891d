"""Reading a span of the log through all its rotated and compressed files."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from healconsole.core.report.report import Report, ReportCount
from healconsole.core.report.span import Span
from healconsole.stores.files import Unreadable
from healconsole.stores.logspan import in_time_order, read_logs, span_logs
from healconsole.stores.rotated import rotated_lines
from tests.report.events import DAY, NOW, legacy_line, line, write

SPAN = Span(NOW - 7 * DAY, NOW)


def read(*paths: Path, span: Span = SPAN) -> Report:
    count = ReportCount(span)
    for source in read_logs(paths, count.add):
        count.read(source)
    return count.result()


def a_log(day: int) -> bytes:
    """Two events of one day ago, or of several."""
    at = NOW - day * DAY
    return line(at - 100, "started") + line(at - 50, "success") + legacy_line(at - 9, "success")


def test_every_rotation_is_read_oldest_first(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.jsonl", a_log(0))
    write(tmp_path / "audit.jsonl.1", a_log(1))
    write(tmp_path / "audit.jsonl.2.gz", gzip.compress(a_log(2)))
    write(tmp_path / "audit.jsonl.3.bz2", bz2.compress(a_log(3)))
    write(tmp_path / "audit.jsonl.4.xz", lzma.compress(a_log(4)))
    logs = span_logs(log, SPAN)
    assert [path.name[11:] for path in logs] == [".4.xz", ".3.bz2", ".2.gz", ".1", ""]
    report = read(*logs)
    assert [healer.actions for healer in report.healers] == [5, 5]
    assert report.reading.lines == 15


def test_zstd_is_read_where_its_program_is(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl.5.zst"
    program = shutil.which("zstd")
    if program is None:
        write(path, b"\x28\xb5\x2f\xfd\0\0\0\0")
        assert "install the program zstd" in read(path).reading.sources[0].problem
        return
    packed = subprocess.run([program, "-cq"], input=a_log(1), capture_output=True, check=True)
    write(path, packed.stdout)
    assert read(path).reading.lines == 3
    write(path, packed.stdout[:-4])
    assert read(path).reading.unparsable == 1


def test_a_log_that_ended_long_before_the_span_is_not_opened(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.jsonl", a_log(0))
    old = write(tmp_path / "audit.jsonl.1", a_log(60))
    os.utime(old, (NOW, SPAN.since - 2 * DAY))
    assert span_logs(log, SPAN) == (log,)


def test_what_cannot_be_read_is_said_and_passed_over(tmp_path: Path) -> None:
    fine = write(tmp_path / "a", a_log(0))
    torn = write(tmp_path / "b.gz", gzip.compress(a_log(1) * 5000)[:-20])
    wrong = write(tmp_path / "c.xz", a_log(1))
    link = tmp_path / "d"
    link.symlink_to(fine)
    os.mkfifo(tmp_path / "e")
    report = read(fine, torn, wrong, link, tmp_path / "e", tmp_path / "none")
    said = [source.problem for source in report.reading.sources]
    assert said[0] == ""
    assert "xz" in said[2]
    assert all(said[2:])
    assert report.reading.unparsable == 1, "where the torn file breaks off"


def test_a_file_that_breaks_off_between_two_lines_is_not_taken_for_whole(tmp_path: Path) -> None:
    reading = read(write(tmp_path / "log.1.gz", gzip.compress(a_log(1))[:-8])).reading
    assert (reading.lines, reading.unparsable) == (4, 1)
    assert "damaged from here on" in reading.samples[0].why


def test_a_file_is_read_once_whatever_its_names(tmp_path: Path) -> None:
    one = write(tmp_path / "one", a_log(0))
    two = tmp_path / "two"
    two.hardlink_to(one)
    assert in_time_order([one, two, one]) == (one,)
    assert read(one, two).reading.lines == 3


def test_logs_in_any_order_are_read_in_that_of_their_times(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, a_log(day)) for name, day in (("a", 0), ("b", 2), ("c", 1))]
    assert [path.name for path in in_time_order(paths)] == ["b", "c", "a"]


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_name_that_promises_more_than_there_is(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(Unreadable):
        tuple(rotated_lines(write(tmp_path / f"log.1{suffix}", b"no such thing\n")))
