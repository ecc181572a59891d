"""A read-only console and the wall, traced: nothing is opened for writing but the terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.bench.files import write_audit, write_healers
from tests.terminal import Terminal

STRACE = shutil.which("strace")
CHANGING = (
    "creat,truncate,ftruncate,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,"
    "linkat,symlink,symlinkat,mknod,mknodat,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,"
    "utime,utimes,utimensat,futimesat,setxattr,fsetxattr,lsetxattr,removexattr,fallocate,flock"
)
WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE")
TERMINALS = re.compile(r'"/dev/(?:tty|pts/[0-9]+|null)"')

pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", ["--read-only", "read_only = true", "--wall"])
def test_a_whole_session_opens_nothing_for_writing(tmp_path: Path, how: str) -> None:
    site = tmp_path / "site"
    write_healers(site / "state", 3)
    write_audit(site / "audit.jsonl", 200)
    config = tmp_path / "config.toml"
    config.write_text("" if how.startswith("--") else f"{how}\n")
    log = tmp_path / "trace"
    assert STRACE is not None
    argv = (
        STRACE, "-f", "-qq", "-o", str(log), "-e", f"trace=open,openat,openat2,{CHANGING}",
        sys.executable, "-m", "healconsole", "--config", str(config),
        "--state-root", str(site / "state"), "--audit", str(site / "audit.jsonl"),
        "--catalog", str(tmp_path / "none"), *([how] if how.startswith("--") else ()),
    )  # fmt: skip
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8",
        "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    with Terminal(argv, environment, columns=120, rows=40) as terminal:
        terminal.wait_for("ealer", timeout=60)
        for key in (
            "t",
            "r",
            "d",
            "x",
            "u",
            "\r",
            "\x1b",
            "a",
            "\r",
            "\x1b",
            "\x1b",
            "l",
            "?",
            "\x1b",
        ):
            terminal.send(key)
            terminal.read(0.4)
            if key != "\x1b":
                continue
            # A lone escape and the key behind it would be one key to a terminal if sent at once.
            terminal.read(0.4)
        deadline = time.monotonic() + 30
        while not terminal.ended():
            assert time.monotonic() < deadline, terminal.text()
            for key in ("\x1b", "q"):  # out of what is open, then out
                terminal.send(key)
                terminal.read(0.5)
        assert terminal.wait_end() == 0
    calls = [line for line in log.read_text().splitlines() if " = -1 " not in line]
    opened = [line for line in calls if "open" in line and WRITING.search(line)]
    assert [line for line in opened if not TERMINALS.search(line)] == []
    assert [line for line in calls if "open" not in line and "(" in line] == []
    assert any(f'"{site / "audit.jsonl"}"' in line for line in calls), "nothing was traced"
