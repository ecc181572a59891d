"""Many processes on one state directory: none acts twice, beyond its limit, or unrecorded."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from healconsole.core.breaker import parse_breaker
from healconsole.core.records import BreakerRecord
from healconsole.core.words import Circuit, Outcome
from healconsole.engine.asked import Denied
from tests.engine.sites import LONG, NOON, OPEN_POLICY, Site, forked, many, race

pytestmark = pytest.mark.timeout(0 if LONG else 120)


def deny_by(guard: str, answer: Denied) -> None:
    assert answer.result.verdict.guard == guard


def void(_value: object) -> None:
    """For the work of a race, which returns nothing."""


def half_open(site: Site, ago: int = 100) -> None:
    """A breaker of scope ``fix`` whose cooldown ended ``ago`` seconds ago."""
    began, ended = int(NOON) - ago - 600, int(NOON) - ago
    (site.state / "cb" / "fix").write_text(f"3 {began} 3 600 open {ended}\n")


def breaker(site: Site, scope: str) -> BreakerRecord:
    found = parse_breaker((site.state / "cb" / scope).read_bytes(), scope)
    assert isinstance(found, BreakerRecord)
    return found


@pytest.mark.parametrize("processes", [2, 16, 64])
def test_one_intent_is_acted_on_once(site: Site, processes: int) -> None:
    rounds = many(2, 200)

    def work(_index: int) -> None:
        guard = site.guard()
        for number in range(rounds):
            try:
                with guard.protect(f"fix round={number}"):
                    site.act()
            except Denied:
                continue

    race(processes, work, timeout=100 if not LONG else 3_000)
    assert site.acts() == rounds
    assert len(site.events("started")) == len(site.events("success")) == rounds


def test_one_bucket_grants_its_burst_and_no_more(site: Site) -> None:
    tries = many(40, 625)
    policy = replace(OPEN_POLICY, burst=10)

    def work(index: int) -> None:
        guard = site.guard(policy)
        for number in range(tries):
            try:
                with guard.protect(f"fix process={index} try={number}"):
                    site.act()
            except Denied as answer:
                deny_by("rate", answer)

    race(16, work)
    assert site.acts() == 10
    assert (site.state / "rate" / "fix").read_bytes() == b"%d 0.000000 0.000000 10\n" % NOON


def test_no_failure_is_lost(site: Site) -> None:
    each = many(6, 625)

    def work(index: int) -> None:
        guard = site.guard()
        for number in range(each):
            with pytest.raises(ValueError, match="broken"), guard.protect(f"fix {index} {number}"):
                raise ValueError("broken")

    race(16, work, timeout=100 if not LONG else 3_000)
    assert breaker(site, "fix").failures == 16 * each
    assert len(site.events("action-failed")) == 16 * each
    assert not list((site.state / "keys").iterdir())


@pytest.mark.parametrize("number", range(many(4, 200)))
def test_a_half_open_breaker_lends_one_probe(site: Site, number: int) -> None:
    policy = replace(OPEN_POLICY, max_failures=3)
    site.guard()
    half_open(site, number)

    def work(index: int) -> None:
        try:
            with site.guard(policy).protect(f"fix process={index}"):
                site.act()
                site.await_count("denied", 15)  # nobody comes after the probe has closed it
        except Denied as answer:
            deny_by("circuit", answer)
            site.mark("denied")

    race(16, work)
    assert (site.acts(), site.count("denied")) == (1, 15)
    assert breaker(site, "fix").state is Circuit.CLOSED


def test_a_probe_that_is_out_is_not_lent_again_until_its_lease_ends(site: Site) -> None:
    policy = replace(OPEN_POLICY, max_failures=3)
    site.guard()
    half_open(site)

    def die() -> None:
        with site.guard(policy).protect("fix one"):
            os.kill(os.getpid(), 9)

    assert forked(die) == -9
    # The next one settles it: a failure in half-open opens it for another cooldown.
    later = site.at(NOON + 5)
    denied = later.guard(policy).run("fix two", later.act)
    assert denied.outcome is Outcome.DENIED
    assert [event["intent"] for event in site.events("interrupted")] == ["fix one"]
    assert later.acts() == 0
    reopened = breaker(site, "fix")
    assert (reopened.state, reopened.until) == (Circuit.OPEN, NOON + 5 + 600)

    after = site.at(NOON + 5 + 600)
    race(16, lambda index: void(after.guard(policy).run(f"fix {index}", after.act)))
    outcomes = [event["outcome"] for event in site.events() if event["intent"] != "fix one"]
    assert outcomes.count("started") == outcomes.count("success") == after.acts()


def test_a_lease_without_a_claim_is_waited_for(site: Site) -> None:
    """The owner's claim is lost (another host's disk, a reset): its lease still bounds it."""
    policy = replace(OPEN_POLICY, max_failures=3)
    site.guard()
    until = int(NOON) + policy.probe_lease
    (site.state / "cb" / "fix").write_text(f"3 {NOON - 700:.0f} 3 600 half-open {until}\n")
    assert site.guard(policy).run("fix", site.act).outcome is Outcome.DENIED
    assert site.at(until).guard(policy).run("fix", site.act).succeeded
    assert site.acts() == 1
