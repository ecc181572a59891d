"""Guarded acts by way of real Sentinels, over a failover, and in a real Cluster; and logins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole import Guard
from healconsole.engine.settings import SettingError, settings_from
from healconsole.stores.lockwatch import LockWatch
from healconsole.stores.redislink import RedisLink, RedisUnknown
from healconsole.stores.redisserver import RedisServer
from tests.engine.fleets import LIBRARIES, PYTHON, Host
from tests.engine.sites import OPEN_POLICY
from tests.nodes import LOGIN, client, until
from tests.shell.bashes import ShellSite

POLICY = replace(
    OPEN_POLICY,
    fleet_lock="broker",
    fleet_slots="web",
    fleet_slots_max=2,
    fleet_rate_micro=100_000,
    fleet_burst=50,
    fleet_storm="50",
)
FENCE = 'echo "$HEAL_FENCE" >>"$TEST_ROOT/fences"'


@pytest.fixture
def hosts(tmp_path: Path) -> Callable[[str, str], Host]:
    def make(library: str, url: str) -> Host:
        (tmp_path / library).mkdir(exist_ok=True)
        return Host(f"web-{library}", library, tmp_path / library, url)

    return make


def acts(host: Host, intent: str) -> None:
    """One act; a machine that has no time for an answer within 2 s is given more of it."""
    deadline = time.monotonic() + 30
    while True:
        outcome, reason = host.act(POLICY, intent, script=FENCE)
        if outcome == "success":
            return
        assert "did not answer in 2 s" in reason
        assert time.monotonic() < deadline


def fences(hosts: list[Host]) -> list[int]:
    return [int(line) for host in hosts for line in (host.root / "fences").read_text().split()]


def test_the_primary_is_the_one_that_sentinels_name(
    hosts: Callable[[str, str], Host], sentinel: tuple[str, RedisServer, RedisServer]
) -> None:
    url, primary, replica = sentinel
    made = [hosts(library, url) for library in LIBRARIES]
    for host in made:
        acts(host, "fix a")
    primary.stop()
    for host in made:
        # Until the Sentinel has decided nobody knows, and nobody acts.
        outcome, reason = host.act(POLICY, "fix b", script=FENCE)
        assert (outcome, reason[:14]) in {
            ("denied", "Redis unknown:"),
            ("success", "all guardrails"),
        }
    with client(replica) as one:
        until(lambda: one.info("replication")["role"] == "master")
    before = fences(made)
    for host in made:
        until(lambda: host.act(POLICY, "fix c", script=FENCE)[0] == "success")  # noqa: B023
    assert min(fences(made)[-1:]) > max(before[:1])
    link = RedisLink(url.replace("/heal", "/unknown"))
    with pytest.raises(RedisUnknown, match="no Sentinel knows the primary unknown"):
        link.halt()
    link.close()


def test_a_cluster_keeps_what_one_script_takes_in_one_slot(
    hosts: Callable[[str, str], Host], cluster: tuple[RedisServer, RedisServer]
) -> None:
    one, two = cluster
    url = f"redis+cluster://:{LOGIN}@127.0.0.1:1,127.0.0.1:{one.port},127.0.0.1:{two.port}"
    made = [hosts(library, url) for library in LIBRARIES]
    for turn in range(3):
        for host in made:
            acts(host, f"verb{turn} now")
    found = fences(made)
    assert len(set(found)) == len(found) == 6
    with client(one) as first, client(two) as second:
        keys = {*first.keys("heal:*"), *second.keys("heal:*")}
        assert keys >= {"heal:fence:{broker}", "heal:slotfence:{web}", "heal:alive"}
        assert {f"heal:tokens:verb{turn}" for turn in range(3)} <= keys
        assert first.keys("heal:*")
        assert second.keys("heal:*")
    link = RedisLink(url)
    assert link.acquire("broker", "db1/h/1/u", 60_000) is not None
    for host in made:
        outcome, reason = host.act(POLICY, "other", script=FENCE)
        assert (outcome, reason[:39]) == ("denied", "lock broker is held by db1/h/1/u, 60 s ")
    (lock,) = link.scan_locks(time.time())
    assert (lock.key, lock.owner, lock.fence is None) == ("{broker}", "db1/h/1/u", False)
    watch = LockWatch(link, time.time)
    watch.look(pushed=False)
    assert [lock.owner for lock in watch.locks] == ["db1/h/1/u"]
    assert link.break_lock("{broker}", "db1/h/1/u")
    link.close()
    two.stop()
    for host in made:
        assert host.act(POLICY, "last", script=FENCE)[0] == "denied"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_login_comes_from_a_private_file_or_the_environment(
    tmp_path: Path, redis_url: str, library: str, shared_redis: RedisServer
) -> None:
    secret = tmp_path / "secret"
    bare = redis_url.replace(f":{shared_redis.password}@", "")

    def act(case: str, **environ: str) -> str:
        site = ShellSite(tmp_path, now=None)
        if library == PYTHON:
            around = {**site.environ, "HEAL_REDIS_URL": bare, **environ}
            try:
                settings = settings_from("h", around, OPEN_POLICY, 60)
            except SettingError as error:
                return f"denied {error}"
            with Guard.from_settings(settings, time.time) as guard:
                found = guard.run(f"fix {case}", ["true"])
            return f"{found.outcome} {found.reason}"
        done = site.run(
            f"ok() {{ :; }}; heal_act_with_guardrails 'fix {case}' ok ok\n"
            'printf "%s %s" "$_heal_outcome" "$_heal_v_reason"',
            HEAL_REDIS_URL=bare,
            **environ,
        )
        return done.stdout

    assert "refuses the password" in act("none")
    assert act("env", HEAL_REDIS_PASSWORD=shared_redis.password).startswith("success")
    secret.write_text(f"{shared_redis.password}\nanything\n")
    secret.chmod(0o640)
    assert "others can read it; chmod 600 it" in act("open", HEAL_REDIS_PASSWORD_FILE=str(secret))
    secret.chmod(0o600)
    told = act("file", HEAL_REDIS_PASSWORD_FILE=str(secret), HEAL_REDIS_PASSWORD="wrong")
    assert told.startswith("success")
    told = act("user", HEAL_REDIS_PASSWORD_FILE=str(secret), HEAL_REDIS_USER="nobody")
    assert "refuses the password" in told
