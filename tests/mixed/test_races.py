"""bash and Python at once on one state directory: each promise of one library is kept by both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core.breaker import parse_breaker
from healconsole.core.records import BreakerRecord
from healconsole.core.words import Circuit, Outcome
from healconsole.stores.layout import prepare
from tests.engine.sites import LONG, NOON, Site, forked, many
from tests.mixed import tasks
from tests.mixed.crews import race
from tests.mixed.tasks import CREW
from tests.shell.bashes import DRIVER, ShellSite

pytestmark = pytest.mark.timeout(0 if LONG else 120)
PATIENCE = 10_000 if LONG else 100


@pytest.fixture
def shell(tmp_path: Path) -> ShellSite:
    """The site of the bash processes; those in Python use the same folder."""
    prepare(tmp_path / "h", NOON)
    return ShellSite(tmp_path)


@pytest.fixture
def site(shell: ShellSite) -> Site:
    """The same folder for Python."""
    return Site(shell.root)


def breaker(site: Site, scope: str) -> BreakerRecord:
    found = parse_breaker((site.state / "cb" / scope).read_bytes(), scope)
    assert isinstance(found, BreakerRecord)
    return found


@pytest.mark.parametrize("processes", [2, 16, 64])
def test_one_intent_is_acted_on_once(shell: ShellSite, site: Site, processes: int) -> None:
    rounds = many({2: 6, 16: 2, 64: 1}[processes], 200)
    script = 'heal_act_with_guardrails "fix round=$round" act good bash || exit 1'
    race(shell, script, tasks.one_intent, each=processes // 2, rounds=rounds, timeout=PATIENCE)
    assert site.acts() == rounds
    for outcome in ("started", "success"):
        assert len({event["intent"] for event in site.events(outcome)}) == rounds
        assert len(site.events(outcome)) == rounds
    winners = {event["reason"] for event in site.events("success")}
    assert winners == {"bash", "python"} or not LONG, "one of the two was never the first"


def test_one_bucket_grants_its_burst_and_no_more(shell: ShellSite, site: Site) -> None:
    rounds = many(2, 10_000 // (2 * CREW) + 1)
    script = (
        "for try in 1 2; do "
        'heal_act_with_guardrails "fix$round process=$INDEX try=$try" act good || exit 1; done'
    )
    limited = shell.limited(BURST=10)
    race(limited, script, tasks.one_bucket, each=CREW // 2, rounds=rounds, timeout=PATIENCE)
    assert site.acts() == 10 * rounds
    for number in range(rounds):
        bucket = (site.state / "rate" / f"fix{number}").read_bytes()
        assert bucket == b"%d 0.000000 0.000000 10\n" % NOON


def test_no_failure_is_lost(shell: ShellSite, site: Site) -> None:
    rounds = many(2, 10_000 // CREW)
    script = 'heal_act_with_guardrails "fix process=$INDEX try=$round" act bad || :'
    race(shell, script, tasks.a_failure, each=CREW // 2, rounds=rounds, timeout=PATIENCE)
    assert breaker(site, "fix").failures == CREW * rounds
    assert len(site.events("verify-failed")) == site.acts() == CREW * rounds
    assert not list((site.state / "keys").iterdir())


def test_a_half_open_breaker_lends_one_probe(shell: ShellSite, site: Site) -> None:
    """In the rounds 1, 4, 7 … bash is given it, in the rounds 2, 5, 8 … Python, else the first."""
    rounds = many(3, 200)
    for number in range(rounds):
        half_open = f"3 {NOON - 900:.0f} 3 600 open {NOON - 300:.0f}\n"
        (site.state / "cb" / f"fix{number}").write_text(half_open)
        (site.root / f"denied.{number}").touch()
    # An action runs under errexit, where a read to the end of a file is a failure.
    script = """
    probe() {
      local denied=''
      mark "probe.$round"
      until ((${#denied} == 15)); do
        nap
        IFS= read -r -d '' denied <"$TEST_ROOT/denied.$round" || :
      done
    }
    ((round % 3 != 2)) || await "probe.$round"
    heal_act_with_guardrails "fix$round process=$INDEX" probe good || exit 1
    [[ $_heal_v_allow == 1 ]] || mark "denied.$round"
    """
    limited = shell.limited(CB_MAX=3)
    race(limited, script, tasks.a_probe, each=CREW // 2, rounds=rounds, timeout=PATIENCE)
    for number in range(rounds):
        assert (site.count(f"probe.{number}"), site.count(f"denied.{number}")) == (1, CREW - 1)
        assert breaker(site, f"fix{number}").state is Circuit.CLOSED


@pytest.mark.parametrize("owner", ["bash", "python"])
def test_a_probe_whose_owner_was_killed_goes_to_one_other(
    shell: ShellSite, site: Site, owner: str
) -> None:
    limited, policy = shell.limited(CB_MAX=3), tasks.BREAKING
    (site.state / "cb" / "fix").write_text(f"3 {NOON - 900:.0f} 3 600 open {NOON - 300:.0f}\n")

    def die() -> None:
        with site.guard(policy).protect("fix one"):
            os.kill(os.getpid(), 9)

    if owner == "python":
        assert forked(die) == -9
    else:
        script = 'die() { kill -KILL "$$"; }; heal_act_with_guardrails "fix one" die good'
        assert limited.run(script).returncode == -9

    # The other language settles it: that failure opens the breaker for another cooldown.
    later = int(NOON) + 5
    if owner == "python":
        assert limited.at(later).act("fix two") == "denied circuit"
    else:
        assert site.at(later).guard(policy).run("fix two", site.act).outcome is Outcome.DENIED
    assert [event["intent"] for event in site.events("interrupted")] == ["fix one"]
    assert (breaker(site, "fix").state, breaker(site, "fix").until) == (Circuit.OPEN, later + 600)
    after = later + 600
    assert limited.at(after - 1).act("fix three") == "denied circuit"
    assert site.at(after).guard(policy).run("fix four", site.act).succeeded
    assert limited.at(after).act("fix five") == "success"


def test_a_changing_pid_is_one_bucket_and_one_breaker(shell: ShellSite, site: Site) -> None:
    """45 failing cycles, a minute apart, by either library in turn: three acts, then none."""
    limited, policy = shell.limited(CB_MAX=3, CB_COOLDOWN=86_400), tasks.BREAKING
    for number in range(45):
        now = int(NOON) + 60 * number
        intent = f"fix pid={1_000 + number}"
        if number % 2:
            guard = site.at(now).guard(replace(policy, cooldown=86_400))
            guard.run(intent, site.act, lambda: False)
            guard.close()
        else:
            limited.at(now).act(intent, "act", "bad")
    assert site.acts() == len(site.events("verify-failed")) == 3
    assert [file.name for file in (site.state / "rate").iterdir()] == ["fix"]
    assert [file.name for file in (site.state / "cb").iterdir()] == ["fix"]
    assert breaker(site, "fix").state is Circuit.OPEN
    assert {event["guard"] for event in site.events("denied")} == {"circuit"}


def test_no_line_of_the_log_is_lost_or_torn(shell: ShellSite, site: Site) -> None:
    """Lines of up to 64 kB from 16 writers; those that would be longer are cut."""
    rounds = many(2, 2_000)
    script = """
    size=$(((INDEX * 7919 + round * 104729) % 66000 / 2))
    [[ -n ${long-} ]] || long=é
    while ((${#long} < 33000)); do long+=$long; done
    heal_audit "$INDEX $round" denied "${long:0:size}" || exit 1
    """
    race(shell, script, tasks.long_lines, each=CREW // 2, rounds=rounds, timeout=PATIENCE)
    lines = site.audit.read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") and len(line) <= 65_536 for line in lines)
    told = [json.loads(line)["intent"] for line in lines]
    assert sorted(told) == sorted(f"{i} {n}" for i in range(CREW) for n in range(rounds))


def test_a_torn_tail_keeps_its_line_and_the_next_event_its_own(
    shell: ShellSite, site: Site
) -> None:
    """The last writer died after any of its bytes; the next one writes in the other language."""
    tasks.long_lines(site, 0, 0)
    whole = site.audit.read_bytes()
    for size in range(1, len(whole), 1 if LONG else len(whole) // 12):
        site.audit.write_bytes(whole + whole[:size])
        if size % 2:
            tasks.long_lines(site, 1, 1)
        else:
            assert shell.run('heal_audit "1 1" denied').returncode == 0
        first, torn, last = site.audit.read_bytes().splitlines(keepends=True)
        assert (first, torn) == (whole, whole[:size] + b"\n")
        assert json.loads(last)["intent"] == "1 1"


BASH_DAEMON = """
detect() { mark beat; }
none() { :; }
heal_main detect none act good "$OPTION"
"""
PYTHON_DAEMON = [sys.executable, str(Path(__file__).with_name("daemon.py"))]


@pytest.mark.parametrize("first", ["bash", "python"])
def test_the_second_instance_says_who_runs(shell: ShellSite, site: Site, first: str) -> None:
    """Whatever the two are written in."""
    environ = {**shell.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    if first == "bash":
        running = shell.start(BASH_DAEMON, OPTION="--interval=60")
        second = [*PYTHON_DAEMON, "--once"]
    else:
        running = subprocess.Popen(PYTHON_DAEMON, env=environ, stderr=subprocess.PIPE, text=True)
        second = ["bash", DRIVER, BASH_DAEMON]
    try:
        site.await_count("beat", 1)
        done = subprocess.run(
            second,
            env={**environ, "OPTION": "--once"},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    finally:
        running.terminate()
        running.communicate()
    assert done.returncode == 1
    assert f"h already runs as pid {running.pid}" in done.stderr
    assert site.count("beat") == 1
