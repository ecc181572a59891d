"""kill -9, and a disk that refuses, at the system calls of a guarded act in bash, by strace.

``HEALCONSOLE_LONG=1 pytest tests/shell/test_crashes.py`` goes through every one of them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.claim import parse_claim
from healconsole.core.marker import parse_marker
from healconsole.core.records import MICRO, BucketRecord, Corrupt
from tests.shell.bashes import LONG, NOON, ShellSite

STRACE = shutil.which("strace")
needs_strace = pytest.mark.skipif(STRACE is None, reason="strace is not installed")

CYCLE = """
prepared
_heal_call _heal_policy && _heal_call _heal_recover_first
heal_act_with_guardrails "fix pid=1" act good || :
"""
"""One cycle as the loop has it: settle what was interrupted, then act."""

PREPARE = "prepared() { heal_init; }\n"


@pytest.fixture
def site(tmp_path: Path) -> ShellSite:
    return ShellSite(tmp_path).limited(BURST=3)


def strace(*options: str) -> list[str]:
    assert STRACE is not None
    return [STRACE, "-o", "/dev/null", *options]


def calls_of(root: Path) -> list[tuple[str, int]]:
    """Each call that touches the file system and that bash itself makes for the act.

    As strace counts: its name, and its number among the calls of that name.
    """
    site = ShellSite(root).limited(BURST=3)
    log = root / "calls"
    counts: list[Counter[str]] = []
    assert STRACE is not None
    for script in ("prepared", CYCLE):
        site.run(PREPARE + script, prefix=[STRACE, "-o", str(log), "-e", "trace=%file,%desc"])
        counts.append(Counter(re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE)))
    before, whole = counts
    return [
        (name, number)
        for name in sorted(whole)
        for number in range(before[name] + 1, whole[name] + 1)
    ]


def assert_sound(site: ShellSite) -> None:
    """No live file is empty or torn."""
    for file in (site.state / "rate").iterdir():
        assert isinstance(parse_bucket(file.read_bytes(), file.name), BucketRecord)
    for file in (site.state / "cb").iterdir():
        assert not isinstance(parse_breaker(file.read_bytes(), file.name), Corrupt)
    for file in (site.state / "claims").iterdir():
        assert parse_claim(file.read_bytes(), int(file.name)) is None
    for file in (site.state / "keys").iterdir():
        # Made in place, for a torn one denies; so only its death in a power cut tears it.
        raw = file.read_bytes()
        assert not raw or not isinstance(parse_marker(raw, file.name, 0), Corrupt)


def tokens(site: ShellSite) -> int:
    file = site.state / "rate" / "fix"
    if not file.exists():
        return 3 * MICRO
    bucket = parse_bucket(file.read_bytes(), "rate/fix")
    assert isinstance(bucket, BucketRecord)
    return bucket.tokens_micro


def parsed(site: ShellSite, outcome: str) -> int:
    """Events of ``outcome``, in a log that may hold a torn line."""
    if not site.audit.exists():
        return 0
    mark = f'"outcome":"{outcome}"'.encode()
    return sum(
        mark in line and line.endswith(b"}") for line in site.audit.read_bytes().splitlines()
    )


Point = TypeVar("Point")


def spread(points: Sequence[Point], short: int) -> Sequence[Point]:
    """All of them, or an even sample of ``short``."""
    return points if LONG else points[:: max(1, len(points) // short)]


def fresh(tmp_path: Path, points: Iterable[Point]) -> Iterator[tuple[Point, ShellSite]]:
    """A site of its own for each point."""
    for index, point in enumerate(points):
        root = tmp_path / str(index)
        root.mkdir()
        site = ShellSite(root).limited(BURST=3)
        site.run("heal_init")
        yield point, site


@needs_strace
@pytest.mark.timeout(120 if not LONG else 3_000)
def test_kill_at_every_call(tmp_path: Path) -> None:
    calls = calls_of(tmp_path)
    assert len(calls) > 100
    died = interrupted = 0
    for (call, number), site in fresh(tmp_path, spread(calls, 25)):
        killed = site.run(
            PREPARE + CYCLE, prefix=strace("-e", f"inject={call}:signal=KILL:when={number}")
        )
        died += killed.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
        was_started, had_outcome = parsed(site, "started"), parsed(site, "success")
        had_acted = site.acts()
        assert had_acted <= was_started <= 1

        # What comes after: a second later in the same bucket, as a new process.
        later = site.at(NOON + 1)
        assert later.run(PREPARE + CYCLE).returncode == 0
        assert site.acts() <= 1
        assert parsed(site, "started") >= site.acts()
        assert_sound(site)
        assert tokens(site) <= (3 - parsed(site, "started")) * MICRO
        if was_started and not had_outcome:
            assert parsed(site, "interrupted") == 1
            interrupted += 1
    assert died
    assert interrupted


@needs_strace
@pytest.mark.parametrize("call", ["fsync", "renameat2", "flock", "write"])
def test_kill_of_a_command_that_it_waits_for(tmp_path: Path, call: str) -> None:
    """sync, mv and flock die instead: the healer lives, and says what did not come about."""
    for number, site in fresh(tmp_path, range(1, 4 if call == "renameat2" else 7)):
        site.run(
            PREPARE + CYCLE, prefix=strace("-f", "-e", f"inject={call}:signal=KILL:when={number}")
        )
        assert site.acts() <= parsed(site, "started") <= 1
        later = site.at(NOON + 1)
        assert later.run(PREPARE + CYCLE).returncode == 0
        retried = parsed(site, "action-failed") + parsed(site, "verify-failed")
        assert site.acts() <= 1 + retried
        assert parsed(site, "started") >= site.acts()
        assert_sound(site)


@needs_strace
@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EDQUOT"])
def test_a_disk_that_refuses_any_call(tmp_path: Path, error: str) -> None:
    refused = 0
    for call, most in (("write", 10), ("fsync", 8), ("renameat2", 2)):
        points = range(1, most + 1, 1 if LONG else 2)
        root = tmp_path / call
        root.mkdir()
        for number, site in fresh(root, points):
            site.write("rate/fix", f"{NOON} 3.000000 0.000000 3\n")
            site.run(
                PREPARE + CYCLE,
                prefix=strace("-f", "-e", f"inject={call}:error={error}:when={number}"),
            )
            refused += site.acts() == 0
            assert site.acts() <= parsed(site, "started") <= 1
            assert (site.state / "rate" / "fix").stat().st_size > 0
            later = site.at(NOON + 1)
            assert later.run(PREPARE + CYCLE).returncode == 0
            assert_sound(site)
            retried = parsed(site, "action-failed") + parsed(site, "verify-failed")
            assert site.acts() <= 1 + retried
            assert parsed(site, "started") >= site.acts()
    assert refused


def test_a_file_size_limit_is_a_refusal_and_no_death(site: ShellSite) -> None:
    site.run("heal_init")
    site.audit.write_bytes(b'{"outcome":"x"}\n' * 70)
    done = site.run('ulimit -f 1; heal_act_with_guardrails "fix" act good; echo "$_heal_v_guard"')
    assert done.stdout == "record\n"
    assert site.acts() == 0
    assert not list((site.state / "keys").iterdir())
    assert site.act("fix") == "success"


def fill(file: Path) -> None:
    """Take all the room that there is."""
    filler = os.open(file, os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):  # ENOSPC, in the end
        while True:
            os.write(filler, b"x" * 4096)
    os.close(filler)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
@pytest.mark.parametrize(
    "options", ["size=16k", "size=1m,nr_inodes=12", "ro"], ids=["no-room", "no-inodes", "read-only"]
)
def test_a_full_or_read_only_file_system(tmp_path: Path, options: str) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(mount)],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        site = ShellSite(mount).limited(BURST=3)
        site.run("heal_init")
        site.write("rate/fix", f"{NOON} 3.000000 0.000000 3\n")
        subprocess.run(
            ["mount", "-o", f"remount,{options}", str(mount)], capture_output=True, check=True
        )
        if options == "size=16k":
            fill(mount / "filler")
        before = site.content()
        done = site.run(
            "act() { printf . >>/dev/stderr; }\n"
            'heal_act_with_guardrails "fix 1" act good; echo "$_heal_v_guard"'
        )
        assert done.stdout == "record\n"
        assert "." not in done.stderr.splitlines()
        assert {k: v for k, v in site.content().items() if v[0]} == {
            k: v for k, v in before.items() if v[0]
        }
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)


def test_an_outcome_that_cannot_be_recorded_is_recorded_later(site: ShellSite) -> None:
    """The log goes away while the action runs: the claim stays, and so does what came of it."""
    done = site.run(
        """
        breaks() { act; mv "$HEAL_AUDIT_FILE" "$HEAL_AUDIT_FILE.away"; mkdir "$HEAL_AUDIT_FILE"; }
        heal_act_with_guardrails "fix pid=1" breaks good
        echo "$? $_heal_outcome"
        heal_act_with_guardrails "fix pid=1" act good
        echo "$? $_heal_outcome $_heal_v_guard"
        rmdir "$HEAL_AUDIT_FILE"; mv "$HEAL_AUDIT_FILE.away" "$HEAL_AUDIT_FILE"
        heal_act_with_guardrails "fix pid=1" act good
        echo "$? $_heal_outcome $_heal_v_reason"
        """
    )
    assert done.stdout.splitlines() == [
        "1 success",
        "0 denied idempotency",
        "0 denied acted on 0 s ago (success), not again for 300 s",
    ]
    assert site.outcomes() == ["started", "success", "denied"]
    assert site.acts() == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("phase", ["act", "settle", "check"])
def test_a_signal_waits_until_the_outcome_is_recorded(
    site: ShellSite, number: signal.Signals, phase: str
) -> None:
    process = site.limited(SETTLE="0.3").start(
        """
        phased() {
          mark "$1"
          [[ $1 != "$PHASE" ]] || await signalled
        }
        acting() { phased act; }
        checking() { phased check; }
        heal_act_with_guardrails fix acting checking
        echo not reached
        """,
        PHASE=phase,
    )
    site.await_count("check" if phase == "check" else "act", 1)
    # For "settle": the action is over as soon as it has marked itself, and settling takes 0.3 s.
    os.killpg(process.pid, number)
    (site.root / "signalled").touch()
    out, _ = process.communicate(timeout=30)
    assert out == ""
    assert process.returncode == -number
    assert site.outcomes() == ["started", "success"]


def test_a_killed_healer_counts_its_act_as_a_failure_and_does_not_repeat_it(
    site: ShellSite,
) -> None:
    script = (
        'die() { act; kill -KILL "$OWNER"; }; OWNER=$$; heal_act_with_guardrails "fix 1" die good'
    )
    assert site.run(script).returncode == -signal.SIGKILL
    later = site.at(NOON + 10)
    assert later.act("fix 1") == "denied idempotency"
    assert site.outcomes() == ["started", "interrupted", "denied"]
    settled = site.events("interrupted")[0]
    assert settled["reason"].endswith("ended without recording an outcome")
    assert (settled["intent"], settled["scope"]) == ("fix 1", "fix")
    assert (site.state / "cb" / "fix").read_text() == f"1 {NOON + 10} 999999 600 closed 0\n"


def test_an_action_that_runs_denies_in_every_bucket(site: ShellSite) -> None:
    process = site.start(
        """
        slow() { act; await over; }
        heal_act_with_guardrails "fix 1" slow good
        """
    )
    try:
        site.await_count("acted", 1)
        assert site.at(NOON + 1000).act("fix 1") == "denied idempotency"
        assert "in flight: pid" in site.events("denied")[0]["reason"]
    finally:
        (site.root / "over").touch()
        process.communicate()
    assert process.returncode == 0
    assert site.outcomes() == ["started", "denied", "success"]
