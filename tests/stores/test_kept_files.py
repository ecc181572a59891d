"""What is kept of an act: whole, or not there, and never in the way of saying that it was done."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.stores import requestfiles, requests, undofiles
from healconsole.stores.apply import UndoRecord
from healconsole.stores.changes import Done

RECORD = UndoRecord(
    "h", "reset", "caf\udce9", (Done("cb/caf\udce9", b"\xff", None, "aside/cb%2Fcaf\udce9.7"),),
    "open \udce9", "half-open", "0a1b2c",
)  # fmt: skip


@contextmanager
def disk_full() -> Iterator[None]:
    """Let no file of this process grow beyond 16 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_names_that_are_not_utf8_are_kept(tmp_path: Path) -> None:
    assert undofiles.keep(tmp_path, RECORD, 7) == ""
    assert undofiles.kept(tmp_path, "h") == (RECORD, 7)


def test_what_no_format_carries_is_said_and_not_raised(tmp_path: Path) -> None:
    odd = replace(RECORD, before=b"no text")  # type: ignore[arg-type]
    assert "bytes" in undofiles.keep(tmp_path, odd, 7)
    assert "null" in undofiles.keep(tmp_path, replace(RECORD, healer="h\0"), 7)


def test_a_full_disk_leaves_what_was_kept_and_nothing_else(tmp_path: Path) -> None:
    assert undofiles.keep(tmp_path, RECORD, 7) == ""
    with disk_full():
        assert undofiles.keep(tmp_path, replace(RECORD, act="ffffff"), 7) != ""
    assert os.listdir(tmp_path / undofiles.FOLDER) == ["h"]  # noqa: PTH208 - all names
    assert undofiles.kept(tmp_path, "h")[0].act == "0a1b2c"
    with disk_full(), pytest.raises(OSError, match="too large"):
        requests.keep(tmp_path, "a1b2c3", b"{" + b" " * 64 + b"}", 7.0)
    assert list((tmp_path / requestfiles.FOLDER).iterdir()) == []


def test_what_cannot_be_put_in_place_leaves_no_draft(tmp_path: Path) -> None:
    folder = tmp_path / undofiles.FOLDER
    (folder / "h" / "in the way").mkdir(parents=True, mode=0o700)
    assert undofiles.keep(tmp_path, RECORD, 7) != ""
    assert [path.name for path in folder.iterdir()] == ["h"]
