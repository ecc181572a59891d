"""One guard: what it lets through, what it spends, and what it writes of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healconsole import Guard, Intent, Policy
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
    policy = Policy(settle=0, action_timeout=0.3, check_timeout=0.2)
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


LIVE = [None, "", "false", "0", "no", "off", "FALSE", "No", "OFF", " off ", "False\t"]
DRY = [
    *("true", "1", "yes", "on", "TRUE", "Yes", "ON", "truE", " true", "yes "),
    *("y", "n", "t", "f", "enable", "disabled", "2", "-1", "00", "01", "0.0", "1.0", "nope"),
    *(
        "none",
        "null",
        "nil",
        "false;",
        "'false'",
        '"0"',
        "false 0",
        "fa lse",
        "\uff46alse",
        "\uff10",
    ),
    *("$(touch canary)", "`touch canary`", "a[$(touch canary)]", "; touch canary", "false\nfalse"),
]


@pytest.mark.parametrize("value", LIVE)
def test_these_are_live(site: Site, value: str | None) -> None:
    assert site.guard(dry_env=value).run("fix", site.act).succeeded


@pytest.mark.parametrize("value", DRY)
def test_everything_else_is_dry_and_not_executed(
    site: Site, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.root)
    assert site.guard(dry_env=value).run("fix", site.act).outcome is Outcome.DRY_RUN
    assert site.acts() == 0
    assert not (site.root / "canary").exists()


def test_the_operators_file_wins_over_the_environment_but_not_over_rehearse(site: Site) -> None:
    guard = site.guard(dry_env="true")
    (site.state / "dry-run").write_text("off 1764000000 0 ada\n")
    assert not guard.is_dry()
    assert guard.run("fix", site.act).succeeded
    rehearsing = site.guard(rehearse=True)
    assert rehearsing.is_dry()
    assert rehearsing.run("fix 2", site.act).outcome is Outcome.DRY_RUN
    (site.state / "dry-run").write_text("on 1764000000 0 ada\n")
    assert site.guard().run("fix 3", site.act).outcome is Outcome.DRY_RUN


HOUR, DAY, YEAR = 3_600, 86_400, 31_536_000


@pytest.mark.parametrize("step", [-HOUR, HOUR, -DAY, DAY, -YEAR, YEAR])
def test_a_clock_that_steps_makes_no_tokens_and_no_eternal_wait(site: Site, step: int) -> None:
    policy = Policy(settle=0, rate_micro=16_700, burst=3, max_failures=2, cooldown=600)
    for number in range(3):
        site.guard(policy).run(f"fix {number}", site.act)
    assert site.acts() == 3
    later = site.at(NOON + step)
    acted = site.acts()
    for number in range(10):
        later.guard(policy).run(f"fix more {number}", site.act)
    # Back: no token was made by it. Ahead: what the time that seems to have passed makes.
    assert site.acts() - acted == (0 if step < 0 else 3)
    tokens = (site.state / "rate" / "fix").read_text().split()
    assert int(tokens[0]) <= NOON + step
    assert not tokens[1].startswith("-")
    # One token is there again after no more than a minute of the new time.
    assert site.at(NOON + step + 60).guard(policy).run("fix again", site.act).succeeded


@pytest.mark.parametrize("step", [-HOUR, -DAY, -YEAR, HOUR, DAY, YEAR])
def test_an_open_circuit_waits_its_cooldown_and_no_longer(site: Site, step: int) -> None:
    policy = Policy(settle=0, rate_micro=1_000_000, max_failures=1, cooldown=600)
    assert site.guard(policy).run("fix", ["false"]).outcome is Outcome.ACTION_FAILED
    now = NOON + step
    first = site.at(now).guard(policy).run("fix 1", site.act)
    if step < 0:
        assert first.verdict.guard == "circuit"
        assert site.at(now + 599).guard(policy).run("fix 2", site.act).verdict.guard == "circuit"
        assert site.at(now + 600).guard(policy).run("fix 3", site.act).succeeded
    else:
        assert first.succeeded
    assert site.acts() == 1


BAD_FILES: dict[str, bytes | str] = {
    "empty": b"",
    "torn": b"1764000150 2.0",
    "nul": b"\0" * 64,
    "nan": b"1764000150 nan\n",
    "octal": b"08 1\n",
    "negative": b"-1 -1\n",
    "huge": b"1e999 1e999\n",
    "10 MB": b"1" * 10_000_000,
    "payload": b"a[$(touch canary)] 1\n",
    "directory": "directory",
    "fifo": "fifo",
    "link": "link",
    "dangling": "dangling",
}


GOOD_AFTER_ALL = {("claims/0", "empty"), ("rate/fix", "torn"), ("cb/fix", "torn")}
"""A free slot, and lines that an older library wrote whole."""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name in ("rate/fix", "cb/fix", "hold", "claims/0", "keys/KEY")
        for kind in BAD_FILES
        if (name, kind) not in GOOD_AFTER_ALL
    ],
)
def test_what_is_no_state_file_denies_at_once(
    site: Site, name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.root)
    guard = site.guard()
    if name == "keys/KEY":
        assert guard.run("fix", site.act).succeeded
        site.acts()
        name = f"keys/{site.events()[0]['key']}"
    done = site.acts()
    plant(site.state / name, BAD_FILES[kind], site.root)
    began = time.monotonic()
    result = site.guard().run("fix", site.act)
    assert time.monotonic() - began < 5
    assert result.outcome is Outcome.DENIED
    assert site.acts() == done
    assert not (site.root / "canary").exists()
    assert site.events("denied")[-1]["guard"] == result.verdict.guard
    if kind != "empty" or "keys" not in name:
        assert "corrupt" in result.reason


def plant(path: Path, what: bytes | str, root: Path) -> None:
    path.unlink(missing_ok=True)
    target = root / "target"
    target.write_bytes(b"1764000150 3.000000 0.016700 3\n")
    if isinstance(what, bytes):
        path.write_bytes(what)
    elif what == "directory":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to(target if what == "link" else root / "nowhere")


@pytest.mark.parametrize("folder", ["rate", "cb", "keys", "claims"])
def test_a_link_in_place_of_a_directory_denies(site: Site, folder: str) -> None:
    site.guard()
    elsewhere = site.root / "elsewhere"
    (site.state / folder).rename(elsewhere)
    (site.state / folder).symlink_to(elsewhere)
    guard = Guard("h", OPEN_POLICY, state_dir=site.state, audit=site.audit, clock=lambda: NOON)
    assert guard.run("fix", site.act).outcome is Outcome.DENIED
    assert not list(elsewhere.iterdir())
    assert site.acts() == 0


INTENTS = [
    *("/", "..", "../../x", "a/../../b", "-rf x", "--", "%", "%2F", "%~", "a=b", "$(reboot)"),
    *(
        "`reboot`",
        "a[$(touch canary)]",
        "\"quoted\" 'x'",
        "naïve ☃",
        "x" * 300,
        "x" * 1024,
        ".",
        "~",
    ),
    *("fix pid=1", "fix  pid=1", "fix pid=1.", "fix.1 pid", "FIX pid=1", "\u202e", "a\u00a0b"),
]


def test_any_intent_stays_in_the_state_directory_and_has_a_marker_of_its_own(site: Site) -> None:
    guard = site.guard(replace(OPEN_POLICY, settle=0))
    before = {path for path in site.root.rglob("*") if site.state not in path.parents}
    for intent in INTENTS:
        assert guard.run(intent, site.act).succeeded, intent
        assert guard.run(intent, site.act).verdict.guard == "idempotency", intent
    assert site.acts() == len(INTENTS)
    assert len(list((site.state / "keys").iterdir())) == len(INTENTS)
    after = {path for path in site.root.rglob("*") if site.state not in path.parents}
    assert {path.name for path in after - before} <= {"acted", "audit.jsonl"}


@pytest.mark.parametrize(
    "intent", ["", " ", " x", "x ", "a\nb", "a\0b", "a\x1b[31m", "x" * 1025, "\ud800", "é" * 600]
)
def test_what_is_no_intent_is_refused_clearly(site: Site, intent: str) -> None:
    result = site.guard().run(intent, site.act)
    assert result.outcome is Outcome.DENIED
    assert result.verdict.guard == "intent"
    assert result.reason.startswith("intent ")
    assert site.events()[0]["guard"] == "intent"
    assert site.acts() == 0


def test_a_scope_of_its_own_is_kept(site: Site) -> None:
    assert site.guard().run(Intent("fix pid=1", "queue-a"), site.act).succeeded
    assert (site.state / "rate" / "queue-a").exists()
    fixed = replace(OPEN_POLICY, scope="all")
    assert site.guard(fixed).run("mend pid=1", site.act).succeeded
    assert (site.state / "rate" / "all").exists()


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
