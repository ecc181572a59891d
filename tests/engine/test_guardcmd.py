"""``healconsole guard … -- CMD``, called as the command line calls it."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from healconsole.core.records import CycleRecord
from healconsole.engine.guardcmd import main
from healconsole.stores.statedir import read_healer
from tests.engine.healers import REPO
from tests.engine.sites import Site


def options(site: Site, command: list[str], **given: Any) -> argparse.Namespace:  # noqa: ANN401
    found: dict[str, Any] = dict.fromkeys(
        ("check", "rate", "burst", "max_failures", "cooldown", "bucket", "settle", "timeout")
    )
    found |= {
        "healer": "job",
        "intent": "back-up db=a",
        "dry_run": False,
        "guarded_command": command,
        "state_root": str(site.root / "root"),
        "audit": str(site.audit),
        "settle": 0,
    }
    return argparse.Namespace(**{**found, **given})


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HEAL_") or name == "DRY_RUN":
            monkeypatch.delenv(name)


def test_output_and_exit_code_pass_through(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(options(site, ["sh", "-c", "echo out; echo err >&2"])) == 0
    assert capfd.readouterr() == ("out\n", "err\n")
    assert main(options(site, ["sh", "-c", "exit 7"], intent="other")) == 7
    assert "action exit code 7" in capfd.readouterr().err
    assert [event["trigger"] for event in site.events()] == ["guard"] * 4


def test_a_job_has_a_heartbeat_like_any_healer(site: Site) -> None:
    for _ in range(2):
        main(options(site, ["true"]))
    found = read_healer(site.root / "root", "job").cycle
    assert isinstance(found, CycleRecord)
    assert (found.seq, found.trigger, found.intent, found.outcome) == (
        2,
        "guard",
        "back-up db=a",
        "",
    )
    assert found.verdict is not None
    assert found.verdict.guard == "idempotency"


def test_a_denied_command_does_not_run(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    command = ["sh", "-c", f"printf . >> {site.root}/acted"]
    assert [main(options(site, command)) for _ in range(3)] == [0, 1, 1]
    assert site.acts() == 1
    assert "denied by idempotency" in capfd.readouterr().err


def test_the_check_decides(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(options(site, ["true"], check="test -e nothing")) == 1
    assert "verify-failed" in capfd.readouterr().err
    assert main(options(site, ["true"], check="echo $HOME | grep -q .", intent="b")) == 0


def test_a_command_that_hangs_is_124(site: Site) -> None:
    assert main(options(site, ["sleep", "60"], timeout=0.2)) == 124
    assert site.events()[-1]["outcome"] == "timed-out"


def test_dry_run_runs_nothing_and_is_0(site: Site) -> None:
    assert main(options(site, ["false"], dry_run=True)) == 0
    assert [event["outcome"] for event in site.events()] == ["dry-run"]


def test_what_is_said_of_it_commands_no_terminal(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = "a\x1b]0;t\x07\nfake: line"
    assert main(options(site, ["restart", bad], dry_run=True)) == 0
    assert main(options(site, ["true"], healer=bad)) == 2
    told = capfd.readouterr().err
    assert "\x1b" not in told
    assert len(told.splitlines()) == 2


def test_limits_are_those_of_the_line(site: Site) -> None:
    given = {"rate": "0.5", "burst": 2, "max_failures": 1, "cooldown": 60}
    assert main(options(site, ["false"], **given)) == 1
    state = site.root / "root" / "job"
    assert (state / "rate" / "back-up").read_text().endswith(" 1.000000 0.500000 2\n")
    assert " 1 60 open " in (state / "cb" / "back-up").read_text()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"rate": "fast"}, "--rate='fast'"),
        ({"burst": 0}, "burst must be"),
        ({"healer": "../x"}, "no name for a healer"),
    ],
)
def test_bad_limits_are_usage(
    site: Site, given: dict[str, Any], says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(options(site, ["true"], **given)) == 2
    assert says in capfd.readouterr().err
    assert site.events() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_command_and_is_recorded(site: Site, number: signal.Signals) -> None:
    program = site.root / "run.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from healconsole.engine.guardcmd import main\n"
        "from tests.engine.sites import Site\n"
        "from tests.engine.test_guardcmd import options\n"
        f"site = Site(Path({str(site.root)!r}))\n"
        f"command = ['sh', '-c', 'printf . > {site.root}/acted; sleep 60']\n"
        "sys.exit(main(options(site, command)))\n"
    )
    child = subprocess.Popen(
        [sys.executable, program],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        cwd=REPO,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            site.await_count("acted", 1)
            child.send_signal(number)
            _, err = child.communicate(timeout=20)
        finally:
            child.kill()
    assert child.returncode not in {0, -number}
    assert f"ended by {number.name}" in err
    assert [event["outcome"] for event in site.events()] == ["started", "action-failed"]
    assert Path(site.root / "acted").exists()
