"""Every event is one whole line, whoever else writes and whoever died while writing."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import time
from functools import partial
from pathlib import Path

import orjson
import pytest

from healconsole.core.auditline import AuditEvent
from healconsole.core.auditparse import format_event, parse_line
from healconsole.stores import auditlog
from healconsole.stores.auditlog import AuditUnwritable, AuditWriter, timestamp
from tests.stores.children import as_nobody, end, fork, lock_holder, until_open, wait

NOW = 1_764_000_000.5


def _writer(path: Path) -> AuditWriter:
    return AuditWriter(path, lambda: NOW, "web1")


def _events(path: Path) -> list[AuditEvent]:
    events = [parse_line(line, 0) for line in path.read_bytes().splitlines(keepends=True)]
    assert all(isinstance(event, AuditEvent) for event in events), events
    return [event for event in events if isinstance(event, AuditEvent)]


def test_a_log_and_its_directory_are_made(tmp_path: Path) -> None:
    path = tmp_path / "log" / "heal" / "audit.jsonl"
    _writer(path).append(sync=True, healer="h", outcome="started", intent="restart x")
    (event,) = _events(path)
    assert (event.ts, event.host, event.intent) == (NOW, "web1", "restart x")


def test_sixteen_writers_of_long_lines_lose_and_tear_none(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def write(who: int) -> None:
        writer = _writer(path)
        for number in range(125):
            fact = "x" * ((number * 997 + who * 131) % 65_000)
            writer.append(healer=f"h{who}", outcome="denied", intent=f"do n={number}", fact=fact)

    for child in [fork(partial(write, who)) for who in range(16)]:
        wait(child)
    seen: dict[str, list[str]] = {}
    for event in _events(path):
        seen.setdefault(event.healer, []).append(event.intent)
    expected = [f"do n={number}" for number in range(125)]
    assert seen == {f"h{who}": expected for who in range(16)}


def test_a_tail_torn_at_any_byte_costs_its_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    whole = format_event(
        ts_text=timestamp(NOW), host="a", healer="dead", outcome="started", intent="x é"
    )
    for cut in range(len(whole) + 1):
        path.write_bytes(whole + whole[:cut])
        _writer(path).append(healer="next", outcome="denied")
        lines = path.read_bytes().split(b"\n")
        assert lines[0] + b"\n" == whole
        assert orjson.loads(lines[-2])["healer"] == "next"
        assert lines[-1] == b""
        assert len(lines) == 3 + (cut > 0)


def test_a_line_over_the_limit_is_cut_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    _writer(path).append(healer="h", outcome="denied", fact="ä" * 100_000)
    (event,) = _events(path)
    assert path.stat().st_size <= 65_536
    assert event.fact.endswith(" bytes]")


def test_a_rotation_between_two_events_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    writer = _writer(path)
    writer.append(healer="h", outcome="started")
    path.rename(tmp_path / "audit.jsonl.1")
    writer.append(healer="h", outcome="success")
    assert [event.outcome for event in _events(path)] == ["success"]


def test_a_rotation_while_waiting_for_the_lock_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditlog, "LOCK_TIMEOUT", 60.0)
    path = tmp_path / "audit.jsonl"
    rotated = tmp_path / "audit.jsonl.1"
    with lock_holder(path) as holder:
        child = fork(lambda: _writer(path).append(healer="h", outcome="started"))
        until_open(child, path)
        path.rename(rotated)
        end(holder)
        wait(child)
    assert rotated.read_bytes() == b""
    assert len(_events(path)) == 1


@pytest.mark.parametrize("kind", ["fifo", "directory", "link", "dangling", "parent"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "audit.jsonl"
    other = tmp_path / "other"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "link":
        other.touch()
        path.symlink_to(other)
    elif kind == "dangling":
        path.symlink_to(other)
    else:
        other.touch()
        path = other / "audit.jsonl"
    began = time.monotonic()
    with pytest.raises(AuditUnwritable, match="the audit log cannot be written"):
        _writer(path).append(healer="h", outcome="started")
    assert time.monotonic() - began < 5
    assert not other.exists() or other.read_bytes() == b""


def test_no_permission_is_said(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch(mode=0o644)

    def append() -> None:
        with pytest.raises(AuditUnwritable, match="permission denied"):
            _writer(path).append(healer="h", outcome="started")

    as_nobody(tmp_path, append)


def test_a_line_that_did_not_fit_is_unwritable_and_the_next_one_stands_alone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.jsonl"
    _writer(path).append(healer="h", outcome="success")
    size = path.stat().st_size

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, size + 40))
        with pytest.raises(AuditUnwritable, match="only a part"):
            _writer(path).append(healer="h", outcome="started")

    wait(fork(limited))
    _writer(path).append(healer="h", outcome="denied")
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    assert orjson.loads(lines[2])["outcome"] == "denied"


def test_a_writer_that_hangs_does_not_hang_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditlog, "LOCK_TIMEOUT", 0.1)
    path = tmp_path / "audit.jsonl"
    path.touch()
    with path.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(AuditUnwritable, match="held by another process"):
            _writer(path).append(healer="h", outcome="started")


def test_surrogates_and_control_characters_stay_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    _writer(path).append(healer="h", outcome="denied", intent="a\nb\x1b[2J\udc80\u2028")
    (event,) = _events(path)
    assert event.intent.startswith("a\nb\x1b[2J")
    assert path.read_bytes().count(b"\n") == 1


def test_no_descriptor_and_no_lock_is_left(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    before = sorted(entry.name for entry in Path("/proc/self/fd").iterdir())
    _writer(path).append(healer="h", outcome="started")
    assert sorted(entry.name for entry in Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize(
    ("at", "zone", "text"),
    [
        (1_764_000_000.123, "UTC0", "2025-11-24T16:00:00.123+00:00"),
        (1_764_000_000.999_6, "UTC0", "2025-11-24T16:00:01.000+00:00"),
        (1_764_000_000.0, "XYZ-5:30", "2025-11-24T21:30:00.000+05:30"),
        (-1.5, "UTC0", "1969-12-31T23:59:58.500+00:00"),
    ],
)
def test_the_time_of_an_event(
    at: float, zone: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert timestamp(at) == text
    finally:
        monkeypatch.undo()
        time.tzset()
