"""One guard: what it lets through, what it spends, and what it writes of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healconsole import Guard, Policy
from healconsole.core.words import Outcome
from healconsole.engine.asked import Denied
from tests.engine.sites import NOON, OPEN_POLICY, Site, many


def test_an_act_leaves_its_events_its_marker_and_its_token(site: Site) -> None:
    guard = site.guard(Policy(settle=0))
    result = guard.run(
        "fix pid=1", site.act, lambda: True, fact="a=1", reason="why", trigger="timer"
    )
    assert result.succeeded
    started, success = site.events()
    assert (started["outcome"], success["outcome"]) == ("started", "success")
    for event in (started, success):
        assert (event["intent"], event["scope"]) == ("fix pid=1", "fix")
        assert (event["fact"], event["reason"], event["trigger"]) == ("a=1", "why", "timer")
        assert event["key"] == started["key"]
    assert (site.state / "rate" / "fix").read_text() == "1764000150 2.000000 0.016700 3\n"
    assert b'"outcome":"success"' in (site.state / "keys" / started["key"]).read_bytes()
    assert (site.state / "claims" / "0").read_bytes() == b""


@pytest.mark.parametrize(
    ("action", "check", "outcome", "reason"),
    [
        (lambda: 1 / 0, None, "action-failed", "action ZeroDivisionError: division by zero"),
        (lambda: False, None, "action-failed", "action returned nothing true"),
        (["sh", "-c", "echo no >&2; exit 3"], None, "action-failed", "action exit code 3: no"),
        (lambda: time.sleep(60), None, "timed-out", "action timed out after 0.3 s"),
        (["sleep", "60"], None, "timed-out", "action timed out after 0.3 s"),
        (lambda: None, lambda: False, "verify-failed", "check returned nothing true"),
        (lambda: None, ["false"], "verify-failed", "check exit code 1"),
        (lambda: None, lambda: 1 / 0, "verify-failed", "check ZeroDivisionError: division by zero"),
        (lambda: None, ["sleep", "60"], "verify-failed", "check timed out after 0.2 s"),
        (lambda: None, lambda: None, "verify-failed", "check returned nothing true"),
        (lambda: os.kill(os.getpid(), 9), None, "action-failed", "was killed by signal 9"),
    ],
)
def test_each_failure_is_recorded_as_what_it_is(
    site: Site, action: Callable[[], object], check: object, outcome: str, reason: str
) -> None:
    # Only what hangs is to meet its end: the others may be slow, on a machine that is.
    ends = {"action timed out": (0.3, 30.0), "check timed out": (30.0, 0.2)}
    action_s, check_s = ends.get(reason.partition(" after")[0], (30.0, 30.0))
    policy = Policy(settle=0, action_timeout=action_s, check_timeout=check_s)
    result = site.guard(policy).run("fix", action, check)  # type: ignore[arg-type] # either kind
    assert result.outcome == outcome
    assert reason in result.reason
    assert [event["outcome"] for event in site.events()] == ["started", outcome]
    assert (site.state / "cb" / "fix").read_text().startswith("1 ")
    # A retry is the breaker's business: the marker is gone.
    assert not list((site.state / "keys").iterdir())


def test_an_action_that_detaches_is_what_it_says_and_holds_nothing_up(site: Site) -> None:
    script = f"setsid sleep 30 & echo $! > {site.root}/pid; exit 0"
    result = site.guard(Policy(settle=0)).run("fix", ["bash", "-c", script])
    os.kill(int((site.root / "pid").read_text()), 9)
    assert result.succeeded
    assert result.duration_ms < 5_000


def test_async_actions_and_checks_are_awaited(site: Site) -> None:
    async def act() -> None:
        await asyncio.sleep(0)
        site.act()

    async def check() -> bool:
        await asyncio.sleep(0)
        return True

    assert site.guard().run("fix", act, check).succeeded
    assert site.acts() == 1


def test_a_block_is_entered_only_if_it_may_act(site: Site) -> None:
    guard = site.guard()
    with guard.protect("fix") as verdict:
        site.act()
    assert verdict.allow
    with pytest.raises(Denied, match="idempotency"), guard.protect("fix"):
        site.act()
    with pytest.raises(Denied, match="nothing was done"):  # noqa: SIM117 - one at a time
        with site.guard(dry_env="yes").protect("fix 2"):
            site.act()
    with pytest.raises(KeyError), guard.protect("fix 3"):
        raise KeyError("x")
    assert site.acts() == 1
    assert [event["outcome"] for event in site.events("action-failed")] == ["action-failed"]


def test_a_block_that_hangs_is_ended(site: Site) -> None:
    guard = site.guard(Policy(action_timeout=0.2, settle=0))
    with pytest.raises(TimeoutError, match="action timed out"), guard.protect("fix"):
        time.sleep(60)
    assert [event["outcome"] for event in site.events()] == ["started", "timed-out"]


def test_an_unwritable_log_starts_no_action(site: Site) -> None:
    site.guard()
    site.audit.mkdir()
    result = site.guard().run("fix", site.act)
    assert result.outcome is Outcome.DENIED
    assert result.verdict.guard == "record"
    assert site.acts() == 0
    assert not list((site.state / "keys").iterdir())
    assert not (site.state / "rate" / "fix").exists()


def test_a_full_disk_starts_no_action(site: Site) -> None:
    """A small tmpfs: no bytes left, then no inodes left, then mounted read-only."""
    script = f"""
set -e
mount -t tmpfs -o size=64k,nr_inodes=40 none {site.root} || exit 77
exec {sys.executable} - <<'END'
import pathlib
from tests.engine.sites import Site
root = pathlib.Path({str(site.root)!r})
site = Site(root)
guard = site.guard()
filler = open(root / "filler", "wb", buffering=0)
try:
    while True:
        filler.write(bytes(4096))
except OSError:
    pass
result = guard.run("fix", site.act)
assert result.verdict.guard == "record", result
assert site.acts() == 0
filler.truncate(0)
try:
    for number in range(100):
        (root / f"inode{{number}}").touch()
except OSError:
    pass
result = guard.run("fix", site.act)
assert result.verdict.guard == "record", result
assert site.acts() == 0
for file in root.glob("inode*"):
    file.unlink()
assert guard.run("fix", site.act).succeeded
filler.close()
import subprocess
subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
result = guard.run("fix again", site.act)
assert result.verdict.guard == "record", result
END
"""
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip(f"no mount of one's own here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


def test_a_changing_pid_gets_no_fresh_bucket_and_no_fresh_breaker(site: Site) -> None:
    results = []
    for number in range(45):
        guard = site.at(NOON + 13 * number).guard(Policy(settle=0))
        results.append(guard.run(f"fix pid={1000 + number}", ["false"]))
    assert [result.outcome for result in results[:3]] == [Outcome.ACTION_FAILED] * 3
    assert {result.outcome for result in results[3:]} == {Outcome.DENIED}
    assert results[-1].verdict.guard == "circuit"
    assert len(list((site.state / "rate").iterdir())) == 1
    assert len(list((site.state / "cb").iterdir())) == 1


def test_three_acts_and_then_the_circuit_is_open(site: Site) -> None:
    def failing() -> bool:
        site.act()
        return False

    guard = site.guard(Policy(settle=0, burst=100))
    denied = 0
    for number in range(45):
        result = guard.run(f"fix pid={number}", failing)
        denied += result.outcome is Outcome.DENIED
        assert denied == 0 or result.verdict.guard == "circuit"
    assert (site.acts(), denied) == (3, 42)
    guard.close()
    assert [event.get("count", 1) for event in site.events("denied")] == [1, 42]
    assert site.events("denied")[1]["until"] == int(site.now)


@settings(
    max_examples=many(60, 10_000),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(start=st.integers(0, 899), gap=st.integers(0, 700), length=st.integers(0, 400))
def test_two_acts_on_one_intent_are_never_closer_than_the_bucket(
    site: Site, start: int, gap: int, length: int
) -> None:
    now = NOON + start
    clock = [now]
    intent = f"fix {os.urandom(8).hex()}"
    guard = site.guard(OPEN_POLICY, clock=lambda: clock[0])
    with guard.protect(intent):
        clock[0] = ended = now + length
    clock[0] = ended + gap
    denied = False
    try:
        with guard.protect(intent):
            pass
    except Denied:
        denied = True
    guard.close()
    assert denied == (gap < OPEN_POLICY.bucket)


def test_an_open_circuit_spends_nothing(site: Site) -> None:
    policy = Policy(settle=0)
    guard = site.guard(policy)
    (site.state / "cb" / "fix").write_text(f"3 {NOON:.0f} 3 600 open {NOON + 600:.0f}\n")
    before = site.content()
    for number in range(1_000):
        result = guard.run(f"fix pid={number}", site.act)
        assert result.verdict.guard == "circuit"
    assert site.content() == before
    assert len(site.events()) == 1
    guard.close()
    assert [event.get("count", 1) for event in site.events()] == [1, 1_000]


def test_dry_run_spends_nothing_live(site: Site) -> None:
    guard = site.guard(Policy(settle=0), dry_env="true")
    before = site.content()
    for number in range(many(100, 1_000)):
        guard.run(f"fix pid={number}", site.act)
    after = site.content()
    assert after == before
    assert site.acts() == 0
    assert len(site.events("dry-run")) == 3  # the shadow bucket's burst
    # And the rehearsal does not suppress the live run.
    assert site.guard(Policy(settle=0)).run("fix pid=0", site.act).succeeded


def test_a_look_writes_nothing_and_needs_no_directory(site: Site) -> None:
    guard = Guard("h", OPEN_POLICY, state_dir=site.state, audit=site.audit, clock=lambda: NOON)
    assert guard.check("fix").allow
    assert not guard.check("").allow
    assert not site.state.exists()
    assert not site.audit.exists()


def test_a_directory_that_vanishes_denies_and_is_not_made_anew(site: Site) -> None:
    guard = site.guard()
    assert guard.run("fix 1", site.act).succeeded
    site.state.rename(site.root / "away")
    assert guard.run("fix 2", site.act).verdict.guard == "record"
    assert not site.state.exists()
    assert site.acts() == 1
