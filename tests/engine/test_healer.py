"""A healer's four functions, its facts, and its settings."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import healconsole
from healconsole import Fact, Healer, Intent, Policy
from healconsole.engine.process import time_limit
from healconsole.engine.settings import SettingError, settings_from
from healconsole.engine.singleton import AlreadyRunning, Singleton
from tests.engine.sites import NOON, Site

NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


@given(st.dictionaries(NAMES, st.text(max_size=40)))
def test_a_fact_can_be_read_back(values: dict[str, str]) -> None:
    assert dict(Fact.parse(str(Fact(values)))) == values
    assert "\n" not in str(Fact(values))


@pytest.mark.parametrize("text", ["", "1e5", "nan", "inf", "08", "0x10", "1_000", " 1", "1" * 50])
def test_what_is_no_plain_number_is_none(text: str) -> None:
    assert Fact(n=text).number("n") is None


def test_a_failed_measurement_is_no_zero() -> None:
    fact = Fact.failed("depth", ConnectionError("down"))
    assert fact["depth"] == "ERROR"
    assert fact.number("depth") is None
    assert fact.has_error("depth")
    assert fact.has_error()
    assert not Fact(depth=0).has_error()


def test_four_functions_are_a_healer(site: Site) -> None:
    healer = Healer(
        "h",
        policy=Policy(settle=0),
        detect=lambda: {"depth": 12},
        decide=lambda fact: (
            f"fix depth={fact['depth']}" if (fact.number("depth") or 0) > 9 else None
        ),
        act=lambda _intent: site.act(),
        verify=lambda _intent: True,
    )
    environ = {"HEAL_STATE_DIR": str(site.state), "HEAL_AUDIT_FILE": str(site.audit)}
    assert healer.main(["--once"], environ, lambda: NOON) == 0
    assert site.acts() == 1
    assert [event["intent"] for event in site.events()] == ["fix depth=12"] * 2


def test_phases_can_be_called_alone() -> None:
    class Janitor(Healer):
        name = "janitor"

        def decide(self, fact: Fact) -> Intent | None:
            return Intent("sweep", "floor") if fact.number("dust") else None

    decision = Janitor().consider(Fact(dust=3))
    assert decision.wanted(Policy()) == Intent("sweep", "floor")
    assert Janitor().consider(Fact(dust="ERROR")).intent == ""


def test_a_healer_without_a_phase_says_which() -> None:
    assert "a healer has a detect" in Healer("x").measure()["error"]
    assert "a healer has a decide" in Healer("x").consider(Fact()).problem


def test_a_command_of_a_healer_is_bounded() -> None:
    healer = Healer("x", policy=Policy(check_timeout=0.1))
    assert healer.command("sleep", "60").timed_out
    assert healer.command("echo", "x", timeout=10).output == b"x\n"


def test_no_limit_outside_the_main_thread() -> None:
    entered: list[bool] = []

    def work() -> None:
        with time_limit(0.001, "x"):
            entered.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [True]


def test_settings_come_from_the_same_variables_as_the_shell_librarys(tmp_path: Path) -> None:
    environ = {
        "HEAL_STATE_ROOT": str(tmp_path),
        "HEAL_AUDIT_FILE": "/a.jsonl",
        "HEAL_RATE": "0.5",
        "HEAL_BURST": "9",
        "HEAL_CB_MAX": "8",
        "HEAL_CB_COOLDOWN": "7",
        "HEAL_BUCKET": "60",
        "HEAL_SETTLE": "1.5",
        "HEAL_ACTION_TIMEOUT": "11",
        "HEAL_CHECK_TIMEOUT": "12",
        "HEAL_INTERVAL": "13",
        "HEAL_SCOPE": "all",
        "HEAL_FLEET_LOCK": "broker",
        "HEAL_REDIS_URL": "redis://r",
        "HEAL_TEXTFILE_DIR": "/t",
        "DRY_RUN": "maybe",
    }
    found = settings_from("h", environ, Policy(), 60)
    assert found.state_dir == tmp_path / "h"
    assert found.audit == Path("/a.jsonl")
    assert found.policy == Policy(
        rate_micro=500_000,
        burst=9,
        max_failures=8,
        cooldown=7,
        bucket=60,
        settle=1.5,
        action_timeout=11,
        check_timeout=12,
        scope="all",
        fleet_lock="broker",
    )
    assert (found.interval, found.redis, found.dry_env) == (13, "redis://r", "maybe")
    whole = settings_from("h", {**environ, "HEAL_STATE_DIR": "/s"}, Policy(), 60)
    assert whole.state_dir == Path("/s")
    with pytest.raises(SettingError, match="no name for a healer"):
        settings_from("a/b", {}, Policy(), 60)


def test_one_at_a_time(site: Site) -> None:
    site.guard()
    with Singleton("h", site.state):
        content = (site.state / ".singleton").read_text().split()
        assert content[0] == str(os.getpid())
        with pytest.raises(AlreadyRunning) as caught, Singleton("h", site.state):
            pass
        assert caught.value.pid == os.getpid()
    with Singleton("h", site.state):
        pass


def test_a_lock_file_that_is_a_link_is_not_followed(site: Site) -> None:
    site.guard()
    (site.state / ".singleton").symlink_to(site.root / "elsewhere")
    with pytest.raises(OSError, match="symbolic"), Singleton("h", site.state):
        pass
    assert not (site.root / "elsewhere").exists()


def test_the_package_loads_what_is_asked_for_and_no_more() -> None:
    code = (
        "import sys, healconsole; before = set(sys.modules); healconsole.Policy; "
        "assert not any(m.startswith('healconsole.engine') for m in sys.modules); "
        "healconsole.Guard; "
        "assert not {'textual', 'rich', 'redis', 'watchfiles'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        healconsole.Nothing  # noqa: B018 - the look-up is the test
