"""The README as its tests read it: its blocks, its commands, its sessions and how they are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
HEALER = "worker-queue-healer"


class Block(NamedTuple):
    """One fenced block: the comment above it, its language, and its text."""

    how: str
    language: str
    text: str


def blocks() -> list[Block]:
    """Every fenced block, in order."""
    found = re.findall(
        r"(?:^<!-- (.+?) -->\n)?^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE
    )
    assert len(found) == len(re.findall(r"^```\w*$", README, re.MULTILINE)) / 2
    return [Block(*parts) for parts in found]


def commands() -> list[str]:
    """The commands of the program, without their comments."""
    return [
        re.sub(r"\s+#.*$", "", line)
        for block in blocks()
        if block.language == "sh" and not block.how
        for line in block.text.splitlines()
    ]


def session(name: str) -> str:
    """The script of one session."""
    return "".join(block.text for block in blocks() if block.how == f"session: {name}")


def file_text(name: str) -> str:
    """The text of one file."""
    return next(block.text for block in blocks() if block.how == f"file: {name}")


def run_session(script: str, place: Path, **more: str) -> str:
    """Run ``script`` in ``place``, where the README's files are; what it printed."""
    for block in blocks():
        if block.how.startswith("file: "):
            (place / block.how.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(place),
            "LANG": "C.UTF-8",
            "HEAL_SETTLE": "0",  # the five seconds between an act and its check
            "HEAL_STATE_ROOT": str(place / "state"),
            "HEAL_AUDIT_FILE": str(place / "audit.jsonl"),
            **more,
        },
        cwd=place, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout
