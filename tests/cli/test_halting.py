"""halt and resume on a real Redis: attributed and audited here, or refused, and then no change."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator

import pytest
from redis import Redis

from healconsole.stores.redisserver import RedisServer
from tests.cli.program import Finished, Site


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def url(redis_url: str) -> str:
    return redis_url


def run(site: Site, url: str, *words: str) -> Finished:
    environment = {"HEAL_REDIS_URL": url, "HEALCONSOLE_OPERATOR": "ana"}
    return site.run(*words, environment=environment)


def test_a_halt_and_its_end_are_attributed_and_audited(site: Site, redis: Redis, url: str) -> None:
    done = run(site, url, "halt", "--for", "10m", "--reason", "deploy 5121", "--incident", "INC-1")
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"is    halted by ana until \d\d:\d\d:\d\d UTC, in (10m00s|9m\d\ds): deploy", done.stdout
    )
    since, until, operator, reason = str(redis.get("heal:halt")).split(" ", 3)
    assert (operator, reason) == ("ana", "deploy 5121")
    assert int(until) - int(since) == 600
    assert int(since) == pytest.approx(time.time(), abs=20)
    event, done_event = site.events()[-2:]
    assert done_event["outcome"] == "operator-done"
    assert (event["outcome"], event["healer"]) == ("operator-halt", "*")
    assert (event["reason"], event["incident"]) == ("deploy 5121", "INC-1")
    assert (event["operator"]["user"], event["operator"]["uid"]) == ("ana", os.getuid())
    assert event["before"] == "fleet: not halted"
    assert event["after"].startswith("fleet: halted by ana until 20")

    shown = run(site, url, "status")
    assert "! fleet halted: deploy 5121 (ana), " in shown.stdout
    (said,) = site.json("status", environment={"HEAL_REDIS_URL": url})["stopped"]
    assert said.startswith("fleet halted: deploy 5121 (ana), ")
    assert "fleet halted" in run(site, url, "check").stdout

    again = run(site, url, "halt", "--reason", "me too")
    assert again.returncode == 1
    assert re.search(
        r"halted already, halted by ana until \d\d:\d\d:\d\d UTC, in (10m00s|9m)", again.stderr
    )
    assert run(site, url, "resume", "--reason", "it is done").returncode == 0
    assert redis.exists("heal:halt") == 0
    event = site.events()[-2]
    assert (event["outcome"], event["reason"]) == ("operator-resume", "it is done")
    assert event["after"] == "fleet: not halted"
    none = run(site, url, "resume", "--reason", "again")
    assert (none.returncode, len(site.events())) == (1, len(site.events()))
    assert "fleet is not halted" in none.stderr


def test_halts_of_a_healer_and_of_hosts_stand_side_by_side(
    site: Site, redis: Redis, url: str
) -> None:
    assert run(site, url, "halt", "--healer", "disk-reaper", "--reason", "a").returncode == 0
    assert run(site, url, "halt", "--hosts", "web-*", "--reason", "b").returncode == 0
    assert sorted(redis.hkeys("heal:halts")) == ["healer:disk-reaper", "host:web-*"]
    assert [event["healer"] for event in site.events()[-3::2]] == ["disk-reaper", "*"]
    shown = run(site, url, "status").stdout
    assert "! healer disk-reaper halted: a (ana)" in shown
    assert "! hosts web-* halted: b (ana)" in shown
    assert run(site, url, "resume", "--hosts", "web-*", "--reason", "c").returncode == 0
    assert redis.hkeys("heal:halts") == ["healer:disk-reaper"]


def test_a_storm_is_released_by_an_operator(site: Site, redis: Redis, url: str) -> None:
    redis.hset("heal:storms", "restart_worker", "1764000000 12 300")
    redis.zadd("heal:want:restart_worker", {f"web{i}": time.time() * 1000 for i in range(12)})
    assert "! storm: 12 hosts wanted restart_worker" in run(site, url, "status").stdout
    done = run(site, url, "resume", "--storm", "restart_worker", "--reason", "the broker is back")
    assert done.returncode == 0, done.stderr
    assert redis.exists("heal:storms", "heal:want:restart_worker") == 0
    event = site.events()[-2]
    assert (event["outcome"], event["scope"]) == ("operator-resume", "restart_worker")
    assert "12 hosts wanted restart_worker" in event["before"]


def test_an_ended_or_corrupt_halt_is_replaced_and_resumed(
    site: Site, redis: Redis, url: str
) -> None:
    for there in ("1764000000 1764000060 bob old", "no halt at all"):
        redis.set("heal:halt", there)
        assert run(site, url, "halt", "--reason", "new").returncode == 0
        assert str(redis.get("heal:halt")).endswith(" 0 ana new")
    redis.set("heal:halt", "no halt at all")
    assert "heal:halt is corrupt" in run(site, url, "status").stdout
    assert run(site, url, "resume", "--reason", "mend").returncode == 0
    assert redis.exists("heal:halt") == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("halt", "--reason", " "), 1),
        (("halt",), 2),
        (("halt", "--healer", "a/b", "--reason", "x"), 2),
        (("halt", "--hosts", "web[1]", "--reason", "x"), 2),
        (("halt", "--hosts", "a", "--healer", "b", "--reason", "x"), 2),
        (("resume", "--storm", "s", "--reason", "x"), 1),
        (("halt", "--read-only", "--reason", "x"), 1),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    site: Site, redis: Redis, url: str, words: tuple[str, ...], code: int
) -> None:
    before = site.audit.read_bytes()
    done = run(site, url, *words)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert redis.dbsize() == 0
    assert site.audit.read_bytes() == before


def test_without_redis_or_a_log_nothing_is_halted(
    site: Site, redis: Redis, redis_server: RedisServer
) -> None:
    assert "no Redis is configured" in site.run("halt", "--reason", "x").stderr
    url = redis_server.url
    site.audit.unlink()
    site.audit.mkdir()
    assert "audit log cannot be written" in run(site, url, "halt", "--reason", "x").stderr
    redis_server.stop()
    done = run(site, url, "halt", "--reason", "x")
    assert (done.returncode, "Redis unknown" in done.stderr) == (1, True)
