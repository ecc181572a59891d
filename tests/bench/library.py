"""What the healing library costs, beside a baseline and its own fsyncs. See README.md here."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.acts import SAME
from tests.bench.calls import EXECS, FORKS, MARK, NotTraced, counted, execs, forks

HERE: Final = Path(__file__).resolve().parent
REPOSITORY: Final = HERE.parents[1]
HEAL: Final = REPOSITORY / "healconsole" / "shell" / "heal.sh"
BASELINE: Final = REPOSITORY / "tests" / "shell" / "legacy-heal.sh"

PATHS: Final = (*SAME, "allowed")
SYNCS: Final = frozenset({"fsync", "fdatasync"})
TIMES: Final = {"duplicate": 20, "rate-limited": 20, "open circuit": 20, "allowed": 8}
"""How many times as fast as the baseline heal.sh is to be."""
FORKS_AIM: Final = {"duplicate": 0, "rate-limited": 0, "open circuit": 0, "allowed": 8}
"""Forks of heal.sh, the intent hashed before except where it is new."""
DENIAL_US: Final = 30.0
SYNC_SHARE: Final = 1.5


@dataclass(slots=True)
class Cost:
    """What one path costs in one library.

    ``taken``, ``synced`` and ``moved`` (see ``acts``) are microseconds of rounds.
    """

    taken: list[float] = field(default_factory=list)
    synced: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    forks: int = 0
    execs: int = 0
    syncs: int = 0

    @property
    def median(self) -> float:
        """The round in the middle."""
        return statistics.median(self.taken)

    @property
    def least(self) -> float:
        """The round that the machine disturbed least."""
        return min(self.taken)

    @property
    def share(self) -> float:
        """Rounds beside their own syncs, each beside those of the same round."""
        return statistics.median(
            taken / synced for taken, synced in zip(self.taken, self.synced, strict=True) if synced
        )

    def cell(self) -> str:
        """Milliseconds and calls, as one column of the table for bash."""
        return f"{self.median / 1000:7.2f} ({self.least / 1000:6.2f})  {self.calls()}"

    def calls(self) -> str:
        """Forks, execs and syncs in few characters."""
        return f"{self.forks:2} f {self.execs:2} x {self.syncs:2} s"


@contextmanager
def site(path: str) -> Iterator[dict[str, str]]:
    """The environment of a healer for whom ``path`` is what comes next, on files of its own."""
    with tempfile.TemporaryDirectory(prefix="healconsole-bench-") as name:
        state = Path(name) / "h"
        for folder in ("keys", "rate", "cb"):
            (state / folder).mkdir(parents=True)
        now = int(time.time())
        # The baseline names its files by the whole intent, the others by its first word.
        for file in (SAME.get(path, "none"), "restart_worker"):
            if path == "rate-limited":
                (state / "rate" / file).write_text(f"{now} 0.0000\n")
            elif path == "open circuit":
                (state / "cb" / file).write_text(f"3 {now}\n")
        yield {
            "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC", "NAME": "h",
            "PYTHONPATH": str(REPOSITORY), "MARK": MARK, "HEAL_STATE_DIR": str(state),
            "HEAL_AUDIT_FILE": str(Path(name) / "audit.jsonl"), "HEAL_SETTLE": "0",
            "HEAL_RATE": "0", "HEAL_BURST": "99999", "HEAL_CB_MAX": "3",
        }  # fmt: skip


def shell(library: Path, path: str, rounds: int) -> list[str]:
    """The command that runs ``path`` in bash."""
    intent = SAME.get(path, "restart_worker pid=")
    fresh = [] if path in SAME else ["fresh"]
    return ["bash", str(HERE / "acts.sh"), str(library), str(rounds), intent, *fresh]


def python(path: str, rounds: int) -> list[str]:
    """The command that runs ``path`` in Python."""
    return [sys.executable, "-m", "tests.bench.acts", path, str(rounds)]


def output(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Standard output of a command that must end well."""
    return subprocess.run(
        argv, env=dict(environ), check=True, capture_output=True, text=True, timeout=300
    ).stdout


def count(argv: Sequence[str], environ: Mapping[str, str], cost: Cost, round_: int = -1) -> None:
    """Fill in the calls of one round, by default the last."""
    part = counted(argv, FORKS | EXECS | SYNCS, environ=environ)[round_]
    cost.forks, cost.execs = forks(part), execs(part)
    cost.syncs = sum(part[name] for name in SYNCS)


def in_shell(library: Path, path: str, rounds: int, cost: Cost) -> None:
    """Add ``rounds`` rounds in bash; the first is not counted, as it hashes and audits."""
    with site(path) as environ:
        lines = output(shell(library, path, rounds + 1), environ).split()
        said = Path(environ["HEAL_AUDIT_FILE"]).read_text() if path == "allowed" else ""
        if path == "allowed" and said.count('"outcome":"success"') != rounds + 1:
            raise SystemExit(f"{library.name} did not act in every round:\n{said}")
        cost.taken += [float(line) for line in lines[1:]]


def in_python(path: str, rounds: int) -> Cost:
    """The same in Python, timed and counted."""
    cost = Cost()
    with site(path) as environ:
        answer = json.loads(output(python(path, rounds + 10), environ))
        cost.taken, cost.synced, cost.moved = (
            answer[what][10:] for what in ("taken", "synced", "moved")
        )
    with site(path) as environ:
        count(python(path, 3), environ, cost)
    return cost


def in_turn(path: str, repeats: int) -> tuple[Cost, Cost]:
    """Baseline and heal.sh in turns, so that both meet the same machine."""
    base, heal = Cost(), Cost()
    for _ in range(repeats):
        in_shell(BASELINE, path, 8, base)
        in_shell(HEAL, path, 100 if path in SAME else 12, heal)
    for library, cost in ((BASELINE, base), (HEAL, heal)):
        with site(path) as environ:
            count(shell(library, path, 3), environ, cost)
    return base, heal


def floor(rounds: int) -> list[float]:
    """Microseconds of the bare processes and fsyncs of an allowed act in bash, see floor.sh."""
    with tempfile.TemporaryDirectory(prefix="healconsole-bench-") as name:
        argv = ["bash", str(HERE / "floor.sh"), str(HEAL), str(rounds + 1), name]
        return [float(line) for line in output(argv, os.environ).split()[1:]]


def print_floor(repeats: int) -> None:
    """An allowed act in bash beside what no such act could do without."""
    heal, bare = Cost(), Cost()
    for _ in range(repeats):
        in_shell(HEAL, "allowed", 12, heal)
        bare.taken += floor(12)
    alone = f"{bare.median / 1000:.2f} ({bare.least / 1000:.2f})"
    ratio, least = heal.median / bare.median, heal.least / bare.least
    print(
        f"{'allowed, processes alone':24} {'':34} {alone:>34}  "
        f"the act is {ratio:.2f} ({least:.2f}) x its own processes and fsyncs",
        flush=True,
    )


def first_denial() -> Cost:
    """heal.sh's first denial in a process: the intent is hashed, and the begin of the run told."""
    cost = Cost()
    for _ in range(5):
        with site("rate-limited") as environ:
            lines = output(shell(HEAL, "rate-limited", 1), environ).split()
            cost.taken.append(float(lines[0]))
    with site("rate-limited") as environ:
        count(shell(HEAL, "rate-limited", 1), environ, cost, 0)
    return cost


def one_fsync() -> float:
    """Median microseconds to make 100 new bytes of a file durable."""
    taken = []
    with tempfile.TemporaryFile() as file:
        for _ in range(50):
            file.write(b"x" * 100)
            file.flush()
            began = time.perf_counter_ns()
            os.fsync(file.fileno())
            taken.append((time.perf_counter_ns() - began) / 1000)
    return statistics.median(taken)


def machine() -> str:
    """What the figures hang on, in one line."""
    bash = output(["bash", "-c", "echo $BASH_VERSION"], os.environ).strip()
    jq = output(["bash", "-c", "jq --version || echo 'no jq, printf for it'"], os.environ).strip()
    return (
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, bash {bash}, {jq}, Python "
        f"{sys.version.split()[0]}, one fsync in {tempfile.gettempdir()} {one_fsync():.0f} us"
    )


def verdict(met: bool) -> str:
    """Whether an aim was met, in a word."""
    return "met" if met else "MISSED"


def print_shell(repeats: int) -> dict[str, Cost]:
    """Bash beside the baseline; returns the baseline by path."""
    print("\nbash, milliseconds: median (least); f forks, x execs, s fsyncs of one round")
    print(f"{'path':24} {'baseline':>34} {'heal.sh':>34}  times as fast, forks")
    bases = {}
    for path in PATHS:
        base, heal = in_turn(path, repeats)
        bases[path] = base
        cells = [
            f"{c.median / 1000:7.2f} ({c.least / 1000:6.2f})  {c.calls()}" for c in (base, heal)
        ]
        ratio, least = base.median / heal.median, base.least / heal.least
        print(
            f"{path:24} {cells[0]:>34} {cells[1]:>34}  {ratio:.1f} ({least:.1f}), "
            f"aim {TIMES[path]}: {verdict(ratio >= TIMES[path])}; "
            f"forks aim {FORKS_AIM[path]}: {verdict(heal.forks <= FORKS_AIM[path])}",
            flush=True,
        )
    print_floor(repeats)
    first = first_denial()
    label = "first denial of a run"
    print(f"{label:24} {'':34} {first.cell():>34}  1 fork to hash, 1 to lock the log")
    return bases


def print_python(bases: Mapping[str, Cost]) -> None:
    """Python's denials beside the baseline, its acts beside their own fsyncs."""
    print("\nPython, microseconds: median (least)")
    for path in SAME:
        cost = in_python(path, 3000)
        print(
            f"{path:24} {cost.median:9.1f} ({cost.least:.1f})  {cost.calls()}  "
            f"{bases[path].median / cost.median:.0f} x the baseline; "
            f"aim {DENIAL_US:.0f}: {verdict(cost.median < DENIAL_US)}",
            flush=True,
        )
    for what in ("a block", "a command", "a function"):
        cost = in_python(f"allowed, {what}", 60)
        # A block runs in this very process; the others in one that costs something by itself.
        alone = 0.0 if what == "a block" else in_python(f"alone, {what}", 60).median
        less = Cost([taken - alone for taken in cost.taken], cost.synced)
        alone_text = f", less {alone:.0f} for running it alone" if alone else ""
        print(
            f"{'allowed, ' + what:24} {cost.median:9.1f} ({cost.least:.1f})  {cost.calls()}  "
            f"own fsyncs {statistics.median(cost.synced):.0f}; {less.share:.2f} x these"
            f"{alone_text}, aim {SYNC_SHARE}: {verdict(less.share < SYNC_SHARE)}; "
            f"renames and truncation {statistics.median(cost.moved):.0f}; "
            f"{bases['allowed'].median / cost.median:.0f} x the baseline",
            flush=True,
        )


def main() -> None:
    """Measure and print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="turns of baseline and heal.sh")
    options = parser.parse_args()
    print(machine(), flush=True)
    try:
        print_python(print_shell(options.repeats))
    except NotTraced as why:
        sys.exit(f"forks cannot be counted: {why}")


if __name__ == "__main__":
    main()
