"""An operator against a healer, and against another one: nothing is lost, the loser is told."""

from __future__ import annotations

import multiprocessing
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from healconsole.core.breaker import parse_breaker
from healconsole.core.records import BreakerRecord
from healconsole.core.words import Circuit
from healconsole.engine.operators import Operator, OperatorDesk
from healconsole.stores.apply import ChangedUnderneath
from tests.engine.sites import LONG, NOON, OPEN_POLICY, Site, many, race

POLICY = replace(OPEN_POLICY, max_failures=3, cooldown=600)
TIMEOUT = 3_000 if LONG else 100


def a_moment(most_us: int) -> None:
    """Spin for a random while, so that each round meets another instant."""
    end = time.monotonic() + secrets.randbelow(most_us) / 1e6
    while time.monotonic() < end:
        pass


def desk_of(site: Site, name: str) -> OperatorDesk:
    operator = Operator(name, 0, 1000, "cli", "")
    return OperatorDesk(site.root, site.audit, operator, lambda: site.now, "web1")


def breaker(site: Site, scope: str) -> BreakerRecord:
    found = parse_breaker((site.state / "cb" / scope).read_bytes(), scope)
    assert isinstance(found, BreakerRecord)
    return found


def outcomes(site: Site, scope: str) -> list[str]:
    return [event["outcome"] for event in site.events() if event["scope"] == scope]


def fails() -> None:
    raise ValueError("as it should")


def reset(desk: OperatorDesk, scope: str, between: Callable[[], object]) -> str:
    """Reset what is seen now to closed, a moment later; empty, or what the loser is told."""
    plan = desk.plan_reset(desk.read("h"), scope, "closed")
    between()
    try:
        desk.apply(plan, reason="race")
    except ChangedUnderneath as told:
        return str(told)
    return ""


def test_a_reset_against_a_healer_that_records_a_failure(site: Site) -> None:
    """In the order of the log: a failure behind the reset counts as one, one before it is gone."""
    rounds = many(20, 1_000)
    site.guard(POLICY)
    barrier = multiprocessing.get_context("fork").Barrier(2)

    def work(index: int) -> None:
        guard, desk = site.guard(POLICY), desk_of(site, "ada")
        for number in range(rounds):
            scope = f"fix{number}"
            if index == 0:
                (site.state / "cb" / scope).write_text(
                    f"3 {NOON - 700:.0f} 3 600 open {NOON - 100:.0f}\n"
                )
            barrier.wait(TIMEOUT)
            if index == 0:
                told = reset(desk, scope, lambda: a_moment(9_000))
                barrier.wait(TIMEOUT)
                ends = breaker(site, scope)
                order = outcomes(site, scope)
                (site.state / "cb" / scope).unlink()
                if told:
                    assert "now holds" in told
                    assert "operator-reset" not in order
                    assert (ends.state, ends.failures) == (Circuit.OPEN, 4)
                else:
                    after = order.index("action-failed") > order.index("operator-reset")
                    assert (ends.state, ends.failures) == (Circuit.CLOSED, int(after)), order
                site.mark("lost" if told else "won")
            else:
                a_moment(6_000)
                guard.run(f"{scope} pid=1", fails)
                barrier.wait(TIMEOUT)

    race(2, work, timeout=TIMEOUT)
    assert site.count("won") + site.count("lost") == rounds
    assert site.count("won")
    assert site.count("lost")


def test_two_consoles_on_one_breaker(site: Site) -> None:
    """One of them wins, and is the only one in the log; the other is told what changed."""
    rounds = many(30, 500)
    site.guard(POLICY)
    barrier = multiprocessing.get_context("fork").Barrier(2)

    def work(index: int) -> None:
        desk = desk_of(site, f"operator-{index}")
        for number in range(rounds):
            scope = f"fix{number}"
            if index == 0:
                (site.state / "cb" / scope).write_text(
                    f"3 {NOON:.0f} 3 600 open {NOON + 600:.0f}\n"
                )
            barrier.wait(TIMEOUT)
            told = reset(desk, scope, lambda: barrier.wait(TIMEOUT))
            assert not told or "now holds" in told
            site.mark("lost" if told else "won")
            barrier.wait(TIMEOUT)
            if index == 0:
                assert breaker(site, scope).state is Circuit.CLOSED
                assert outcomes(site, scope) == ["operator-reset", "operator-done"]
                (site.state / "cb" / scope).unlink()

    race(2, work, timeout=TIMEOUT)
    assert (site.count("won"), site.count("lost")) == (rounds, rounds)


def test_after_a_reset_nothing_that_was_denied_is_done(site: Site) -> None:
    """What was wanted while it was open is not kept: the next act is what is asked then."""
    guard = site.guard(POLICY)
    (site.state / "cb" / "fix").write_text(f"3 {NOON:.0f} 3 600 open {NOON + 600:.0f}\n")
    for number in range(3):
        assert guard.run(f"fix pid={number}", site.act).outcome == "denied"
    desk = desk_of(site, "ada")
    desk.apply(desk.plan_reset(desk.read("h"), "fix"), reason="repaired")
    assert site.acts() == 0
    assert guard.run("fix pid=9", site.act).succeeded
    assert site.acts() == 1
    assert [event["intent"] for event in site.events("started")] == ["fix pid=9"]
