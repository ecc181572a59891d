"""The fleet's part of an act, on a real Redis that is there, halts, hangs, dies, and forgets."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from redis import Redis

from healconsole import Policy
from healconsole.core.words import Outcome
from healconsole.stores.redisserver import RedisServer
from tests.engine.sites import NOON, OPEN_POLICY, Site, race

LOCKED = replace(OPEN_POLICY, fleet_lock="broker", fleet_lock_ttl=3)
LOCK, FENCE = "heal:lock:broker", "heal:fence:broker"


@contextmanager
def client(url: str) -> Iterator[Redis]:
    with Redis.from_url(url, decode_responses=True) as link:
        yield link


def test_an_act_holds_the_lock_and_gives_it_back(site: Site, redis_url: str) -> None:
    report = site.root / "report"
    script = f'echo "$HEAL_FENCE" > {report}'
    result = site.guard(LOCKED, redis=redis_url, host="web1").run("fix", ["sh", "-c", script])
    assert result.succeeded, result
    with client(redis_url) as redis:
        assert redis.get(LOCK) is None
        assert report.read_text().strip() == str(redis.get(FENCE))


def test_the_holder_has_a_name(site: Site, redis_url: str) -> None:
    def look() -> bool:
        with client(redis_url) as redis:
            token = str(redis.get(LOCK))
            (site.root / "token").write_text(token)
            return 0 < int(redis.pttl(LOCK)) <= 3000

    assert site.guard(LOCKED, redis=redis_url, host="web1").run("fix", look).succeeded
    host, healer, pid, _ = (site.root / "token").read_text().split("/")
    assert (host, healer, pid) == ("web1", "h", str(os.getpid()))


def test_a_held_lock_denies_and_spends_nothing(site: Site, redis_url: str) -> None:
    with client(redis_url) as redis:
        redis.set(LOCK, "web2/h/1/x", px=60_000)
        result = site.guard(LOCKED, redis=redis_url).run("fix", site.act)
        assert result.verdict.guard == "fleet"
        assert "lock broker is held by web2/h/1/x, 60 s more" in result.reason
        assert redis.get(LOCK) == "web2/h/1/x"
    assert not (site.state / "rate" / "fix").exists()
    assert site.acts() == 0


def test_one_of_many_hosts_acts_at_a_time(site: Site, redis_url: str) -> None:
    def work(index: int) -> None:
        there = Site(site.root / f"host{index}")
        there.root.mkdir()
        guard = there.guard(LOCKED, redis=redis_url, host=f"host{index}")

        script = f"mkdir {site.root}/inside && echo $HEAL_FENCE >>{site.root}/fences"
        script += f" && rmdir {site.root}/inside"  # fails if another one is in
        outcome = guard.run("fix", ["sh", "-c", script]).outcome
        assert outcome in {Outcome.SUCCESS, Outcome.DENIED}

    race(8, work)
    fences = list(map(int, (site.root / "fences").read_text().split()))
    assert fences == sorted(set(fences))
    with client(redis_url) as redis:
        assert redis.get(FENCE) == str(fences[-1])


def test_a_lease_is_renewed_while_the_action_and_the_settling_last(
    site: Site, redis_url: str
) -> None:
    policy = replace(LOCKED, fleet_lock_ttl=1, settle=1.0)
    result = site.guard(policy, redis=redis_url).run("fix", ["sleep", "1.2"], ["true"])
    assert result.succeeded, result


@pytest.mark.parametrize("phase", ["action", "settle"])
def test_a_lost_lease_ends_what_runs_and_is_counted(site: Site, redis_url: str, phase: str) -> None:
    policy = replace(LOCKED, fleet_lock_ttl=1, settle=30.0)

    def steal() -> None:
        site.await_count("acted", 1)
        with client(redis_url) as redis:
            redis.set(LOCK, "thief")

    thief = threading.Thread(target=steal)
    thief.start()
    script = f"printf . > {site.root}/acted; " + ("sleep 60" if phase == "action" else "true")
    result = site.guard(policy, redis=redis_url).run("fix", ["sh", "-c", script], ["true"])
    thief.join()
    assert result.outcome is Outcome.ACTION_FAILED
    assert "fleet lock broker was lost" in result.reason
    assert result.duration_ms < 10_000
    assert (site.state / "cb" / "fix").read_text().startswith("1 ")
    with client(redis_url) as redis:
        assert redis.get(LOCK) == "thief"  # released only by its owner


def test_a_halted_fleet_acts_on_nothing(site: Site, redis_url: str) -> None:
    with client(redis_url) as redis:
        redis.set("heal:halt", f"{NOON - 10:.0f} 0 ada a bad deploy")
    result = site.guard(redis=redis_url).run("fix", site.act)
    assert result.verdict.guard == "hold"
    assert "fleet halted: a bad deploy" in result.reason
    assert site.acts() == 0


@pytest.mark.parametrize("lock", [None, "broker"])
def test_an_unknown_redis_denies_unless_somebody_chose_otherwise(
    site: Site, lock: str | None
) -> None:
    policy = replace(OPEN_POLICY, fleet_lock=lock)
    url = "redis://:secret@127.0.0.1:1/0"
    result = site.guard(policy, redis=url).run("fix", site.act)
    assert result.verdict.guard == "fleet"
    assert "Redis unknown" in result.reason
    assert "secret" not in site.audit.read_text()
    local = replace(policy, redis_unreachable="local-only")
    assert site.guard(local, redis=url).run("fix", site.act).succeeded
    assert site.acts() == 1


def test_a_lock_without_a_redis_denies(site: Site) -> None:
    result = site.guard(LOCKED).run("fix", site.act)
    assert result.verdict.guard == "fleet"
    assert "no Redis configured" in result.reason


def test_a_redis_that_hangs_during_the_act_costs_the_lease(
    site: Site, redis_server: RedisServer
) -> None:
    policy = replace(LOCKED, fleet_lock_ttl=1)
    pid = redis_server.pid
    assert pid is not None
    script = f"kill -STOP {pid}; sleep 60"
    try:
        result = site.guard(policy, redis=redis_server.url).run("fix", ["sh", "-c", script])
    finally:
        os.kill(pid, signal.SIGCONT)
    assert result.outcome is Outcome.ACTION_FAILED
    assert "fleet lock broker was lost" in result.reason
    assert result.duration_ms < 15_000


def test_a_rehearsal_takes_no_lock(site: Site, redis_url: str) -> None:
    guard = site.guard(LOCKED, redis=redis_url, dry_env="1")
    assert guard.run("fix", site.act).outcome is Outcome.DRY_RUN
    with client(redis_url) as redis:
        assert redis.get(FENCE) is None


def test_a_block_holds_the_lock_too(site: Site, redis_url: str) -> None:
    with (
        site.guard(LOCKED, redis=redis_url).protect("fix"),
        client(redis_url) as redis,
    ):
        assert redis.get(LOCK) is not None
    with client(redis_url) as redis:
        assert redis.get(LOCK) is None


def test_the_policy_bounds_its_lease() -> None:
    with pytest.raises(ValueError, match="fleet_lock_ttl"):
        Policy(fleet_lock_ttl=0)
