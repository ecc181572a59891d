"""Guarded acts by way of real Sentinels, over a failover, and in a real Cluster; and logins."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from redis import Redis

from healconsole import Guard
from healconsole.engine.settings import SettingError, settings_from
from healconsole.stores.lockwatch import LockWatch
from healconsole.stores.redislink import RedisLink, RedisUnknown
from healconsole.stores.redisserver import RedisServer, find_binary
from tests.engine.fleets import LIBRARIES, PYTHON, Host
from tests.engine.sites import OPEN_POLICY
from tests.shell.bashes import ShellSite

POLICY = replace(
    OPEN_POLICY,
    fleet_lock="broker",
    fleet_slots="web",
    fleet_slots_max=2,
    fleet_rate_micro=1_000_000,
    fleet_burst=50,
    fleet_storm="50",
)
FENCE = 'echo "$HEAL_FENCE" >>"$TEST_ROOT/fences"'
PASSWORD = "of@the:nodes/x"
LOGIN = quote(PASSWORD, "")


def until(said: Callable[[], bool], within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def server(stack: ExitStack, root: Path, *settings: str) -> RedisServer:
    made = RedisServer(root, settings=settings)
    made.password = PASSWORD
    return stack.enter_context(made)


def client(of: RedisServer) -> Redis:
    return Redis(port=of.port, password=PASSWORD, decode_responses=True)


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


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[tuple[str, RedisServer, RedisServer]]:
    """A primary, its replica, and a Sentinel that watches them: address, primary, replica."""
    with ExitStack() as stack:
        primary = server(stack, tmp_path / "primary", f"masterauth {PASSWORD}")
        replica = server(
            stack,
            tmp_path / "replica",
            f"masterauth {PASSWORD}",
            f"replicaof 127.0.0.1 {primary.port}",
            "repl-diskless-sync-delay 0",
        )
        with client(replica) as one:
            until(lambda: one.info("replication")["master_link_status"] == "up")
        conf = tmp_path / "sentinel.conf"
        probe = RedisServer(tmp_path / "probe")
        with probe:
            port = probe.port
        conf.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
            f"sentinel monitor heal 127.0.0.1 {primary.port} 1\n"
            f"sentinel auth-pass heal {PASSWORD}\n"
            "sentinel down-after-milliseconds heal 300\nsentinel failover-timeout heal 2000\n"
        )
        process = subprocess.Popen(
            [find_binary(), conf, "--sentinel"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with Redis(port=port, decode_responses=True) as link:
                until(lambda: _answers(link))
                until(lambda: len(link.sentinel_slaves("heal")) == 1)
            # One that nobody listens at comes first.
            url = f"redis+sentinel://:{LOGIN}@127.0.0.1:1,127.0.0.1:{port}/heal"
            yield url, primary, replica
        finally:
            process.kill()
            process.wait()


def _answers(link: Redis) -> bool:
    try:
        return bool(link.ping())
    except OSError:
        return False
    except Exception as error:
        if "refused" in str(error):
            return False
        raise


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


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two nodes with half of the slots each."""
    with ExitStack() as stack:
        nodes = []
        for name in ("one", "two"):
            probe = RedisServer(tmp_path / f"probe-{name}")
            with probe:
                bus = probe.port
            made = server(
                stack,
                tmp_path / name,
                "cluster-enabled yes",
                f"cluster-port {bus}",
                "cluster-node-timeout 5000",
            )
            nodes.append((made, bus))
        (one, _), (two, bus) = nodes
        with client(one) as first, client(two) as second:
            first.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 8191)
            second.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192, 16383)
            first.execute_command("CLUSTER", "MEET", "127.0.0.1", two.port, bus)
            until(lambda: _whole(first) and _whole(second))
        yield one, two


def _whole(node: Any) -> bool:  # noqa: ANN401 - redis-py leaves this untyped
    said = str(node.execute_command("CLUSTER", "INFO"))
    return "cluster_state:ok" in said and "slots_assigned:16384" in said


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
