"""The story twice, side by side: as a script, and with an operator at a real terminal.

The operator sees OPEN, finds the cause, resets, sees closed. The two sites know nothing of each
other; to play both at once takes half of the time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.terminal import Terminal

HEALER = "worker-queue-healer"
DEMO = (sys.executable, "-m", "healconsole", "demo")


def environment(home: Path) -> dict[str, str]:
    """A user's own environment; the site and its pointer lie below ``home``."""
    home.mkdir()
    return {
        "PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8",
        "TERM": "xterm-256color", "TMPDIR": str(home), "XDG_RUNTIME_DIR": str(home),
    }  # fmt: skip


@pytest.fixture
def script(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The script, which plays while the test does something else."""
    with subprocess.Popen(
        (*DEMO, "--script"),
        env=environment(tmp_path / "script"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process
        process.kill()


def row(text: str) -> str:
    """The table's row of the healer, empty if it is not on the screen."""
    return next((line for line in text.splitlines() if re.match(rf".{{0,4}}{HEALER} ", line)), "")


def shows_open(text: str) -> bool:
    return "OPEN" in row(text)


def shows_closed(text: str) -> bool:
    return "closed" in row(text)


def select_worst(terminal: Terminal) -> None:
    """Put the cursor on the first row, the worst."""
    terminal.send("s")
    terminal.send("\x1b[H")
    terminal.wait_for(lambda text: row(text).lstrip().startswith("▌"))


@pytest.mark.timeout(240)
def test_an_operator_finds_the_cause_and_resets_and_so_does_the_script(
    tmp_path: Path, script: subprocess.Popen[str]
) -> None:
    argv = (*DEMO, "--pace", "3")
    with Terminal(argv, environment(tmp_path / "operator"), columns=120, rows=40) as terminal:
        terminal.wait_for(shows_closed, 60)
        terminal.wait_for(shows_open, 120)
        (site,) = tmp_path.glob("operator/healconsole-demo-*/log")
        select_worst(terminal)
        terminal.wait_for("would NOT act")
        terminal.send("r")
        terminal.wait_for("what opened it")
        screen = terminal.wait_for("release=5121")
        assert "verify-failed" in screen
        terminal.send("\x1b")
        terminal.wait_for(lambda text: "what opened it" not in text)
        terminal.send("F")
        terminal.wait_for("rolled back")
        terminal.send("r")
        terminal.wait_for("what opened it")
        for keys in ("rolled back deploy 5121", "INC-4711", HEALER):
            terminal.send(keys)
            terminal.wait_for(keys)
            terminal.send("\r")
        terminal.wait_for("enter: reset")
        terminal.send("\r")
        terminal.wait_for(shows_closed, 60)
        events = [orjson.loads(line) for line in (site / "audit.jsonl").read_bytes().splitlines()]
        (reset,) = (event for event in events if event["outcome"] == "operator-reset")
        assert reset["reason"] == "rolled back deploy 5121"
        assert reset["incident"] == "INC-4711"
        assert reset["operator"]["via"] == "tui"
        terminal.send("q")
        assert terminal.wait_end(20) == 0
    deadline = time.monotonic() + 15
    while list(tmp_path.glob("operator/healconsole-demo-*")):
        assert time.monotonic() < deadline, "the site left something behind"
        time.sleep(0.05)

    told, _ = script.communicate(timeout=200)
    assert script.returncode == 0, told
    assert "one probe closes it" in told
    assert not list(tmp_path.glob("script/healconsole-demo-*"))
