"""A console under load: keys answer, memory stays bounded, and what it counted is exact."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from tests.cli.program import PROGRAM, Site, cycle
from tests.link.consoles import Console
from tests.load.test_tail_load import LONG, line

SECONDS = 60 if LONG else 3
PER_SECOND = 5000
ANSWER_S = 0.1 if LONG else 1.0
"""What a key may take to be seen. The short run shares its machine with other tests."""
HEALERS = 10_000 if LONG else 800
GROWTH_KB = 60_000


class Flood(threading.Thread):
    """Writes lines at a steady rate in batches, as many writers together do."""

    def __init__(self, log: Path) -> None:
        super().__init__(daemon=True)
        self.log = log
        self.written = 0

    def run(self) -> None:
        began = time.monotonic()
        with self.log.open("ab", buffering=0) as file:
            while (passed := time.monotonic() - began) < SECONDS:
                due = int(passed * PER_SECOND)
                file.write(b"".join(map(line, range(self.written, due))))
                file.write(b"not an event\n" * ((due > self.written) and due % 2))
                self.written = due
                time.sleep(0.01)


def resident_kb(pid: int) -> int:
    """Memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1])


def answer(opened: Console, key: str, wanted: bytes) -> float:
    """Seconds until a key's effect reached the terminal."""
    del opened.received[:]
    began = time.monotonic()
    opened.send(key)
    opened.wait_for_bytes(wanted)
    return time.monotonic() - began


def taken(opened: Console, seconds: float) -> None:
    """Take what arrives for a while."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        opened.read(left)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A host with a few healers."""
    made = Site(tmp_path, int(time.time()))
    for number in range(8):
        made.write(f"worker-{number}/cycle.json", cycle(made.now, intent="", outcome=""))
    made.audit.write_bytes(line(0))
    return made


@pytest.mark.timeout(300)
def test_a_flood_of_lines_leaves_the_keys_alone(site: Site) -> None:
    with Console((*PROGRAM, *site.options), site.environment, columns=100, rows=30) as opened:
        opened.wait_for("worker-3")
        opened.replay = False
        before = resident_kb(opened.pid)
        flood = Flood(site.audit)
        flood.start()
        answers = []
        while flood.is_alive():
            answers.append(answer(opened, "?", b"Act on the"))
            opened.send("?")  # closes it again
            taken(opened, 0.3)
        answers.sort()
        assert answers[len(answers) * 9 // 10] < ANSWER_S, answers
        assert resident_kb(opened.pid) - before < GROWTH_KB
        wrong = site.audit.read_bytes().count(b"not an event\n")
        opened.replay = True
        opened.screen.reset()
        opened.send("\x0c")
        opened.wait_for(f"{wrong} unparsable")
        opened.wait_for(f"n={flood.written - 1}")


@pytest.mark.timeout(300)
def test_many_healers_are_still_a_table_to_move_in(site: Site) -> None:
    record = cycle(site.now, intent="", outcome="").encode()
    for number in range(HEALERS):
        folder = site.state / f"healer-{number:05}"
        folder.mkdir()
        (folder / "cycle.json").write_bytes(record)
    with Console((*PROGRAM, *site.options), site.environment, columns=100, rows=30) as opened:
        opened.wait_for(f"{HEALERS + 8} healers", timeout=60)
        opened.replay = False
        keys = ["\x1b[B", "\x1b[A"] * 5  # down and up: the mark moves on the screen
        took = sorted(answer(opened, key, "▌".encode()) for key in keys)
        assert took[5] < 2.5 * ANSWER_S, took
        opened.send("q")
        assert opened.ends()[0] == 0
