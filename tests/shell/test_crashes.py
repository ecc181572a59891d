"""Signals, deaths and a lost log around an act in bash; tests/crash has every call and disk."""

from __future__ import annotations

import os
import signal

import pytest

from tests.shell.bashes import NOON, ShellSite


def test_an_outcome_that_cannot_be_recorded_is_recorded_later(site: ShellSite) -> None:
    """The log goes away while the action runs: the claim stays, and so does what came of it."""
    done = site.run(
        """
        breaks() { act; mv "$HEAL_AUDIT_FILE" "$HEAL_AUDIT_FILE.away"; mkdir "$HEAL_AUDIT_FILE"; }
        heal_act_with_guardrails "fix pid=1" breaks good
        echo "$? $_heal_outcome"
        heal_act_with_guardrails "fix pid=1" act good
        echo "$? $_heal_outcome $_heal_v_guard"
        rmdir "$HEAL_AUDIT_FILE"; mv "$HEAL_AUDIT_FILE.away" "$HEAL_AUDIT_FILE"
        heal_act_with_guardrails "fix pid=1" act good
        echo "$? $_heal_outcome $_heal_v_reason"
        """
    )
    assert done.stdout.splitlines() == [
        "1 success",
        "0 denied idempotency",
        "0 denied acted on 0 s ago (success), not again for 300 s",
    ]
    assert site.outcomes() == ["started", "success", "denied"]
    assert site.acts() == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("phase", ["act", "settle", "check"])
def test_a_signal_waits_until_the_outcome_is_recorded(
    site: ShellSite, number: signal.Signals, phase: str
) -> None:
    process = site.limited(SETTLE="0.3").start(
        """
        phased() {
          mark "$1"
          [[ $1 != "$PHASE" ]] || await signalled
        }
        acting() { phased act; }
        checking() { phased check; }
        heal_act_with_guardrails fix acting checking
        echo not reached
        """,
        PHASE=phase,
    )
    site.await_count("check" if phase == "check" else "act", 1)
    # For "settle": the action is over as soon as it has marked itself, and settling takes 0.3 s.
    os.killpg(process.pid, number)
    (site.root / "signalled").touch()
    out, _ = process.communicate(timeout=30)
    assert out == ""
    assert process.returncode == -number
    assert site.outcomes() == ["started", "success"]


def test_an_outcome_is_recorded_though_nobody_reads_what_is_said(site: ShellSite) -> None:
    script = """
        seven() { act; await gone; return 7; }
        heal_act_with_guardrails "fix 1" seven good
        heal_act_with_guardrails "fix 2" act good
    """
    with site.start(script) as process:
        site.await_count("acted", 1)
        assert process.stderr is not None
        process.stderr.close()
        (site.root / "gone").touch()
    assert process.returncode == 0
    assert site.outcomes() == ["started", "action-failed", "started", "success"]


def test_a_killed_healer_counts_its_act_as_a_failure_and_does_not_repeat_it(
    site: ShellSite,
) -> None:
    script = (
        'die() { act; kill -KILL "$OWNER"; }; OWNER=$$; heal_act_with_guardrails "fix 1" die good'
    )
    assert site.run(script).returncode == -signal.SIGKILL
    later = site.at(NOON + 10)
    assert later.act("fix 1") == "denied idempotency"
    assert site.outcomes() == ["started", "interrupted", "denied"]
    settled = site.events("interrupted")[0]
    assert settled["reason"].endswith("ended without recording an outcome")
    assert (settled["intent"], settled["scope"]) == ("fix 1", "fix")
    assert (site.state / "cb" / "fix").read_text() == f"1 {NOON + 10} 999999 600 closed 0\n"


def test_an_action_that_runs_denies_in_every_bucket(site: ShellSite) -> None:
    process = site.start(
        """
        slow() { act; await over; }
        heal_act_with_guardrails "fix 1" slow good
        """
    )
    try:
        site.await_count("acted", 1)
        assert site.at(NOON + 1000).act("fix 1") == "denied idempotency"
        assert "in flight: pid" in site.events("denied")[0]["reason"]
    finally:
        (site.root / "over").touch()
        process.communicate()
    assert process.returncode == 0
    assert site.outcomes() == ["started", "denied", "success"]
