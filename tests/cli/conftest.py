"""A real site for each test, and programs that end with it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.program import PROGRAM, Site, cycle, stamp

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Four healers: one open, one well in dry-run, one corrupt, one on the older library."""
    now = int(time.time())
    made = Site(tmp_path, now)
    made.write("worker-queue-healer/cb/restart_worker", f"3 {now - 60} 3 600 open {now + 540}\n")
    made.write("worker-queue-healer/rate/restart_worker", f"{now} 2.000000 0.016700 3\n")
    made.write("worker-queue-healer/cycle.json", cycle(now))
    made.write(
        "disk-reaper/cycle.json",
        cycle(now, intent="", verdict=None, outcome="", mode="dry-run", library="python"),
    )
    made.write("disk-reaper/dry-run", f"on {now - 900} 0 ana\n")
    made.write("broken/cb/reload", "08 nan\n")
    made.write("broken/cycle.json", cycle(now, intent="reload"))
    made.write("legacy-mailq/cb/flush queue=mx1", f"1 {now - 30}\n")
    made.write("legacy-mailq/rate/flush queue=mx1", f"{now - 30} 1.5\n")
    for at, outcome in ((400, "verify-failed"), (200, "verify-failed"), (60, "verify-failed")):
        made.append(
            ts=stamp(now - at), healer="worker-queue-healer", intent=f"restart_worker pid={at}",
            outcome=outcome, reason="queue did not drain", fact=f"queue_depth={14000 - at}",
            scope="restart_worker",
        )  # fmt: skip
    made.append(
        healer="disk-reaper", intent="remove_cores older=7d", outcome="dry-run", reason="",
        fact="cores=4", scope="remove_cores",
    )  # fmt: skip
    return made


@pytest.fixture
def start(site: Site) -> Iterator[Start]:
    """Start the program and leave it running; it is ended with the test."""
    running: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            (*PROGRAM, *words, *site.options),
            env=site.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()
