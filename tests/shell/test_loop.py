"""heal_main as a program: options, singleton, heartbeat, wake, stop, and the fleet lock."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from healconsole.core.cycle import format_cycle, parse_cycle
from healconsole.core.records import CycleRecord
from healconsole.core.words import Library
from healconsole.stores.redislink import RedisLink
from tests.shell.bashes import SHELL, ShellSite

HEALER = """
detect() { printf 'depth=%s\\n' "${DEPTH:-12}"; }
decide() { [[ $1 == depth=12* ]] && printf 'fix depth=12\\n'; }
more() { echo extra=1; }
heal_main detect decide "${ACTION:-act}" "${CHECK:-good}" ${FACTS-} $OPTIONS
"""


@pytest.fixture
def live(tmp_path: Path) -> ShellSite:
    """A site on the real clock."""
    return ShellSite(tmp_path, now=None)


def run(site: ShellSite, options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return site.run(HEALER, OPTIONS=options, **environ)


def cycle(site: ShellSite) -> CycleRecord:
    raw = (site.state / "cycle.json").read_bytes()
    record = parse_cycle(raw, "cycle.json")
    assert isinstance(record, CycleRecord)
    assert format_cycle(record) == raw
    return record


def await_cycle(site: ShellSite, least: int) -> CycleRecord:
    deadline = time.monotonic() + 30
    while not (site.state / "cycle.json").exists() or cycle(site).seq < least:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return cycle(site)


def test_detect_and_plan_print_and_write_nothing(live: ShellSite) -> None:
    assert run(live, "--detect", FACTS="more").stdout == "depth=12,extra=1\n"
    planned = json.loads(run(live, "--plan").stdout)
    assert planned == {
        "fact": "depth=12",
        "intent": "fix depth=12",
        "verdict": {
            "allow": True,
            "guard": "",
            "reason": "all guardrails pass",
            "earliest": None,
        },
        "mode": "live",
    }
    nothing = json.loads(run(live, "--once --plan --dry-run", DEPTH="1").stdout)
    assert (nothing["intent"], nothing["verdict"], nothing["mode"]) == ("", None, "dry-run")
    assert not live.state.exists()


def test_one_cycle_leaves_its_record(live: ShellSite) -> None:
    metrics = live.root / "metrics"
    metrics.mkdir()
    acted = run(live, "--once", HEAL_TEXTFILE_DIR=str(metrics))
    assert acted.returncode == 0
    assert re.fullmatch(r"\S+ h: fix depth=12: success in 0\.\d s\n", acted.stderr)
    assert not acted.stdout
    first = cycle(live)
    assert (first.seq, first.trigger, first.fact) == (1, "once", "depth=12")
    assert (first.intent, first.outcome, first.mode) == ("fix depth=12", "success", "live")
    assert first.library is Library.HEAL_SH
    assert abs(first.at - time.time()) < 60
    metrics_text = (metrics / "heal_h.prom").read_text()
    assert f'\nheal_last_cycle_timestamp_seconds{{healer="h"}} {first.at:.3f}\n' in metrics_text
    assert run(live, "--once", HEAL_TRIGGER="operator").returncode == 0
    second = cycle(live)
    assert (second.seq, second.trigger, second.outcome) == (2, "operator", "")
    assert second.verdict is not None
    assert second.verdict.guard == "idempotency"
    # A third process, denied for the same reason: the run of denials has begun already.
    denied = run(live, "--once")
    assert denied.returncode == 0
    assert " h: fix depth=12: denied by idempotency: acted on" in denied.stderr
    assert live.outcomes() == ["started", "success", "denied"]


def test_a_failed_action_is_the_exit_code_of_one_cycle(live: ShellSite) -> None:
    assert run(live, "--once", ACTION="bad").returncode == 1
    assert cycle(live).outcome == "action-failed"


def test_what_detect_and_decide_get_wrong_is_told(live: ShellSite) -> None:
    done = live.limited(CHECK_TIMEOUT="0.3").run(
        """
        fails() { echo depth=1; return 3; }
        hangs() { sleep 30 >/dev/null 2>&1; }
        breaks() { return 2; }
        leaves() { (await over) 2>/dev/null & exit 4; }
        heal_main fails breaks act good hangs leaves --once
        """
    )
    (live.root / "over").touch()
    assert done.returncode == 0, done.stderr
    assert cycle(live).fact == (
        "depth=1,detect=ERROR,error=fails exit code 3,"
        "detect=ERROR,error=hangs timed out after 0.3 s,"
        "detect=ERROR,error=leaves exit code 4,"
        "decide=ERROR,decide_error=exit code 2"
    )
    assert live.acts() == 0


@pytest.mark.parametrize("options", ["--interval x", "--interval 0", "--what", "--interval"])
def test_usage(live: ShellSite, options: str) -> None:
    done = run(live, options)
    assert done.returncode == 2
    assert done.stdout == ""


def test_a_daemon_wakes_goes_on_and_stops(live: ShellSite) -> None:
    """A failing check does not end the loop; the second instance says who runs."""
    process = live.start(HEALER, OPTIONS="--interval 100", CHECK="bad", FACTS="")
    try:
        first = await_cycle(live, 1)
        assert first.outcome == "verify-failed"
        assert first.next_due == pytest.approx(first.at + 100, abs=30)
        second = run(live, "--once")
        assert second.returncode == 1
        assert f"h already runs as pid {process.pid}" in second.stderr
        os.kill(process.pid, signal.SIGUSR1)
        assert await_cycle(live, 2).trigger == "operator"
        os.kill(process.pid, signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert err.endswith("stopped by TERM\n")
    assert run(live, "--once", DEPTH="1").returncode == 0


def names_of_locals() -> list[str]:
    """Every name that a function of the library has for a variable of its own."""
    found: set[str] = set()
    for file in (SHELL / "heal.d").iterdir():
        for line in re.findall(r"\blocal (.+)", file.read_text()):
            found.update(re.findall(r"(?:^| )([a-z]\w*)(?==| |$|\[)", line))
    return sorted(found)


@pytest.mark.parametrize("option", ["", "shopt -s localvar_inherit localvar_unset 2>/dev/null"])
@pytest.mark.parametrize("way", ["heal_main", "plan", "act", "in a function"])
def test_the_callers_code_sees_the_callers_variables(
    live: ShellSite, way: str, option: str
) -> None:
    names = names_of_locals()
    assert {"interval", "rc", "phase", "line", "child", "left"} <= set(names)
    run = {
        "heal_main": "heal_main detect decide acts checks --once",
        "plan": "heal_main detect decide acts checks --plan",
        "act": "heal_act_with_guardrails 'fix a' acts checks",
        "in a function": f"inside() {{ local {' '.join(f'{n}=mine' for n in names)}\n"
        "heal_act_with_guardrails 'fix a' acts checks; }; inside",
    }[way]
    value = "outer" if way == "in a function" else "mine"
    done = live.run(
        "".join(f"{name}={value}\n" for name in names)
        + f"""
        seen() {{ local each=''; for each in {" ".join(set(names) - {"each"})}; do
          [[ ${{!each-unset}} == mine ]] || echo "$1 sees $each as ${{!each-unset}}" >&2; done
          [[ $- == *u* ]] || echo "not the shell of the caller" >&2; mark "$1"; }}
        detect() {{ seen detect; echo a=1; }}
        decide() {{ seen decide; echo "fix a"; }}
        acts() {{ seen act; }}
        checks() {{ seen check; }}
        set -u
        {option}
        {run}
        """
    )
    assert done.returncode == 0, done.stderr
    told = r"\S+ h: fix a: success in \d+\.\d s\n" if way == "heal_main" else ""
    assert re.fullmatch(told, done.stderr)
    phases = {"heal_main": "detect decide act check", "plan": "detect decide"}
    for phase in phases.get(way, "act check").split():
        assert live.count(phase) == 1


def test_the_loop_goes_on_at_its_interval_after_each_failure(live: ShellSite) -> None:
    process = live.limited(ACTION_TIMEOUT="1", CHECK_TIMEOUT="1", INTERVAL="0.5").start(
        """
        hangs() { sleep 30; }
        detect() {
          mark detected
          read -r uptime _ </proc/uptime
          printf '%s\\n' "$uptime" >>"$TEST_ROOT/times"
          printf 'n=%s' "$(wc -c <"$TEST_ROOT/detected")"
        }
        decide() { echo "fix $1"; }
        acts() { case $1 in *n=1) return 7 ;; *n=2) hangs ;; *n=3) exit 3 ;; esac; }
        dies() { kill -KILL "$BASHPID"; }
        checks() { case $1 in *n=4) return 7 ;; *n=5) hangs ;; *n=6) dies ;; esac; }
        heal_main detect decide acts checks
        """
    )
    try:
        live.await_count("detected", 8)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
    ends = [event["outcome"] for event in live.events() if event["outcome"] != "started"]
    failed, unverified = "action-failed", "verify-failed"
    assert ends[:7] == [failed, "timed-out", failed, unverified, unverified, unverified, "success"]
    times = [float(line) for line in (live.root / "times").read_text().split()]
    assert times[7] - times[0] >= 7 * 0.5 - 0.4


def test_a_stop_waits_for_the_running_action(live: ShellSite) -> None:
    process = live.start(
        "slow() { act; await over; }\n" + HEALER, OPTIONS="--interval 100", ACTION="slow", FACTS=""
    )
    live.await_count("acted", 1)
    os.kill(process.pid, signal.SIGTERM)
    (live.root / "over").touch()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert live.outcomes() == ["started", "success"]
    assert cycle(live).outcome == "success"


def test_a_wake_does_not_cut_the_settling_short(live: ShellSite) -> None:
    process = live.limited(SETTLE="0.6").start(
        """
        now() { read -r uptime _ </proc/uptime; printf '%s\\n' "$uptime"; }
        acts() { now >"$TEST_ROOT/ended"; act; }
        checks() { now >"$TEST_ROOT/asked"; mark checked; }
        """
        + HEALER,
        OPTIONS="--interval 100",
        ACTION="acts",
        CHECK="checks",
        FACTS="",
    )
    try:
        live.await_count("acted", 1)
        while not live.count("checked"):
            os.kill(process.pid, signal.SIGUSR1)
            time.sleep(0.02)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    ended, asked = (float((live.root / name).read_text()) for name in ("ended", "asked"))
    assert asked - ended >= 0.59  # /proc/uptime has hundredths


def test_an_orphan_of_a_dead_healer_does_not_keep_its_lock(live: ShellSite) -> None:
    process = live.start(
        """
        detect() {
          (await over) >/dev/null 2>&1 &
          mark detected
        }
        decide() { :; }
        heal_main detect decide act good --interval 100
        """
    )
    live.await_count("detected", 1)
    await_cycle(live, 1)
    process.kill()
    process.wait()
    try:
        assert run(live, "--once", DEPTH="1").returncode == 0
    finally:
        (live.root / "over").touch()
        process.communicate(timeout=30)


def test_the_fleet_lock_is_held_while_the_action_runs(live: ShellSite, redis_url: str) -> None:
    link = RedisLink(redis_url)
    fleet = {"HEAL_REDIS_URL": redis_url, "HEAL_FLEET_LOCK": "broker", "HEAL_HOST": "host"}
    process = live.start(
        'fenced() { printf %s "$HEAL_FENCE" >"$TEST_ROOT/fence"; act; await over; }\n'
        'heal_act_with_guardrails "fix 1" fenced good',
        **fleet,
    )
    live.await_count("acted", 1)
    lock = link.scan_locks(time.time())[0]
    assert lock.owner.startswith(f"host/h/{process.pid}/")
    assert (live.root / "fence").read_text() == str(lock.fence)
    assert live.act("fix 2", **fleet) == "denied fleet"
    (live.root / "over").touch()
    process.communicate(timeout=30)
    assert not link.scan_locks(time.time())
    assert live.outcomes() == ["started", "denied", "success"]
    assert live.events("denied")[0]["reason"].startswith("lock broker is held by host/h/")


def test_a_redis_that_does_not_answer_is_unknown_and_denies(live: ShellSite) -> None:
    fleet = {"HEAL_REDIS_URL": "redis://:secret@127.0.0.1:1/0", "HEAL_FLEET_LOCK": "broker"}
    assert live.act("fix 1", **fleet) == "denied fleet"
    event = live.events("denied")[0]
    assert event["reason"] == "Redis unknown: 127.0.0.1:1 cannot be reached"
    assert "secret" not in live.audit.read_text()


def test_the_old_names_of_the_fleet_lock(live: ShellSite, redis_url: str) -> None:
    done = live.run(
        """
        token=$(heal_fleet_lock_acquire k 10); echo "$?"
        heal_fleet_lock_acquire k 10; echo "$?"
        heal_fleet_lock_release k other; echo "$?"
        heal_fleet_lock_release k "$token"; echo "$?"
        """,
        HEAL_REDIS_URL=redis_url,
    )
    assert done.stdout.split() == ["0", "1", "1", "0"]
    assert not RedisLink(redis_url).scan_locks(time.time())
