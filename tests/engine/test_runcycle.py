"""An operator's cycle: planned, asked for, followed, and cancelled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core.plan import ActRefused
from healconsole.core.records import Policy
from healconsole.core.snapshot import CatalogEntry, HealerState
from healconsole.engine import relay
from healconsole.engine.follow import PhaseEvent
from healconsole.engine.operators import Operator, OperatorDesk
from healconsole.engine.runcycle import NO_CYCLE, OperatorCycle
from healconsole.stores.auditlog import AuditUnwritable
from tests.engine.healers import REPO, Program, until
from tests.engine.sites import Site

DESK_OPERATOR = Operator("ada", 0, None, "cli", "")


class Console:
    """An operator's side of the site."""

    def __init__(self, site: Site, program: Program) -> None:
        self.site = site
        self.program = program
        self.desk = OperatorDesk(
            site.root, site.audit, DESK_OPERATOR, time.time, "web1",
            catalog=site.root / "healers.d",
        )  # fmt: skip
        self.events: list[PhaseEvent] = []

    def entry(self, *options: str, **more: str) -> CatalogEntry:
        environment = {"PYTHONPATH": str(REPO), "ROOT": str(self.site.root), **more}
        return CatalogEntry(
            "h",
            "/etc/heal/healers.d/h.toml",
            command=(sys.executable, str(self.program.path), "--once", *options),
            environment=tuple(environment.items()),
        )

    def healer(self, entry: CatalogEntry | None) -> HealerState:
        return replace(self.desk.read("h"), catalog=entry)

    def cycle(self, entry: CatalogEntry | None) -> OperatorCycle:
        return OperatorCycle(self.desk, self.healer(entry), on_event=self.events.append)

    def phases(self) -> dict[str, str]:
        return {event.phase: event.text for event in self.events if event.phase != "output"}


@pytest.fixture
def console(site: Site, program: Program) -> Console:
    """A console on a site whose healer has run a cycle with nothing to do."""
    assert program.run("--once").returncode == 0
    return Console(site, program)


def test_a_plan_spends_nothing(site: Site, console: Console) -> None:
    console.program.says(intent="fix pid=1")
    before = site.content()
    plan = console.cycle(console.entry()).plan()
    assert (plan.fact, plan.intent, plan.mode, plan.problem) == ("depth=1", "fix pid=1", "live", "")
    assert plan.verdict is not None
    assert plan.verdict.allow
    assert site.content() == before
    assert site.events() == []


def test_a_plan_that_fails_says_why(console: Console) -> None:
    assert "no daemon runs" in console.cycle(None).plan().problem
    entry = replace(console.entry(), command=("sh", "-c", "echo broken >&2; exit 3"))
    assert "exit code 3: broken" in console.cycle(entry).plan().problem
    entry = replace(console.entry(), command=("echo", "[1]"))
    assert "not in its format" in console.cycle(entry).plan().problem


def test_a_legacy_healer_is_not_asked_for_a_plan(site: Site, console: Console) -> None:
    """It would not know the option, and act."""
    (site.state / "cycle.json").unlink()
    entry = replace(console.entry(), command=("touch", str(site.root / "acted")))
    assert "can plan a cycle" in console.cycle(entry).plan().problem
    assert not (site.root / "acted").exists()


def test_a_cycle_is_started_once_audited_and_followed(site: Site, console: Console) -> None:
    console.program.says(intent="fix pid=1", act="print('hello', flush=True)")
    result = console.cycle(console.entry()).run(reason="drill", incident="INC-1")
    assert (result.outcome, result.exit_code, result.failed) == ("success", 0, False)
    assert [event["outcome"] for event in site.events()] == ["operator-run", "started", "success"]
    asked, started, _ = site.events()
    assert (asked["reason"], asked["incident"]) == ("drill", "INC-1")
    assert asked["operator"]["user"] == "ada"
    assert started["trigger"] == "operator"
    phases = console.phases()
    assert phases["detect"] == "depth=1"
    assert phases["decide"] == "fix pid=1"
    assert phases["guard"] == "all guardrails pass"
    assert phases["done"] == "success"
    assert next(event.text for event in console.events if event.phase == "output") == "hello"
    order = [event.phase for event in console.events if event.phase != "output"]
    assert order == ["detect", "decide", "guard", "act", "act", "verify", "done"]


def test_the_stage_of_the_catalog_holds_for_an_operator_too(site: Site, console: Console) -> None:
    console.program.says(intent="fix pid=1")
    entry = replace(console.entry(), stage="canary", policy=Policy(canaries="web-1*"))
    elsewhere = replace(entry, environment=(*entry.environment, ("HEAL_HOST", "db-1")))
    assert console.cycle(elsewhere).run(reason="drill").outcome == "dry-run"
    assert "stage canary: db-1 is no canary" in site.events("dry-run")[0]["reason"]
    there = replace(entry, environment=(*entry.environment, ("HEAL_HOST", "web-12")))
    assert console.cycle(there).run(reason="drill").outcome == "success"


def test_a_denied_cycle_does_nothing_and_says_why(site: Site, console: Console) -> None:
    console.program.says(intent="fix pid=1").run("--once")
    result = console.cycle(console.entry()).run(reason="again")
    assert (result.outcome, result.failed) == ("", False)
    assert result.text.startswith("denied by idempotency")
    assert site.count("acted") == 1


def test_a_cycle_with_nothing_to_do(console: Console) -> None:
    result = console.cycle(console.entry()).run(reason="look")
    assert (result.outcome, result.text) == ("", "nothing to do")
    assert console.phases()["detect"] == "depth=1"


def test_a_failed_cycle_is_a_failure(console: Console) -> None:
    console.program.says(intent="fix", verify="False")
    result = console.cycle(console.entry()).run(reason="drill")
    assert (result.outcome, result.failed, result.exit_code) == ("verify-failed", True, 1)


def test_a_command_without_a_record_is_judged_by_its_exit_code(console: Console) -> None:
    entry = replace(console.entry(), command=("sh", "-c", "echo said; exit 4"))
    result = console.cycle(entry).run(reason="x")
    assert (result.exit_code, result.problem) == (4, "the command ended with exit code 4")
    assert [event.text for event in console.events if event.phase == "output"] == ["said"]
    entry = replace(console.entry(), command=("true",))
    quiet = console.cycle(entry).run(reason="x")
    assert (quiet.outcome, quiet.text, quiet.failed) == ("", NO_CYCLE, False)
    entry = replace(console.entry(), command=("/no/such/program",))
    assert console.cycle(entry).run(reason="x").exit_code == 127


def test_the_environment_is_clean(
    site: Site, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", "x")
    monkeypatch.setenv("DRY_RUN", "1")
    entry = replace(console.entry(), command=("sh", "-c", f"env > {site.root}/env; pwd"))
    console.cycle(entry).run(reason="x")
    found = (site.root / "env").read_text()
    assert "SECRET_OF_MINE" not in found
    assert "DRY_RUN" not in found
    assert f"HEAL_STATE_DIR={site.state}\n" in found
    assert "HEAL_TRIGGER=operator\n" in found
    assert console.events[0].text == "/"


def test_a_running_daemon_is_asked_and_never_doubled(site: Site, console: Console) -> None:
    console.program.says(intent="fix pid=1")
    daemon = console.program.start("--interval", "3600", HEAL_BUCKET="1")
    until(lambda: site.count("acted") == 1 and console.desk.read("h").daemon_pid is not None)
    until(lambda: console.healer(None).cycle is not None and site.events("success"))
    console.program.says(intent="fix pid=2")
    lacks = console.cycle(None).plan().problem
    assert f"the catalog {site.root / 'healers.d'} has no command for it" in lacks
    assert f"Its daemon, pid {daemon.pid}, is asked for the cycle" in lacks
    assert "no daemon" not in lacks
    result = console.cycle(None).run(reason="now")
    assert (result.outcome, result.exit_code) == ("success", None)
    asked = site.events("operator-run")[0]
    assert asked["before"] == f"daemon pid {daemon.pid}"
    assert {event["pid"] for event in site.events("started")} == {daemon.pid}
    assert site.events("started")[-1]["trigger"] == "operator"
    assert console.phases()["done"] == "success"


def test_a_daemon_that_dies_is_told(site: Site, console: Console) -> None:
    console.program.says(intent="fix", act="mark('inside'); time.sleep(60)")
    daemon = console.program.start("--interval", "3600", HEAL_ACTION_TIMEOUT="50")
    site.await_count("inside", 1)
    cycle = console.cycle(None)
    killer = threading.Timer(0.3, daemon.kill)
    killer.start()
    result = cycle.run(reason="x")
    killer.join()
    assert "ended before it recorded" in result.problem
    assert result.failed


def test_cancelling_a_started_cycle_lets_its_action_finish(site: Site, console: Console) -> None:
    console.program.says(intent="fix", act="mark('inside'); time.sleep(0.5)")
    cycle = console.cycle(console.entry())
    said: list[str] = []

    def cancel() -> None:
        site.await_count("inside", 1)
        said.append(cycle.cancel())

    other = threading.Thread(target=cancel)
    other.start()
    result = cycle.run(reason="x")
    other.join()
    assert "finished or timed out" in said[0]
    assert result.outcome == "success"
    assert cycle.cancel() == "nothing runs"


def test_cancelling_stops_watching_a_daemon(site: Site, console: Console) -> None:
    daemon = console.program.start("--interval", "3600")
    until(lambda: console.desk.read("h").daemon_pid == daemon.pid and site.count("detected") >= 2)
    console.program.says(intent="fix", act="mark('inside'); time.sleep(0.3)")
    cycle = console.cycle(None)
    said: list[str] = []

    def cancel() -> None:
        site.await_count("inside", 1)
        said.append(cycle.cancel())

    other = threading.Thread(target=cancel)
    other.start()
    result = cycle.run(reason="x")
    other.join()
    assert "goes on with its cycle" in said[0]
    assert "not watched any more" in result.problem
    until(lambda: site.events("success"))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (None, "no command"),
        (CatalogEntry("h", "h.toml", command=("x",), problem="others can write it"), "is not used"),
        (CatalogEntry("h", "h.toml", command=("x",), user="no-such-user"), "there is no user"),
    ],
)
def test_what_cannot_be_run_is_refused_before_it_is_audited(
    site: Site, console: Console, entry: CatalogEntry | None, says: str
) -> None:
    with pytest.raises(ActRefused, match=says):
        console.cycle(entry).run(reason="x")
    with pytest.raises(ActRefused, match="a reason is needed"):
        console.cycle(console.entry()).run(reason=" ")
    assert site.events() == []


def test_what_cannot_be_audited_is_not_run(site: Site, console: Console) -> None:
    site.audit.mkdir()
    entry = replace(console.entry(), command=("touch", str(site.root / "acted")))
    with pytest.raises(AuditUnwritable):
        console.cycle(entry).run(reason="x")
    assert not (site.root / "acted").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_root_runs_it_as_its_user(site: Site, console: Console) -> None:
    entry = replace(console.entry(), command=("sh", "-c", "id -un; id -G"), user="nobody")
    console.cycle(entry).run(reason="x")
    said = [event.text for event in console.events if event.phase == "output"]
    assert said[0] == "nobody"
    assert "0" not in said[1].split()


def test_the_relay_outlives_its_reader(tmp_path: Path) -> None:
    """The console dies: the cycle neither gets SIGPIPE nor waits for anybody."""
    script = f"for i in $(seq 2000); do echo line $i of some length; done; echo > {tmp_path}/done"
    child = subprocess.Popen(
        [sys.executable, "-I", relay.__file__, "--", "bash", "-ec", script],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None
    child.stdout.read(10)
    child.stdout.close()
    assert child.wait(20) == 0
    assert (tmp_path / "done").exists()


def test_the_relay_is_not_held_up_by_a_reader_that_sleeps() -> None:
    with subprocess.Popen(
        [sys.executable, "-I", relay.__file__, "--", "head", "-c", "3000000", "/dev/zero"],
        stdout=subprocess.PIPE,
    ) as child:
        assert child.wait(20) == 0


def test_the_relay_ends_though_something_keeps_the_pipe(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; echo said"
    done = subprocess.run(
        [sys.executable, "-I", relay.__file__, "--", "bash", "-c", script],
        check=True,
        capture_output=True,
        timeout=20,
    )
    os.kill(int((tmp_path / "pid").read_text()), 9)
    assert done.stdout == b"said\n"
