"""Heartbeats from metrics files, whole and broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from healconsole.core.records import Corrupt
from healconsole.stores.files import Unreadable
from healconsole.stores.textfile import read_heartbeats

METRIC = "heal_last_cycle_timestamp_seconds"


def test_reads_each_healers_time(tmp_path: Path) -> None:
    (tmp_path / "heal_a.prom").write_text(
        f"# HELP {METRIC} when\n# TYPE {METRIC} gauge\n"
        f'{METRIC}{{healer="a"}} 1764000000\n'
        f'{METRIC}{{host="h",healer="b",x="y"}} 1.764e9 17640000\n',
        encoding="utf-8",
    )
    (tmp_path / "heal_c.prom").write_text(f'{METRIC}{{healer="c \\"x\\""}} 5\n', encoding="utf-8")
    (tmp_path / "node.prom").write_text(f'{METRIC}{{healer="z"}} 5\n', encoding="utf-8")
    assert read_heartbeats(tmp_path) == {"a": 1764e6, "b": 1764e6, 'c "x"': 5.0}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0",
        b"other 5\n",
        f'{METRIC}{{healer="a"}} NaN\n'.encode(),
        f'{METRIC}{{healer="a"}} +Inf\n'.encode(),
        f'{METRIC}{{healer="a"}} -5\n'.encode(),
        f'{METRIC}{{healer="a"}} soon\n'.encode(),
        b"x" * 100_000,
    ],
)
def test_what_is_no_time_is_corrupt(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "heal_a.prom").write_bytes(content)
    (found,) = read_heartbeats(tmp_path).values()
    assert isinstance(found, Corrupt)
    assert found.path == "heal_a.prom"
    assert found.why


def test_what_is_no_file_is_corrupt_and_waits_for_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "heal_fifo.prom")
    (tmp_path / "heal_dir.prom").mkdir()
    (tmp_path / "heal_link.prom").symlink_to("/etc/passwd")
    assert all(isinstance(found, Corrupt) for found in read_heartbeats(tmp_path).values())
    assert read_heartbeats(tmp_path).keys() == {"fifo", "dir", "link"}


def test_a_folder_that_is_not_there_is_empty_and_a_file_is_refused(tmp_path: Path) -> None:
    assert read_heartbeats(tmp_path / "none") == {}
    (tmp_path / "file").touch()
    with pytest.raises(Unreadable):
        read_heartbeats(tmp_path / "file")
