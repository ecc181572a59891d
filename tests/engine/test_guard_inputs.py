"""What one guard is given: a mode, a clock, files and intents of any kind."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole import Guard, Intent, Policy
from healconsole.core.words import Outcome
from tests.engine.sites import NOON, OPEN_POLICY, Site

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
