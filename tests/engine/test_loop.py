"""The loop as a process: its options, its signals, and what it leaves when it is killed."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from healconsole.core.cycle import parse_cycle
from healconsole.core.records import CycleRecord
from healconsole.core.words import Library
from healconsole.stores.statedir import read_healer
from tests.engine.healers import Program, ended, until
from tests.engine.sites import Site


def cycle(site: Site) -> CycleRecord:
    found = parse_cycle((site.state / "cycle.json").read_bytes(), "cycle.json")
    assert isinstance(found, CycleRecord)
    return found


def test_detect_prints_the_fact_and_touches_nothing(site: Site, program: Program) -> None:
    done = program.says(depth="12,5").run("--detect")
    assert (done.returncode, done.stdout) == (0, "depth=12%2C5\n")
    assert not site.state.exists()


def test_plan_says_what_would_be_done_and_touches_nothing(site: Site, program: Program) -> None:
    program.says(intent="fix pid=1")
    planned = program.run("--once", "--plan")
    assert json.loads(planned.stdout) == {
        "fact": "depth=1",
        "intent": "fix pid=1",
        "verdict": {
            "allow": True,
            "guard": "",
            "reason": "all guardrails pass",
            "earliest": None,
        },
        "mode": "live",
    }
    assert planned.stdout.count("\n") == 1
    assert not site.state.exists()
    assert not site.audit.exists()
    denied = json.loads(program.says(intent="bad\tintent").run("--plan").stdout)
    assert denied["verdict"]["guard"] == "intent"
    nothing = json.loads(program.says(intent="").run("--plan", "--dry-run").stdout)
    assert (nothing["verdict"], nothing["mode"]) == (None, "dry-run")


def test_once_runs_one_cycle_and_records_it(site: Site, program: Program) -> None:
    program.says(intent="fix pid=1")
    textfiles = site.root / "textfiles"
    textfiles.mkdir()
    done = program.run("--once", HEAL_TEXTFILE_DIR=str(textfiles), HEAL_TRIGGER="operator")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    found = cycle(site)
    assert (found.seq, found.trigger, found.outcome) == (1, "operator", "success")
    assert (found.fact, found.intent, found.mode) == ("depth=1", "fix pid=1", "live")
    assert found.library is Library.PYTHON
    assert found.policy.burst == 1000
    assert found.next_due == 0
    assert site.count("acted") == 1
    metric = (textfiles / "heal_h.prom").read_text()
    assert f'heal_last_cycle_timestamp_seconds{{healer="h"}} {found.at:.3f}' in metric
    assert os.listdir(textfiles) == ["heal_h.prom"]  # noqa: PTH208 - the names are the point

    again = program.run("--once")
    assert again.returncode == 0
    assert "denied by idempotency" in again.stderr
    assert (cycle(site).seq, cycle(site).outcome) == (2, "")
    verdict = cycle(site).verdict
    assert verdict is not None
    assert verdict.guard == "idempotency"
    program.run("--once")
    assert len(site.events("denied")) == 1  # said by the process before


def test_a_failed_act_is_exit_code_1(site: Site, program: Program) -> None:
    assert program.says(intent="fix", verify="False").run("--once").returncode == 1
    assert cycle(site).outcome == "verify-failed"


def test_dry_run_acts_on_nothing(site: Site, program: Program) -> None:
    done = program.says(intent="fix").run("--once", "--dry-run")
    assert done.returncode == 0
    assert site.count("acting") == 0
    assert cycle(site).mode == "dry-run"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"HEAL_BURST": "0"}, "burst must be"),
        ({"HEAL_BURST": "08x"}, "HEAL_BURST='08x': takes a whole number"),
        ({"HEAL_RATE": "fast"}, "HEAL_RATE='fast': takes tokens per second"),
        ({"HEAL_SETTLE": "nan"}, "HEAL_SETTLE='nan': takes seconds"),
        ({"HEAL_INTERVAL": "0"}, "HEAL_INTERVAL='0': takes seconds"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line(
    site: Site, program: Program, environ: dict[str, str], says: str
) -> None:
    done = program.run("--once", **environ)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_detect_and_decide_raise_is_a_fact_and_the_loop_goes_on(
    site: Site, program: Program
) -> None:
    program.says(detect="raise ConnectionError('redis is down')")
    child = program.start("--interval", "0.05")
    until(lambda: site.count("detected") >= 3)
    assert cycle(site).fact == "detect=ERROR,error=ConnectionError: redis is down"
    program.says(detect="pass", decide="1 / 0")
    until(lambda: "decide=ERROR" in cycle(site).fact)
    program.says(decide="pass", intent="fix", act="raise SystemExit(3)")
    until(lambda: site.events("action-failed"))
    program.says(act="pass", intent="fix 2")
    until(lambda: site.events("success"))
    child.terminate()
    assert ended(child)[0] == 0


def test_a_detect_that_hangs_costs_its_time_and_no_more(site: Site, program: Program) -> None:
    program.says(detect="time.sleep(60)")
    done = program.run("--once", HEAL_CHECK_TIMEOUT="0.2")
    assert done.returncode == 0
    assert cycle(site).fact == "detect=ERROR,error=TimeoutError: detect timed out after 0.2 s"


def test_the_loop_goes_on_at_its_interval_after_each_failure(site: Site, program: Program) -> None:
    """A failed act must not end the loop: a restart would come sooner than the interval."""
    program.says(intent="fix", verify="False")
    child = program.start("--interval", "0.3")
    until(lambda: cycle_seq(site) >= 4)
    child.terminate()
    assert ended(child)[0] == 0
    assert len({event["pid"] for event in site.events()}) == 1
    assert len(site.events("verify-failed")) == 3  # then the circuit is open


def cycle_seq(site: Site) -> int:
    return cycle(site).seq if (site.state / "cycle.json").exists() else 0


def test_usr1_wakes_the_loop_for_an_operators_cycle(site: Site, program: Program) -> None:
    child = program.start("--interval", "3600")
    until(lambda: cycle_seq(site) == 1)
    assert cycle(site).trigger == "timer"
    due = cycle(site)
    assert 3590 < due.next_due - due.at <= 3600
    child.send_signal(signal.SIGUSR1)
    until(lambda: cycle_seq(site) == 2)
    assert cycle(site).trigger == "operator"
    assert read_healer(site.root, "h").daemon_pid == child.pid
    child.terminate()
    assert ended(child) == (0, "h: stopped by SIGTERM\n")
    assert read_healer(site.root, "h").daemon_pid is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stop_waits_for_the_running_action_and_its_record(
    site: Site, program: Program, number: signal.Signals
) -> None:
    program.says(intent="fix", act="time.sleep(0.4)")
    child = program.start()
    site.await_count("acting", 1)
    child.send_signal(number)
    assert ended(child)[0] == 0
    assert [event["outcome"] for event in site.events()] == ["started", "success"]
    assert cycle(site).outcome == "success"


def test_a_wake_does_not_cut_the_settling_short(site: Site, program: Program) -> None:
    now = '(ROOT / "{}").write_text(str(time.monotonic()))'
    program.says(intent="fix", act=now.format("ended"), verify=now.format("asked"))
    child = program.start("--interval", "60", HEAL_SETTLE="0.6")
    site.await_count("acted", 1)
    while not (site.root / "asked").exists():
        os.kill(child.pid, signal.SIGUSR1)
        time.sleep(0.02)
    child.terminate()
    assert ended(child)[0] == 0
    assert float((site.root / "asked").read_text()) >= (
        float((site.root / "ended").read_text()) + 0.6
    )


def test_the_second_instance_says_who_runs(site: Site, program: Program) -> None:
    child = program.start("--interval", "3600")
    until(lambda: cycle_seq(site) == 1)
    for options in ([], ["--once"]):
        second = program.run(*options)
        assert second.returncode == 1
        assert f"already runs as pid {child.pid}" in second.stderr
        assert second.stderr.count("\n") == 1
    child.terminate()
    assert ended(child)[0] == 0


def test_an_orphan_of_a_dead_healer_does_not_keep_its_lock(site: Site, program: Program) -> None:
    orphan = "import subprocess; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    program.says(intent="fix", act=orphan)
    child = program.start()
    site.await_count("acting", 1)
    until(lambda: any(b"sleep" in command for command in program.left().values()))
    child.kill()
    child.wait(20)
    assert program.left()
    program.says(act="pass")
    done = program.run("--once")
    assert done.returncode == 0, done.stderr
    assert len(site.events("interrupted")) == 1
    assert site.count("acted") == 0
    verdict = cycle(site).verdict
    assert verdict is not None
    assert "interrupted" in verdict.reason


@pytest.mark.parametrize("phase", ["act", "verify"])
def test_killed_in_the_middle_the_next_cycle_says_interrupted(
    site: Site, program: Program, phase: str
) -> None:
    code = "mark('inside') or time.sleep(1)"
    program.says(intent="fix", **{phase: code})
    child = program.start()
    site.await_count("inside", 1)
    child.kill()
    child.wait(20)
    program.says(intent="", act="pass", verify="True")
    assert program.run("--once").returncode == 0
    assert [event["outcome"] for event in site.events()] == ["started", "interrupted"]
    assert program.says(intent="fix").run("--once").returncode == 0
    assert site.count("acting") == 1
    assert (site.state / "cb" / "fix").read_text().startswith("1 ")


def test_a_denial_that_goes_on_is_two_events(site: Site, program: Program) -> None:
    program.says(intent="fix")
    child = program.start("--interval", "0.02")
    until(lambda: cycle_seq(site) >= 8)
    program.says(intent="")
    until(lambda: len(site.events("denied")) == 2)
    child.terminate()
    assert ended(child)[0] == 0
    first, last = site.events("denied")
    assert "count" not in first
    assert last["count"] >= 6
    assert first["guard"] == last["guard"] == "idempotency"


def test_the_loop_survives_a_heartbeat_that_cannot_be_written(site: Site, program: Program) -> None:
    program.says(intent="fix")
    child = program.start("--interval", "0.4")
    until(lambda: cycle_seq(site) >= 1)
    (site.state / "cycle.json").unlink()
    (site.state / "cycle.json").mkdir()
    seen = site.count("detected")
    site.await_count("detected", seen + 3)
    (site.state / "cycle.json").rmdir()
    until((site.state / "cycle.json").exists)
    child.terminate()
    code, said = ended(child)
    assert code == 0
    assert "the heartbeat cannot be written" in said
