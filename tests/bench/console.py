"""The console on a slow link, measured through a real pty. See README.md in this folder."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.files import event, write_audit, write_cycle, write_healers
from tests.terminal import Terminal

BASELINE = (sys.executable, "-m", "tests.bench.baselines")
REPOSITORY = Path(__file__).resolve().parents[2]
ELSEWHERE = (
    ("start, log of 10,000,000", "lnav 14.5 s (53 s with its JSON format), toolong 20.8 s"),
    ("memory, log of 10,000,000", "lnav 397 to 773 MiB, toolong 443 MiB"),
    ("append to visible", "lnav 190 / 350 ms, toolong 75 / 142 ms"),
    ("bytes for one appended line", "toolong 76,000"),
    ("ages of 48 rows, share", "DataTable 10 %, a Line API table with region refresh 1.6 %"),
    ("ages of 48 rows, bytes", "DataTable 27,000, a Line API table with region refresh 4,800"),
    ("key down", "DataTable 9 ms"),
    ("page down", "DataTable 137 ms"),
    ("one of 1,000 healers changes, core", "DataTable, all ages at 10 Hz: 89 %"),
)
"""What was measured before, on a machine of this kind with two cores, for the programs that people
use today: start of a figure's name, what it is there."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the result."""

    name: str
    aim: str
    measured: str
    baseline: str = ""

    def line(self) -> str:
        """The row as it is printed, with what others need for the same below it."""
        row = f"{self.name:44} {self.aim:>22} {self.measured:>24} {self.baseline:>26}"
        others = next((text for start, text in ELSEWHERE if self.name.startswith(start)), "")
        return f"{row}\n    {others}" if others else row


def environment() -> dict[str, str]:
    """A small, pinned environment."""
    return {
        "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8",
        "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "", "COLORTERM": "truecolor",
    }  # fmt: skip


def console(site: Path) -> tuple[str, ...]:
    """The console on the files of ``site``, without Redis."""
    return (
        sys.executable, "-m", "healconsole", "--read-only", "--state-root", str(site / "state"),
        "--audit", str(site / "audit.jsonl"), "--catalog", str(site / "none"),
        "--config", str(site / "console.toml"),
    )  # fmt: skip


@contextmanager
def terminal(argv: Sequence[str], columns: int = 120, rows: int = 40) -> Iterator[Terminal]:
    """A program on a pty, killed at the end."""
    with Terminal(argv, environment(), columns=columns, rows=rows, cwd=str(REPOSITORY)) as screen:
        yield screen


@contextmanager
def site(healers: int = 48, lines: int = 1000) -> Iterator[Path]:
    """Files of a site in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="healconsole-bench-") as name:
        path = Path(name)
        write_healers(path / "state", healers)
        write_audit(path / "audit.jsonl", lines)
        (path / "console.toml").touch()
        yield path


def seconds_to(argv: Sequence[str], wanted: str, runs: int) -> float:
    """Median seconds from the start of the process until the screen shows ``wanted``."""
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        with terminal(argv) as screen:
            screen.replay = False
            screen.wait_for_bytes(wanted.encode(), 60)
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def start(quick: bool) -> Iterator[Figure]:
    """Process start to the first real rows, for logs of any length; and memory."""
    runs = 5
    empty = seconds_to((*BASELINE, "empty"), "ready", runs)
    sizes = (1_000, 1_000_000) if quick else (1_000, 1_000_000, 10_000_000)
    first = 0.0
    for lines in sizes:
        with site(lines=lines) as path:
            taken = seconds_to(console(path), "restart_worker", runs)
            first = first or taken
            measured = f"{taken:.2f} s, {taken / empty:.2f} x, {taken / first:.2f}"
            yield Figure(f"start, log of {lines:,} lines", "1.4 x empty, within 10 %",
                         measured, f"empty app {empty:.2f} s")  # fmt: skip
            with terminal(console(path)) as screen:
                screen.wait_for("restart_worker", 60)
                settle(screen)
                yield Figure(f"memory, log of {lines:,} lines", "80 MiB",
                             f"{resident(screen.pid) / 2**20:.0f} MiB")  # fmt: skip


def settle(screen: Terminal, quiet: float = 1.5) -> None:
    """Read until nothing but ticks has come for a while."""
    deadline = time.monotonic() + quiet
    while time.monotonic() < deadline:
        screen.read(0.1)


def resident(pid: int) -> int:
    """Resident bytes of a process that are not shared with others."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return 1024 * sum(int(r.split()[1]) for r in text.splitlines() if r.startswith("Rss:"))


def append() -> Iterator[Figure]:
    """From the write of one audit line to its sight, and the bytes that it costs."""
    rounds = 100
    with site() as path, terminal(console(path)) as screen:
        screen.wait_for("restart_worker")
        settle(screen)
        delays, sizes = [], []
        with (path / "audit.jsonl").open("ab", buffering=0) as log:
            for number in range(rounds):
                mark = f"pid={20_000 + number}"
                before = len(screen.received)
                began = time.perf_counter()
                log.write(event(time.time(), 20_000 + number))
                screen.wait_for(mark)
                delays.append(1000 * (time.perf_counter() - began))
                while screen.read(0.05):
                    pass
                sizes.append(len(screen.received) - before)
    delays.sort()
    p50, p99 = delays[rounds // 2], delays[rounds * 99 // 100]
    yield Figure("append to visible, p50 / p99", "60 / 150 ms", f"{p50:.0f} / {p99:.0f} ms")
    yield Figure("bytes for one appended line", "2,000", f"{statistics.median(sizes):.0f}")


def load(screen: Terminal, seconds: float) -> tuple[float, float]:
    """Share of a core, and bytes a second, while nobody types."""
    before, cpu = len(screen.received), cpu_seconds(screen.pid)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        screen.read(0.2)
    used = cpu_seconds(screen.pid) - cpu
    return used / seconds, (len(screen.received) - before) / seconds


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def ages() -> Iterator[Figure]:
    """The ages of 48 rows, once a second."""
    with site(48) as path, terminal(console(path), 120, 60) as screen:
        screen.wait_for("healer-0000")
        settle(screen, 3)
        share, rate = load(screen, 15)
    with terminal((*BASELINE, "table", "48"), 120, 60) as screen:
        screen.wait_for("healer-0000")
        settle(screen, 3)
        base_share, base_rate = load(screen, 10)
    yield Figure("ages of 48 rows, share of a core", "3 %", f"{share:.1%}",
                 f"DataTable {base_share:.1%}")  # fmt: skip
    yield Figure("ages of 48 rows, bytes a second", "5,000", f"{rate:,.0f}",
                 f"DataTable {base_rate:,.0f}")  # fmt: skip


def latency(screen: Terminal, key: str, rounds: int = 40) -> float:
    """Median milliseconds from a key to the first byte of its answer."""
    screen.replay = False  # or the time would be that, too, of putting the bytes on a screen
    taken = []
    for _ in range(rounds):
        while screen.read(0.03):
            pass
        began = time.perf_counter()
        screen.send(key)
        if screen.read(2):
            taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def keys() -> Iterator[Figure]:
    """Key down and page down to the first byte, on a thousand rows."""
    with site(1000) as path, terminal(console(path)) as screen:
        screen.wait_for("healer-0000", 60)
        settle(screen, 4)
        down, page = latency(screen, "\x1b[B"), latency(screen, "\x1b[6~", 15)
    with terminal((*BASELINE, "table", "1000")) as screen:
        screen.wait_for("healer-0000", 60)
        settle(screen, 4)
        base_down, base_page = latency(screen, "\x1b[B"), latency(screen, "\x1b[6~", 15)
    yield Figure("key down to first byte, p50", "6 ms", f"{down:.1f} ms",
                 f"DataTable {base_down:.1f} ms")  # fmt: skip
    yield Figure("page down to first byte, p50", "25 ms", f"{page:.1f} ms",
                 f"DataTable {base_page:.1f} ms")  # fmt: skip


def one_changes(count: int, seconds: float = 8.0) -> tuple[float, float]:
    """Share of a core and bytes a second while one of ``count`` healers changes at 10 Hz."""
    with site(count) as path, terminal(console(path)) as screen:
        screen.wait_for("healer-0000", 60)
        settle(screen, 4)
        healer = path / "state" / "healer-0000"
        before, cpu = len(screen.received), cpu_seconds(screen.pid)
        began = time.monotonic()
        cycle = 0
        while time.monotonic() - began < seconds:
            cycle += 1
            write_cycle(healer, time.time(), cycle)
            screen.read(0.1)
        used = cpu_seconds(screen.pid) - cpu
        return used / seconds, (len(screen.received) - before) / seconds


def scale() -> Iterator[Figure]:
    """One healer of a thousand changes: as with ten."""
    small, large = one_changes(10), one_changes(1000)
    yield Figure("one of 1,000 healers changes, core", "as with 10", f"{large[0]:.1%}",
                 f"with 10: {small[0]:.1%}")  # fmt: skip
    yield Figure("one of 1,000 healers changes, bytes/s", "as with 10", f"{large[1]:,.0f}",
                 f"with 10: {small[1]:,.0f}")  # fmt: skip


def many(quick: bool) -> Iterator[Figure]:
    """Ten thousand healers on one host, once all of them were read: still a table to move in."""
    if quick:
        return
    count = 10_000
    with site(count) as path, terminal(console(path)) as screen:
        screen.wait_for(f"{count} healers", 120)
        settle(screen, 30)  # all are read once more when the watch on them stands
        down, page = latency(screen, "\x1b[B"), latency(screen, "\x1b[6~", 15)
        share, _ = load(screen, 10)
        memory = resident(screen.pid) / 2**20
    yield Figure("key down among 10,000 healers, p50", "100 ms", f"{down:.1f} ms")
    yield Figure("page down among 10,000 healers, p50", "100 ms", f"{page:.1f} ms")
    yield Figure("10,000 healers, share of a core", "3 %", f"{share:.1%}")
    yield Figure("10,000 healers, memory", "bounded", f"{memory:.0f} MiB")


def main() -> None:
    """Measure everything, or what ``--only`` names, and print it as it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="no log of ten million lines, no 10,000 healers"
    )
    parser.add_argument("--only", help="start, append, ages, keys, scale or many")
    options = parser.parse_args()
    parts: dict[str, Callable[[], Iterator[Figure]]] = {
        "start": lambda: start(options.quick),
        "append": append,
        "ages": ages,
        "keys": keys,
        "scale": scale,
        "many": lambda: many(options.quick),
    }
    print(Figure("figure", "aim", "measured", "baseline, same run").line())
    for name, part in parts.items():
        if options.only in {None, name}:
            for figure in part():
                print(figure.line(), flush=True)


if __name__ == "__main__":
    main()
