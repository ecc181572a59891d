"""What a verdict and an act cost in bash, in processes started: time depends on the machine."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.shell.bashes import NOON, ShellSite

STRACE = shutil.which("strace")
pytestmark = pytest.mark.skipif(STRACE is None, reason="strace is not installed")

ACT = 'heal_act_with_guardrails "fix pid=1" : good\n'
SETTING = "heal_init\ngood() { :; }\nnothing() { :; }\n"


def forks(site: ShellSite, before: str, measured: str) -> int:
    """Processes that ``measured`` starts after ``before``, whoever starts them."""
    counts = []
    log = site.root / "forks"
    for number, script in enumerate((before, before + measured)):
        assert STRACE is not None
        own = ShellSite(site.root / str(number)).limited(**{k[5:]: v for k, v in site.limits})
        own.root.mkdir(exist_ok=True)
        done = own.run(
            SETTING + script,
            prefix=[STRACE, "-f", "-o", str(log), "-e", "trace=clone,clone3,fork,vfork"],
        )
        assert done.returncode == 0, done.stderr
        text = log.read_text()
        counts.append(len(re.findall(r"(?:clone3?|v?fork)\(", text)))
    return counts[1] - counts[0]


def act(intent: str) -> str:
    return f'heal_act_with_guardrails "{intent}" nothing good\n'


def test_an_act_takes_at_most_eight(site: ShellSite) -> None:
    assert forks(site, "", act("fix pid=1")) <= 8


def test_a_later_act_of_the_same_process_takes_at_most_eight(site: ShellSite) -> None:
    assert forks(site, act("fix pid=1"), act("fix pid=2")) <= 8


def test_a_long_log_does_not_make_a_later_act_dearer(site: ShellSite) -> None:
    fill = "for ((i = 0; i < 2000; i++)); do echo '{}'; done >>\"$HEAL_AUDIT_FILE\"\n"
    assert forks(site, fill + act("fix pid=1"), act("fix pid=2")) <= 8


@pytest.mark.parametrize(
    ("limits", "before", "intent"),
    [
        ({}, act("fix pid=1") * 2, "fix pid=1"),
        ({"BURST": 1}, act("fix pid=1") + act("fix pid=2"), "fix pid=2"),
        (
            {"CB_MAX": 1},
            "heal_cb_record fix failure\n" + act("fix pid=1"),
            "fix pid=1",
        ),
        (
            {},
            f'echo "on {NOON} 0 ana" >"$HEAL_STATE_DIR/hold"\n' + act("fix pid=1"),
            "fix pid=1",
        ),
    ],
    ids=["duplicate", "rate-limited", "circuit-open", "held"],
)
def test_a_denial_takes_none_once_its_intent_was_hashed(
    site: ShellSite, limits: dict[str, object], before: str, intent: str
) -> None:
    assert forks(site.limited(**limits), before, act(intent)) == 0


def test_a_denial_of_another_intent_takes_the_hash(site: ShellSite) -> None:
    limited = site.limited(BURST=1)
    assert forks(limited, act("fix pid=1") + act("fix pid=2"), act("fix pid=3")) == 1


def test_a_plan_and_a_sourced_library_take_none_of_their_own(
    site: ShellSite, tmp_path: Path
) -> None:
    del tmp_path
    source = "_HEAL_LOADED=''; source \"$_HEAL_HOME/heal.sh\"\n"
    assert forks(site, "", source) == 0


@pytest.mark.parametrize("acts", [1, 3])
def test_a_slot_that_somebody_left_behind_is_made_durable_once(site: ShellSite, acts: int) -> None:
    """Who made it may have died before its name was on the disk."""
    assert STRACE is not None
    site.write("claims/0", "")
    log = site.root / "syncs"
    done = site.run(
        SETTING + "".join(act(f"fix pid={number}") for number in range(acts)),
        prefix=[STRACE, "-f", "-y", "-o", str(log), "-e", "trace=fsync"],
    )
    assert done.returncode == 0, done.stderr
    synced = re.findall(r"fsync\(\d+<([^>]*)>", log.read_text())
    assert synced.count(str(site.state / "claims")) == 1
    assert synced.count(str(site.state / "claims/0")) >= acts
