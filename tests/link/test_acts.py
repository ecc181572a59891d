"""What an ended console leaves running: nothing that only looked, and every act to its end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.program import PROGRAM, Site, cycle
from tests.link.consoles import A_SECOND, ROOT, Console

HEALER = """#!/usr/bin/env bash
if [[ ${1-} == --plan ]]; then
  [[ -e $ROOT/plans ]] || exit 3
  echo $$ >"$ROOT/planning"
  exec sleep 600
fi
act() {
  : >"$ROOT/acting"
  until [[ -e $ROOT/go ]]; do sleep 0.05; done
}
check() { :; }
source "$HEAL_SH"
heal_init
HEAL_SETTLE=0 heal_act_with_guardrails "fix it=1" act check tried
"""


def until(holds: Callable[[], object], within: float = 20.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it never was"
        time.sleep(0.02)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One healer that can be run from the catalog."""
    made = Site(tmp_path, int(time.time()))
    made.write("h/cycle.json", cycle(made.now, intent="", verdict=None, outcome=""))
    script = tmp_path / "healer.sh"
    script.write_text(HEALER)
    script.chmod(0o755)
    (tmp_path / "healers.d").mkdir()
    (tmp_path / "healers.d" / "h.toml").write_text(
        f'command = ["{script}"]\n'
        f'environment = {{ NAME = "h", ROOT = "{tmp_path}", '
        f'HEAL_SH = "{ROOT}/healconsole/shell/heal.sh" }}\n'
    )
    return made


def outcomes(site: Site) -> list[str]:
    """The outcomes in the audit log, in order."""
    return [event["outcome"] for event in site.events()] if site.audit.exists() else []


def opened(site: Site) -> Console:
    """The console with the dialog that runs a cycle."""
    console = Console((*PROGRAM, *site.options), site.environment, columns=100, rows=30)
    console.wait_for("READ-WRITE")
    console.send("x")
    console.wait_for("Run one cycle of h")
    return console


def test_a_plan_ends_with_the_console_that_wanted_to_see_it(site: Site) -> None:
    (site.root / "plans").touch()
    with opened(site) as console:
        until((site.root / "planning").exists)
        console.signal(signal.SIGTERM)
        code, took = console.ends()
        assert code == 128 + signal.SIGTERM
        assert took < A_SECOND
        pid = (site.root / "planning").read_text().strip()
        until(lambda: not Path(f"/proc/{pid}").exists(), within=5.0)
    assert outcomes(site) == []


def test_an_act_that_was_started_ends_and_is_audited(site: Site) -> None:
    with opened(site) as console:
        console.wait_for("the plan failed")
        console.send("drill\r\r")
        console.wait_for("enter: run")
        console.send("\r")
        until((site.root / "acting").exists)
        assert outcomes(site) == ["operator-run", "started"]
        console.signal(signal.SIGHUP)
        code, took = console.ends()
        assert code == 128 + signal.SIGHUP
        assert took < A_SECOND
        assert console.is_restored()
        assert outcomes(site) == ["operator-run", "started"]
    (site.root / "go").touch()
    until(lambda: outcomes(site)[-1] == "success")
    until(lambda: not console.left_behind())
