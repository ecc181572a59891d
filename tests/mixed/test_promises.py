"""What each library promises by itself, kept by both on one state directory, in turn."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core.breaker import parse_breaker
from healconsole.core.claim import format_claim
from healconsole.core.intent import marker_key
from healconsole.core.records import MICRO, BreakerRecord, ClaimRecord
from healconsole.core.scopes import scope_file_name
from healconsole.core.words import Circuit
from tests.engine.sites import OPEN_POLICY, Site, many
from tests.engine.test_guard_inputs import BAD_FILES, DRY, GOOD_AFTER_ALL, INTENTS, LIVE, plant
from tests.mixed.duo import LANGUAGES, Duo, Language, duo
from tests.mixed.pair import Answer
from tests.shell.bashes import NOON

KEY = marker_key("fix", NOON // 300)
LIMITED = replace(OPEN_POLICY, rate_micro=16_700, burst=3, max_failures=1, cooldown=600)


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Duo]:
    with duo(tmp_path, OPEN_POLICY, NOON) as pair:
        yield pair


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Duo]:
    with duo(tmp_path, LIMITED, NOON) as pair:
        yield pair


def turns(first: Language) -> tuple[Language, Language]:
    """``first``, then the other one."""
    return ("bash", "python") if first == "bash" else ("python", "bash")


def alike(both: Duo, intent: str, **how: str) -> Answer:
    """Both are asked; what both say."""
    ours, theirs = (both.act(language, intent, **how) for language in LANGUAGES)  # type: ignore[arg-type] # only ``dry``
    assert ours == theirs
    return ours


@pytest.mark.parametrize("path", ["rate/fix", "cb/fix", "hold", "claims/0", f"keys/{KEY}"])
def test_what_is_no_state_file_denies_both_with_the_same_words(both: Duo, path: str) -> None:
    for kind, content in BAD_FILES.items():
        if (path, kind) in GOOD_AFTER_ALL:
            continue
        plant(both.state / path, content, both.root)
        for language in LANGUAGES:
            began = time.monotonic()
            both.act(language, "fix")
            assert time.monotonic() - began < 5, (language, kind)
        answer = alike(both, "fix")
        assert not answer.allow, kind
        if (path[:5], kind) != ("keys/", "empty"):
            assert answer.reason.startswith(f"{path} is corrupt: "), kind
        if (both.state / path).is_dir():
            (both.state / path).rmdir()
        (both.state / path).unlink(missing_ok=True)
    both.end()
    assert both.site.acts() == 0
    assert both.site.events("denied")
    assert not list(both.root.rglob("canary"))


def test_a_link_in_place_of_a_directory_denies_both(both: Duo) -> None:
    for dry in ("", "yes"):
        alike(both, "", dry=dry)  # so that both have opened the directory as it should be
    for folder in ("rate", "cb", "keys", "claims", ".scratch", "dry"):
        elsewhere = both.root / "elsewhere"
        (both.state / folder).rename(elsewhere)
        before = sorted(elsewhere.rglob("*"))
        (both.state / folder).symlink_to(elsewhere)
        answer = alike(both, "fix", dry="yes" if folder == "dry" else "")
        assert answer.outcome == "denied", folder
        assert sorted(elsewhere.rglob("*")) == before, folder
        (both.state / folder).unlink()
        elsewhere.rename(both.state / folder)
    assert both.site.acts() == 0
    assert both.act("bash", "fix").outcome == "success"


def test_any_intent_has_one_marker_and_stays_inside(both: Duo) -> None:
    for number, intent in enumerate(INTENTS):
        first, other = turns(LANGUAGES[number % 2])
        assert both.act(first, intent).outcome == "success", intent
        assert both.act(other, intent).guard == "idempotency", intent
    assert both.site.acts() == len(list((both.state / "keys").iterdir())) == len(INTENTS)
    scopes = {scope_file_name(intent.partition(" ")[0]) for intent in INTENTS}
    assert {file.name for file in (both.state / "rate").iterdir()} == scopes
    assert {file.name for file in both.root.iterdir()} == {"h", "clock", "acted", "audit.jsonl"}


@pytest.mark.parametrize(
    "intent", ["", " ", " x", "x ", "a\nb", "a\x1b[31m", "x" * 1025, "\udcff", "é" * 600, "a\x85"]
)
def test_what_is_no_intent_is_refused_by_both_with_the_same_words(both: Duo, intent: str) -> None:
    answer = alike(both, intent)
    assert (answer.guard, answer.reason[:7]) == ("intent", "intent ")
    assert both.site.acts() == 0


def test_two_acts_on_one_intent_are_never_closer_than_the_bucket(both: Duo) -> None:
    """Random pairs of times at the edges; the first act may run across one, or several."""
    pick = random.Random(1)  # noqa: S311 - the same pairs each time
    for number in range(many(24, 10_000)):
        start = NOON - 150 + 300 * pick.randrange(1_000) + pick.choice([0, 1, 149, 298, 299])
        ended = start + pick.choice([0, 0, 1, 2, 299, 301, 700])
        gap = pick.randrange(650)
        first, other = turns(pick.choice(LANGUAGES))
        both.now = start
        assert both.act(first, f"fix {number}", ends=ended).outcome == "success"
        both.now = ended + gap
        second = both.act(other, f"fix {number}")
        assert (second.guard == "idempotency") == (gap < 300), (first, start, ended, gap)


def test_an_open_circuit_spends_nothing(limited: Duo) -> None:
    limited.act("python", "fix", code=1)
    before = limited.site.content()
    for number in range(many(150, 500)):
        assert alike(limited, f"fix {number % 9}").guard == "circuit"
    assert limited.site.content() == before
    assert limited.site.acts() == 1


def test_a_rehearsal_spends_nothing_live(limited: Duo) -> None:
    before = limited.site.content()
    told = [
        limited.act(LANGUAGES[number % 2], f"fix {number % 9}", dry="true").outcome
        for number in range(many(100, 1_000))
    ]
    assert limited.site.content() == before
    assert limited.site.acts() == 0
    # One shadow bucket for both, and it suppresses no live act.
    assert told.count("dry-run") == 3
    assert limited.act("bash", "fix 0").outcome == "success"


def test_both_read_each_spelling_of_dry_run_alike(both: Duo) -> None:
    spellings = [*filter(None, LIVE), *DRY, "\udcff", "  ", "\t", "OfF", "tRuE", "0 ", "+0", "0x0"]
    assert len(spellings) >= 50
    for number, word in enumerate(spellings):
        live = word.strip(" \t").lower() in {"", "false", "0", "no", "off"}
        for language in LANGUAGES:
            told = both.act(language, f"fix {language}={number}", dry=word).outcome
            assert told == ("success" if live else "dry-run"), (language, word)
    assert not list(both.root.rglob("canary"))


HOUR, DAY, YEAR = 3_600, 86_400, 31_536_000
STEPS = [-HOUR, HOUR, -DAY, DAY, -YEAR, YEAR]


@pytest.mark.parametrize("first", LANGUAGES)
@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_steps_makes_no_tokens_and_no_eternal_wait(
    tmp_path: Path, step: int, first: Language
) -> None:
    first, other = turns(first)
    with duo(tmp_path, replace(LIMITED, burst=1), NOON) as both:
        assert both.act(first, "fix 1", code=1).outcome == "action-failed"
        both.now = now = NOON + step
        seen = both.act(other, "fix 2")
        assert seen.guard == ("rate" if step < 0 else ""), seen
        tokens = (both.state / "rate" / "fix").read_text().split()
        assert int(tokens[0]) <= now
        assert tokens[1] == "0.000000"
        # At most the cooldown (and one token's time) from when the step was seen.
        both.now = now + 600
        assert both.act(first, "fix 3").outcome == "success"


@pytest.mark.parametrize("first", LANGUAGES)
@pytest.mark.parametrize("step", [0, *STEPS])
def test_a_clock_that_steps_lends_no_second_probe(
    tmp_path: Path, step: int, first: Language
) -> None:
    """The first probe's process is gone without a trace; it fails, so that no closing helps."""
    first, other = turns(first)
    policy = replace(LIMITED, rate_micro=0, burst=1_000)
    with duo(tmp_path, policy, NOON) as both:
        until = NOON + policy.probe_lease
        (both.state / "cb" / "fix").write_text(f"1 {NOON - 700} 1 600 half-open {until}\n")
        both.now = now = NOON + step
        probes = [both.act(by, f"fix {by}", code=1).allow for by in (first, other, first)]
        assert probes.count(True) == (step > policy.probe_lease)
        if step <= 0:
            both.now = now + policy.probe_lease
            probes = [both.act(by, f"fix {by}", code=1).allow for by in (other, first, other)]
            assert probes.count(True) == 1
        breaker = parse_breaker((both.state / "cb" / "fix").read_bytes(), "cb/fix")
        assert isinstance(breaker, BreakerRecord)
        assert breaker.state is Circuit.OPEN


@pytest.mark.parametrize("by", LANGUAGES)
def test_a_reboot_and_a_step_back_leave_the_same(tmp_path: Path, by: Language) -> None:
    """An act of another boot, and of a time that is ahead now: the token stays spent."""
    with duo(tmp_path, replace(LIMITED, max_failures=3), NOON) as both:
        scope, intent = "x" * 300, "x" * 300 + " a"
        claim = ClaimRecord(
            slot=0, pid=os.getpid(), start=1, boot="0badcafe", at=NOON + 90, probe=False,
            key=marker_key(intent, (NOON + 90) // 300), scope_file=scope_file_name(scope),
            last_refill=NOON + 90, tokens_micro=2 * MICRO, intent=intent,
        )  # fmt: skip
        (both.state / "claims" / "0").write_bytes(format_claim(claim))
        marker = f'{{"intent":"{intent}","scope":"{scope}","at":{NOON + 90},"pid":1'
        (both.state / "keys" / claim.key).write_text(f'{marker},"outcome":"started"}}\n')
        assert both.act(by, "other").outcome == "success"
        bucket = (both.state / "rate" / claim.scope_file).read_bytes()
        assert bucket == b"%d 2.000000 0.016700 3\n" % NOON
        told = [(event["scope"], event["intent"]) for event in both.site.events("interrupted")]
        assert told == [(scope, intent)]


OUTCOMES = r"""
seven() { return 7; }
hangs() { sleep 30; }
detaches() { (sleep 3 >/dev/null 2>&1 & disown); act; }
heal_act_with_guardrails "a 1" act good
heal_act_with_guardrails "a 2" seven good
heal_act_with_guardrails "a 3" hangs good
heal_act_with_guardrails "a 4" act seven
heal_act_with_guardrails "a 5" act hangs
heal_act_with_guardrails "a 6" detaches good
"""


def test_each_outcome_is_the_same_from_both(tmp_path: Path) -> None:
    """Failed, hung, detached: what one recorded, the other records in the same words."""
    from tests.shell.bashes import ShellSite

    policy = replace(OPEN_POLICY, action_timeout=0.2, check_timeout=0.2, max_failures=10)
    site = Site(tmp_path)
    ok, seven, hangs = ["true"], ["sh", "-c", "exit 7"], ["sleep", "30"]
    detaches = ["sh", "-c", "sleep 3 >/dev/null 2>&1 &"]
    shell = ShellSite(tmp_path).limited(ACTION_TIMEOUT="0.2", CHECK_TIMEOUT="0.2", CB_MAX=10)
    assert shell.run(OUTCOMES).returncode == 0
    half = len(site.events())
    with site.at(NOON + 300).guard(policy) as guard:
        for number, (action, check) in enumerate(
            [(ok, ok), (seven, ok), (hangs, ok), (ok, seven), (ok, hangs), (detaches, ok)], 1
        ):
            guard.run(f"a {number}", action, check)
    told = [(e["intent"], e["outcome"], e["reason"]) for e in site.events()]
    assert told[:half] == told[half:]
    assert [outcome for _, outcome, _ in told[1:half:2]] == [
        "success", "action-failed", "timed-out", "verify-failed", "verify-failed", "success",
    ]  # fmt: skip
    # Four failures and a success in bash, and the same again: each success closed the breaker.
    assert (site.state / "cb" / "a").read_text() == "0 0 10 600 closed 0\n"
    assert not [claim for claim in (site.state / "claims").iterdir() if claim.read_bytes()]
