"""Looking changes nothing: every byte and time of the state is as the healers left it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.bench.files import write_audit, write_healers
from tests.terminal import Terminal

LONG = os.environ.get("HEALCONSOLE_LONG") == "1"
SECONDS = 300.0 if LONG else 3.2
"""How long the console stays open: once through all of its screens at least."""

Entry = tuple[int, int, int, int, int, int, bytes]


def everything(root: Path) -> dict[str, Entry]:
    """Mode, owner, group, size, mtime, ctime and bytes of every entry below ``root``."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(root))] = (
            status.st_mode, status.st_uid, status.st_gid, status.st_size,
            status.st_mtime_ns, status.st_ctime_ns, content,
        )  # fmt: skip
    return found


def watch(terminal: Terminal, seconds: float) -> None:
    """Look at the screen for a while."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        terminal.read(left)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("options", [(), ("--read-only",), ("--wall",)], ids=["rw", "ro", "wall"])
def test_an_open_console_changes_no_byte_and_no_time(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    site = tmp_path / "site"
    healers = write_healers(site / "state", 5)
    write_audit(site / "audit.jsonl", 2000)
    (healers[1] / "cb" / "restart_worker").write_bytes(b"\0\0\0")
    (healers[2] / "rate" / "restart_worker").write_bytes(b"")
    (healers[3] / "keys" / ("0" * 64)).write_bytes(b"")
    (healers[4] / "cb-flush queue=a").write_text("3 1764000000\n")
    before = everything(site)
    argv = (
        sys.executable, "-m", "healconsole", "--state-root", str(site / "state"),
        "--audit", str(site / "audit.jsonl"), "--catalog", str(tmp_path / "none"), *options,
    )  # fmt: skip
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }  # fmt: skip
    with Terminal(argv, environment, columns=120, rows=40, warm=True) as terminal:
        terminal.wait_for("healer-000")
        visits = ["\x1b[B", "\r", "a", "l", "e", "?", " ", "/"]
        began = time.monotonic()
        while time.monotonic() - began < SECONDS:
            terminal.send(visits[0])
            visits.append(visits.pop(0))
            watch(terminal, 0.2)
            # A lone escape and the key behind it would be one key to a terminal if sent at once.
            terminal.send("\x1b")
            watch(terminal, 0.2)
        deadline = time.monotonic() + 30
        while not terminal.ended():
            assert time.monotonic() < deadline, terminal.text()
            for key in ("\x1b", "q"):  # out of what is open, then out
                terminal.send(key)
                watch(terminal, 0.3)
        assert terminal.wait_end() == 0
    assert everything(site) == before
