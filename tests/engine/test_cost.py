"""What a denial asks of the system, counted: it reads a little, locks and writes nothing."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.bench.calls import FORKS, Call, traced, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace works")

LOCKS = frozenset({"flock", "fcntl"})
WRITES = frozenset(
    {
        "write", "pwrite64", "writev", "fsync", "fdatasync", "sync", "syncfs", "sync_file_range",
        "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "link",
        "linkat", "symlink", "symlinkat", "truncate", "ftruncate", "chmod", "fchmod", "fchmodat",
        "fchown", "utimensat", "sendto", "sendmsg",
    }
)  # fmt: skip
"""Calls that change something on the disk, or tell somebody."""
LOOKS_AT_MOST = 7
"""The directory, two for the markers, bucket, breaker, and two for the one slot."""
CALLS_AT_MOST = 180
"""Of an act, its action left out."""
SYNCS_AT_MOST = 10
"""Draft, marker, claim, keys, log; then marker, keys, log, rate, claim."""

PROGRAM = """
import os, sys, time
from pathlib import Path
from healconsole import Guard, Policy
from healconsole.stores.folder import tick
from tests.bench.calls import MARK

root = Path(sys.argv[1])
limits = {"rate_micro": 0, "max_failures": 1, "settle": 0}
clock = lambda: 1_764_000_150.0

def guard(name, burst):
    policy = Policy(burst=burst, **limits)
    return Guard(name, policy, state_dir=root / name, audit=root / "log", clock=clock).__enter__()

def fails():
    raise ValueError("as it should")

def part(act):
    os.path.exists(MARK)
    act()
    os.path.exists(MARK)

nothing = lambda: None
dup, failed = guard("dup", 1), guard("failed", 9)
dup.run("fix pid=1", nothing)
failed.run("fix pid=1", fails)
while any(path.stat().st_ctime_ns >= tick() for path in root.rglob("*")):
    time.sleep(0.001)
for _ in range(2):  # the first of a run of denials is told
    dup.run("fix pid=1", nothing)
    failed.run("fix pid=1", nothing)
part(lambda: dup.run("fix pid=1", nothing))
part(lambda: failed.run("fix pid=1", nothing))
for _ in range(2):
    dup.run("fix pid=2", nothing)
part(lambda: dup.run("fix pid=2", nothing))
part(lambda: dup.check("fix pid=1"))
fresh = guard("dup", 1)
part(lambda: fresh.check("fix pid=1"))
free = guard("free", 9)
with free.protect("fix pid=1"):
    pass

def act():
    with free.protect("fix pid=2"):
        pass

part(act)
"""
"""Each ``part`` is between two marks, and so is what lies between two parts."""
DENIALS = ("duplicate", "open circuit", "rate-limited", "a look")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Call]]:
    """The calls of each denial, and of an act, in one process."""
    root: Path = tmp_path_factory.mktemp("cost")
    found = traced([sys.executable, "-c", PROGRAM, str(root)])
    return dict(zip((*DENIALS, "a first look", "allowed"), found[::2], strict=True))


def opened_to_write(part: list[Call]) -> list[Call]:
    wanted = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")
    return [c for c in part if c.name.startswith("open") and any(w in c.text for w in wanted)]


@pytest.mark.parametrize("what", DENIALS)
def test_a_denial_takes_no_lock_and_writes_nothing(parts: dict[str, list[Call]], what: str) -> None:
    part = parts[what]
    assert not [call for call in part if call.name in LOCKS | WRITES | FORKS]
    assert not opened_to_write(part)


@pytest.mark.parametrize("what", DENIALS)
def test_a_denial_reads_nothing_that_is_as_it_was(parts: dict[str, list[Call]], what: str) -> None:
    part = parts[what]
    assert len(part) <= LOOKS_AT_MOST, part
    assert not [call for call in part if call.name.startswith(("open", "read", "getdents"))]


def test_a_first_look_reads_each_file_once(parts: dict[str, list[Call]]) -> None:
    # What makes the directories is not the denial's.
    part = [call for call in parts["a first look"] if "O_DIRECTORY" not in call.text]
    opened = [call.text.split('"')[1] for call in part if call.name.startswith("open")]
    # The bucket and the breaker of a scope have the same name in two directories.
    assert all(times <= 2 for times in Counter(opened).values())
    assert len(opened) == 7, opened


def test_an_act_waits_for_the_disk_no_oftener_than_it_promises(
    parts: dict[str, list[Call]],
) -> None:
    names = Counter(call.name for call in parts["allowed"] if not call.failed)
    assert 5 <= names["fsync"] + names["fdatasync"] <= SYNCS_AT_MOST
    assert not FORKS & names.keys()
    assert len(parts["allowed"]) <= CALLS_AT_MOST, names
