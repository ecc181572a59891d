"""What a guarded act in bash does and leaves: outcomes, limits, rehearsals, clocks."""

from __future__ import annotations

import random

import pytest

from healconsole.core.claim import format_claim
from healconsole.core.records import MICRO, ClaimRecord
from healconsole.stores.processes import own_identity
from tests.shell.bashes import NOON, ShellSite, many


def test_each_outcome_is_recorded_as_what_it_is(site: ShellSite) -> None:
    done = site.run(
        """
        hangs() { sleep 30; }
        stubborn() { trap '' TERM; while :; do sleep 30; done; }
        forks() { (sleep 30 >/dev/null 2>&1 & disown); act; }
        loops() { (await over) >/dev/null 2>&1 & disown; act; }
        checks() { (await over) >/dev/null 2>&1 & }
        leaves() { exit 0; }
        first_fails() { false; act; }
        report() { printf '%s %s\\n' "$?" "$_heal_outcome"; }
        heal_act_with_guardrails "a 1" act good; report
        heal_act_with_guardrails "a 2" bad good; report
        heal_act_with_guardrails "a 3" good bad; report
        HEAL_ACTION_TIMEOUT=0.2 heal_act_with_guardrails "a 4" hangs good; report
        HEAL_CHECK_TIMEOUT=0.2 heal_act_with_guardrails "a 5" good hangs; report
        heal_act_with_guardrails "a 6" forks good; report
        heal_act_with_guardrails "a 7" leaves good; report
        if heal_act_with_guardrails "a 8" first_fails good; then :; fi; report
        HEAL_ACTION_TIMEOUT=0.2 heal_act_with_guardrails "a 9" stubborn good; report
        heal_act_with_guardrails "a 10" loops checks; report
        """
    )
    (site.root / "over").touch()
    assert done.stdout.splitlines() == [
        "0 success",
        "1 action-failed",
        "1 verify-failed",
        "1 timed-out",
        "1 verify-failed",
        "0 success",
        "1 action-failed",
        "0 action-failed",
        "1 timed-out",
        "0 success",
    ]
    assert site.acts() == 3
    ends = {e["intent"]: e["reason"] for e in site.events() if e["outcome"] != "started"}
    assert ends == {
        "a 1": "",
        "a 2": "action exit code 7",
        "a 3": "check exit code 7",
        "a 4": "action timed out after 0.2 s",
        "a 5": "check timed out after 0.2 s",
        "a 6": "",
        "a 7": "the action ended the shell that runs it",
        "a 8": "action exit code 1",
        "a 9": "action timed out after 0.2 s",
        "a 10": "",
    }
    assert not [claim for claim in (site.state / "claims").iterdir() if claim.read_bytes()]


def test_the_process_group_of_a_hung_action_is_ended(site: ShellSite) -> None:
    done = site.limited(ACTION_TIMEOUT="0.2").run(
        """
        hangs() { sleep 77 & echo $! >"$TEST_ROOT/child"; wait; }
        heal_act_with_guardrails "a 1" hangs good
        read -r child <"$TEST_ROOT/child"
        [[ -d /proc/$child ]] && read -r _ _ state _ <"/proc/$child/stat"
        printf '%s' "${state:-gone}"
        """
    )
    assert done.stdout in {"gone", "Z"}


@pytest.mark.parametrize("wrong", ["systemctl restart x=1", "a=b", "missing", ""])
def test_what_is_not_a_function_is_named_in_one_line(wrong: str, site: ShellSite) -> None:
    done = site.run(f"heal_act_with_guardrails 'fix 1' '{wrong}' good\necho \"$?\"")
    assert done.stdout == "1\n"
    assert done.stderr.count("\n") == 1
    assert f"heal_act_with_guardrails: '{wrong}' is not a function" in done.stderr
    main = site.run(f"heal_main act good '{wrong}' good --once")
    assert main.stderr.count("\n") == 1
    assert f"heal_main: {wrong} is not a function" in main.stderr


def test_a_changing_pid_gets_no_fresh_bucket_and_no_fresh_breaker(site: ShellSite) -> None:
    done = site.limited(CB_MAX=3).run(
        "for ((i = 0; i < 45; i++)); do\n"
        'heal_act_with_guardrails "restart pid=$i" act bad; done; true'
    )
    assert done.returncode == 0
    assert site.acts() == 3
    assert sorted(path.name for path in (site.state / "cb").iterdir()) == ["restart"]
    assert sorted(path.name for path in (site.state / "rate").iterdir()) == ["restart"]
    assert site.outcomes()[6:] == ["denied"]


def test_what_is_denied_spends_nothing(site: ShellSite) -> None:
    limited = site.limited(CB_MAX=1)
    limited.act("fix 1", check="bad")
    before = limited.content()
    tries = many(100, 1000)
    limited.run(
        f'for ((i = 0; i < {tries}; i++)); do heal_act_with_guardrails "fix $i" act good; done'
    )
    assert limited.content() == before
    assert limited.outcomes()[2:] == ["denied"]
    assert limited.acts() == 1


def test_a_rehearsal_spends_nothing_of_the_live_state(site: ShellSite) -> None:
    site.run("heal_init")
    site.act("warm up")
    before = site.content()
    tries = many(20, 1000)
    site.limited(BURST=10).run(
        f'for ((i = 0; i < {tries}; i++)); do heal_act_with_guardrails "fix $i" act good; done',
        DRY_RUN="true",
    )
    assert site.content() == before
    assert site.acts() == 1
    assert len(site.events("dry-run")) == 10
    assert (site.state / "dry/rate/fix").read_text() == f"{NOON} 0.000000 0.000000 10\n"


LIVE = ("", "false", "0", "no", "off")
DRY = ("true", "1", "yes", "on")
ODD = (
    "ture",
    "false;",
    "$(touch canary)",
    "`touch canary`",
    "a[$(touch canary)]",
    "2",
    "-1",
    "nope",
)


@pytest.mark.parametrize("blank", ["", " \t"])
def test_dry_run_in_any_spelling(site: ShellSite, blank: str) -> None:
    spellings = [
        blank + cased + blank
        for word in (*LIVE, *DRY, *ODD)
        for cased in dict.fromkeys((word, word.upper()) if not blank else (word,))
    ]
    script = "".join(
        f"DRY_RUN={quoted(word)} heal_act_with_guardrails 'fix {index}' act good\n"
        'printf "%s\\n" "$_heal_outcome"\n'
        for index, word in enumerate(spellings)
    )
    done = site.run(script, prefix=("env", "-C", str(site.root)))
    expected = ["success" if word.strip().lower() in LIVE else "dry-run" for word in spellings]
    assert done.stdout.splitlines() == expected
    assert not (site.root / "canary").exists()
    assert len(spellings) >= 17
    reasons = {event["reason"] for event in site.events("dry-run")}
    assert reasons == {
        "dry-run: DRY_RUN says dry",
        "dry-run: DRY_RUN is neither true nor false, so dry",
    }


def quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def test_two_actions_on_one_intent_are_never_closer_than_the_bucket(site: ShellSite) -> None:
    """Random pairs of times around edges; the first action may run across one, or several."""
    pick = random.Random(0)  # noqa: S311 - the same pairs each time
    pairs = []
    for _ in range(many(20, 10_000)):
        start = NOON - 150 + 300 * pick.randrange(1000) + pick.choice([0, 1, 149, 298, 299])
        pairs.append((start, pick.choice([0, 0, 1, 2, 299, 301, 700]), pick.randrange(-1, 650)))
    script = "long() { :; }\n" + "".join(
        f"TEST_NOW={start}\n"
        # The action takes so long: the clock has moved when its outcome is recorded.
        f"_heal_run() {{ TEST_NOW={start + took}; _heal_outcome=success; }}\n"
        f"heal_act_with_guardrails 'fix {index}' long good; first=$_heal_outcome\n"
        f"TEST_NOW={start + took + gap}\n"
        f"heal_act_with_guardrails 'fix {index}' long good\n"
        'printf "%s %s\\n" "$first" "$_heal_outcome"\n'
        for index, (start, took, gap) in enumerate(pairs)
    )
    file = site.root / "script"
    file.write_text(script)
    done = site.run('source "$TEST_ROOT/script"')
    for (start, took, gap), line in zip(pairs, done.stdout.splitlines(), strict=True):
        # A clock that steps back over an edge may come to a window that no marker is of.
        marked, window = {start // 300, (start + took) // 300}, (start + took + gap) // 300
        stepped_out = gap < 0 and not marked & {window, window - 1}
        denied = gap < 300 and not stepped_out
        assert line == f"success {'denied' if denied else 'success'}", (start, took, gap)


@pytest.mark.parametrize("step", [-3600, -86_400, -31_536_000, 3600, 86_400, 31_536_000])
def test_a_clock_that_steps(site: ShellSite, step: int) -> None:
    limited = site.limited(CB_MAX=1, CB_COOLDOWN=600, RATE="0.0167", BURST=1)
    assert limited.act("fix 1", check="bad") == "verify-failed"
    now = NOON + step
    assert limited.at(now).act("fix 2") == ("denied rate" if step < 0 else "success")
    assert float((site.state / "rate/fix").read_text().split()[1]) >= 0
    # At most the cooldown (and one token's time) from when the step was seen.
    assert limited.at(now + 600).act("fix 3") == "success"


def test_a_moment_without_the_time_since_boot_is_no_leap_of_time(site: ShellSite) -> None:
    """Or an action would be ended for its time that has had none of it."""
    said = site.run(
        """
        _heal_call _heal_ticks; before=$_heal_num
        eval "$(declare -f _heal_ticks | sed 's,/proc/uptime,/proc/none,')"
        _heal_call _heal_ticks; echo $((_heal_num - before))
        """
    ).stdout
    assert 0 <= int(said) <= 2_000


@pytest.mark.parametrize("others", [[], ["*"], ["*", "1"], ["1", "10", "2"]], ids=str)
def test_an_act_in_flight_is_seen_whatever_else_lies_beside_its_slot(
    site: ShellSite, others: list[str]
) -> None:
    pid, start, boot = own_identity()
    claim = ClaimRecord(
        slot=0, pid=pid, start=start, boot=boot, at=NOON - 7, key="0" * 64, scope_file="fix",
        probe=False, last_refill=NOON - 7, tokens_micro=MICRO, intent="fix 1", alive=True,
    )  # fmt: skip
    (site.state / "claims").mkdir(parents=True)
    for name in others:
        (site.state / "claims" / name).touch()
    (site.state / "claims" / "0").write_bytes(format_claim(claim))
    said = site.run('heal_act_with_guardrails "fix 1" act good; echo "$_heal_v_reason"').stdout
    assert said == f"in flight: pid {pid} for 7 s\n"
    assert site.acts() == 0
