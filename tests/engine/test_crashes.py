"""kill -9, and a disk that refuses, at each call that a guarded act makes."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.claim import parse_claim
from healconsole.core.marker import parse_marker
from healconsole.core.records import MICRO, BucketRecord, Corrupt
from healconsole.core.words import Outcome
from tests.engine.faults import ALL, CHANGING, counted, install
from tests.engine.sites import LONG, NOON, OPEN_POLICY, Site, forked

POLICY = replace(OPEN_POLICY, burst=3)
RAW_WRITE = os.write


def cycle(site: Site) -> None:
    """One cycle as the loop has it: settle what was interrupted, then act."""
    guard = site.guard(POLICY)
    guard.recover()
    guard.run("fix pid=1", site.act, lambda: True)


def die(name: str, args: tuple[Any, ...]) -> None:
    """kill -9. The kernel finishes a write that it has begun, so none is torn by it."""
    del name, args
    os.kill(os.getpid(), signal.SIGKILL)


def assert_sound(site: Site) -> None:
    """No live file is empty or torn, and no more tokens are there than were left."""
    for file in (site.state / "rate").iterdir():
        bucket = parse_bucket(file.read_bytes(), file.name)
        assert isinstance(bucket, BucketRecord), bucket
    for file in (site.state / "cb").iterdir():
        assert not isinstance(parse_breaker(file.read_bytes(), file.name), Corrupt)
    for file in (site.state / "claims").iterdir():
        assert parse_claim(file.read_bytes(), int(file.name)) is None
    for file in (site.state / "keys").iterdir():
        # Made in place, for a torn one denies; so only its death in a power cut tears it.
        assert file.stat().st_size == 0 or not isinstance(
            parse_marker(file.read_bytes(), file.name, 0), Corrupt
        )


def tokens(site: Site) -> int:
    file = site.state / "rate" / "fix"
    if not file.exists():
        return 3 * MICRO
    bucket = parse_bucket(file.read_bytes(), "rate/fix")
    assert isinstance(bucket, BucketRecord)
    return bucket.tokens_micro


def parsed(site: Site, outcome: str) -> int:
    """Events of ``outcome``, in a log that may hold a torn line."""
    if not site.audit.exists():
        return 0
    mark = f'"outcome":"{outcome}"'.encode()
    return sum(
        mark in line and line.endswith(b"}") for line in site.audit.read_bytes().splitlines()
    )


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> int:
    site = Site(tmp_path_factory.mktemp("count"))
    return counted(ALL, lambda: cycle(site))


def sample(calls: int) -> range:
    return range(1, calls + 1, 1 if LONG else max(1, calls // 16))


def test_kill_at_every_call(calls: int, tmp_path: Path) -> None:
    assert calls > 80
    died = interrupted = 0
    for number in sample(calls):
        root = tmp_path / str(number)
        root.mkdir()
        site = Site(root)

        def killed(site: Site = site, number: int = number) -> None:
            install(number, ALL, die)
            cycle(site)

        died += forked(killed) == -signal.SIGKILL
        was_started, had_outcome = parsed(site, "started"), parsed(site, "success")
        had_acted = site.acts()
        assert had_acted <= was_started <= 1

        # What comes after: a second later in the same bucket, as a new process.
        later = site.at(NOON + 1)
        assert forked(lambda later=later: cycle(later)) == 0  # type: ignore[misc]
        assert site.acts() <= 1
        assert parsed(site, "started") >= site.acts()
        assert_sound(site)
        assert tokens(site) <= (3 - parsed(site, "started")) * MICRO
        if was_started and not had_outcome:
            assert parsed(site, "interrupted") == 1
            interrupted += 1
    assert died
    assert interrupted


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_refuses_any_call(number: int, tmp_path: Path) -> None:
    trial = Site(tmp_path)
    changes = counted(CHANGING, lambda: cycle(trial))
    refused = 0
    for at in range(1, changes + 1, 1 if LONG else max(1, changes // 9)):
        root = tmp_path / str(at)
        root.mkdir()
        site = Site(root)
        site.guard(POLICY)
        (site.state / "rate" / "fix").write_bytes(b"%d 3.000000 0.000000 3\n" % NOON)

        def failing(site: Site = site, at: int = at) -> None:
            install(at, CHANGING, fail_with(number))
            cycle(site)

        # A refusal may end the process (a log that cannot be opened while it starts), never
        # more than that.
        forked(failing)
        refused += site.acts() == 0
        assert site.acts() <= parsed(site, "started") <= 1
        later = site.at(NOON + 1)
        assert forked(lambda later=later: cycle(later)) == 0  # type: ignore[misc]
        assert_sound(site)
        # An act whose outcome could not be recorded is settled, and not repeated, unless its
        # failure freed the marker.
        retried = parsed(site, "action-failed") + parsed(site, "verify-failed")
        assert site.acts() <= 1 + retried
        assert parsed(site, "started") >= site.acts()
    assert refused


def fail_with(number: int) -> Callable[[str, tuple[Any, ...]], None]:
    def strike(name: str, args: tuple[Any, ...]) -> None:
        if name == "write":
            RAW_WRITE(args[0], bytes(args[1])[: len(args[1]) // 2])
        raise OSError(number, os.strerror(number))

    return strike


def test_a_file_size_limit_is_a_refusal_and_no_death(site: Site) -> None:
    import resource

    site.guard(POLICY)
    site.audit.write_bytes(b'{"outcome":"x"}\n' * 10)

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (180, 180))
        result = site.guard(POLICY).run("fix", site.act)
        assert result.outcome is Outcome.DENIED
        assert result.verdict.guard == "record"

    assert forked(limited) == 0
    assert site.acts() == 0
    assert not list((site.state / "keys").iterdir())
    assert site.guard(POLICY).run("fix", site.act).succeeded


def test_an_outcome_that_cannot_be_recorded_is_recorded_later(site: Site) -> None:
    """The disk fills while the action runs: the claim stays, and so does what came of it."""
    guard = site.guard(POLICY)

    def act() -> None:
        site.act()
        site.audit.rename(site.root / "away")
        site.audit.mkdir()

    result = guard.run("fix pid=1", act)
    assert result.outcome is Outcome.SUCCESS
    assert "not recorded yet" in result.problem
    assert guard.run("fix pid=1", site.act).outcome is Outcome.DENIED
    site.audit.rmdir()
    (site.root / "away").rename(site.audit)
    guard.recover()
    assert [event["outcome"] for event in site.events()][-1] == "success"
    assert guard.run("fix pid=1", site.act).verdict.reason.startswith("acted on")
    assert site.acts() == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("phase", ["act", "settle", "check"])
def test_a_signal_waits_until_the_outcome_is_recorded(
    site: Site, number: signal.Signals, phase: str
) -> None:
    guard_policy = replace(POLICY, settle=0.3)

    def phased(name: str) -> bool:
        site.mark(name)
        if name == phase:
            site.await_count("signalled", 1)
        return True

    def work() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        site.guard(guard_policy).run("fix", lambda: phased("act"), lambda: phased("check"))

    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    site.await_count("check" if phase == "check" else "act", 1)
    # For "settle": the action is over as soon as it has marked itself, and settling takes 0.3 s.
    os.kill(pid, number)
    site.mark("signalled")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -number
    assert [event["outcome"] for event in site.events()] == ["started", "success"]
