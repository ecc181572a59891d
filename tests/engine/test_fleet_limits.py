"""Bucket, stops, slots, storm brake and rollout gate of the fleet: bash and Python say the same."""

from __future__ import annotations

import fcntl
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from healconsole.stores.fleetlook import Asker, FleetLink
from healconsole.stores.redislink import RedisLink, RedisUnknown
from healconsole.stores.redisserver import RedisServer
from tests.engine.fleets import BASH, LIBRARIES, PYTHON, Host, MakeHost
from tests.engine.sites import NOON, OPEN_POLICY, many, race

RATED = replace(OPEN_POLICY, fleet_rate_micro=100, fleet_burst=2)
SLOTTED = replace(OPEN_POLICY, fleet_slots="web", fleet_slots_max=2, fleet_lock_ttl=30)
STORMY = replace(OPEN_POLICY, fleet_storm="2")


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def host(tmp_path: Path, redis_url: str) -> MakeHost:
    def make(name: str, library: str = PYTHON, redis: str = redis_url) -> Host:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        return Host(name, library, root, redis)

    return make


def test_one_bucket_is_for_all_hosts_and_both_languages(host: MakeHost, redis: Redis) -> None:
    assert host("web1", BASH).act(RATED)[0] == "success"
    assert host("web2", PYTHON).act(RATED)[0] == "success"
    said = {library: host(f"{library}3", library).act(RATED) for library in LIBRARIES}
    assert said[BASH][0] == said[PYTHON][0] == "denied"
    for outcome in said.values():
        assert outcome[1].startswith("fleet bucket: 0.0 of 2 tokens, one in ")
    at, tokens = str(redis.get("heal:tokens:fix")).split()
    assert float(at) == pytest.approx(time.time(), abs=60)
    assert 0 <= int(tokens) < 1_000_000


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_denied_act_spends_no_token_of_the_fleet(
    host: MakeHost, redis: Redis, library: str
) -> None:
    web = host("web1", library)
    closed = replace(RATED, burst=1)
    assert web.act(closed)[0] == "success"
    spent = redis.get("heal:tokens:fix")
    assert web.act(closed, "fix pid=2")[0] == "denied"
    redis.set("heal:lock:l", "x")
    assert web.act(replace(RATED, fleet_lock="l"), "fix pid=3")[0] == "denied"
    assert redis.get("heal:tokens:fix") == spent
    # What cannot be announced has not begun: its token is given back.
    (web.root / "audit.jsonl").chmod(0o600)
    (web.root / "audit.jsonl").rename(web.root / "log")
    (web.root / "audit.jsonl").mkdir()
    assert web.act(RATED, "fix pid=4")[0] == "denied"
    assert int(str(redis.get("heal:tokens:fix")).split()[1]) >= 1_000_000


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_rehearsal_spends_no_token(host: MakeHost, redis: Redis, library: str) -> None:
    assert host("web1", library).act(replace(RATED, stage="dry-run"))[0] == "dry-run"
    assert redis.get("heal:tokens:fix") is None


def test_sixteen_processes_get_exactly_burst_and_rate(tmp_path: Path, redis_url: str) -> None:
    """As fast as they can for a while: burst + rate x time, within one token."""
    lasts, rate, burst = many(1, 20), 20, 7
    policy = replace(OPEN_POLICY, fleet_rate_micro=rate * 1_000_000, fleet_burst=burst)

    def work(index: int) -> None:
        link = RedisLink(redis_url)
        fleet = FleetLink(link)
        asker = Asker("h", f"web{index}", policy, "fix")
        began = time.monotonic()
        took = []
        while time.monotonic() - began < lasts:
            before = time.monotonic()
            if fleet.take_token(asker) >= 1_000_000:
                took.append((before, time.monotonic()))
        (tmp_path / f"{index}").write_text("\n".join(f"{a} {b}" for a, b in took))
        link.close()

    race(16, work)
    times = sorted(
        tuple(map(float, line.split()))
        for index in range(16)
        for line in (tmp_path / f"{index}").read_text().splitlines()
    )
    asked, answered = [a for a, _ in times], [b for _, b in times]
    most = burst + rate * (max(answered) - min(asked))
    least = burst + rate * (max(asked) - min(answered))
    print(
        f"{len(times)} tokens in {max(asked) - min(asked):.2f} s; {least:.1f} to {most:.1f} are due"
    )
    assert least - 1 <= len(times) <= most + 1


def test_a_bucket_that_is_no_bucket_denies(redis: Redis, redis_url: str, host: MakeHost) -> None:
    for value in ("x", "1764000000 5", "9" * 12 + ".000000 1", "1.000000 " + "9" * 13):
        redis.set("heal:tokens:fix", value)
        for library in LIBRARIES:
            outcome, reason = host(library, library).act(RATED)
            assert outcome == "denied"
            assert "CORRUPT the fleet bucket does not match its format" in reason


def test_a_bucket_survives_a_clock_that_steps_back(redis: Redis, redis_url: str) -> None:
    link = RedisLink(redis_url)
    asker = Asker("h", "web1", RATED, "fix")
    redis.set("heal:tokens:fix", f"{int(time.time()) + 9000}.000000 1500000")
    assert FleetLink(link).take_token(asker) == 1_500_000
    assert float(str(redis.get("heal:tokens:fix")).split()[0]) <= time.time() + 1
    assert FleetLink(link).take_token(asker) < 1_000_000
    link.close()


STOPS = {
    "fleet": ("", "fleet halted: bad deploy (ana)"),
    "healer": ("healer:h", "healer h halted: bad deploy (ana)"),
    "hosts": ("host:web-?*", "hosts web-?* halted: bad deploy (ana)"),
}


@pytest.mark.parametrize("kind", STOPS)
def test_a_halt_stops_whom_it_is_for_and_no_operator(
    host: MakeHost, redis: Redis, kind: str
) -> None:
    target, expected = STOPS[kind]
    record = f"{NOON - 60:.0f} {NOON + 60:.0f} ana bad deploy"
    redis.hset("heal:halts", "healer:other", record)
    redis.hset("heal:halts", "host:db*", record)
    for library in LIBRARIES:
        assert host(f"web-{library}", library).act()[0] == "success"
    if target:
        redis.hset("heal:halts", target, record)
    else:
        redis.set("heal:halt", record)
    for library in LIBRARIES:
        web = host(f"web-{library}", library)
        assert web.act(intent="fix again") == ("denied", expected)
        [event] = web.events("denied")
        assert event["guard"] == "hold"
        assert web.act(intent="fix by hand", trigger="operator")[0] == "success"
    # Its end comes by itself.
    over = f"{NOON - 60:.0f} {NOON:.0f} ana bad deploy"
    redis.delete("heal:halt", "heal:halts")
    redis.hset("heal:halts", "host:web-*", over)
    redis.set("heal:halt", over)
    for library in LIBRARIES:
        assert host(f"web-{library}", library).act(intent="fix more")[0] == "success"


@pytest.mark.parametrize(
    ("target", "record"),
    [
        ("host:web[1]", "1764000000 0 ana x"),
        ("everybody", "1764000000 0 ana x"),
        ("", "1764000000 0 ana x"),
        ("host:*", "soon"),
        ("healer:h", "08 0 ana x"),
        ("healer:h", "1764000000 0 a/b x"),
    ],
)
def test_a_halt_that_cannot_be_read_halts_all(
    host: MakeHost, redis: Redis, target: str, record: str
) -> None:
    redis.hset("heal:halts", target, record)
    said = {library: host(f"web-{library}", library).act() for library in LIBRARIES}
    assert said[BASH] == said[PYTHON]
    assert said[BASH][0] == "denied"
    assert "is corrupt: does not match its format" in said[BASH][1]


def test_a_halt_comes_between_the_peek_and_the_commit(host: MakeHost, redis: Redis) -> None:
    """The lock of the state directory is waited for; a halt that comes meanwhile counts."""
    for library in LIBRARIES:
        web = host(f"web-{library}", library)
        redis.delete("heal:halt")
        assert web.act()[0] == "success"
        with (web.root / "h" / ".guard").open("r+") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            before = int(redis.info("commandstats")["cmdstat_get"]["calls"])
            found: list[tuple[str, str]] = []
            thread = threading.Thread(target=lambda: found.append(web.act(intent="fix b")))  # noqa: B023
            thread.start()
            deadline = time.monotonic() + 20
            while int(redis.info("commandstats")["cmdstat_get"]["calls"]) <= before:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            redis.set("heal:halt", "1764000000 0 ana stop")
        thread.join()
        assert found == [("denied", "fleet halted: stop (ana)")]


def test_slots_bound_how_many_act_at_once(host: MakeHost, redis: Redis) -> None:
    redis.zadd("heal:slots:web", {"db1/h/1/u": (time.time() + 100) * 1000})
    assert host("web1", BASH).act(SLOTTED)[0] == "success"
    assert host("web2", PYTHON).act(SLOTTED)[0] == "success"
    redis.zadd("heal:slots:web", {"db2/h/1/u": (time.time() + 200) * 1000})
    for library in LIBRARIES:
        outcome, reason = host(f"{library}3", library).act(SLOTTED)
        assert outcome == "denied"
        assert reason.startswith("slots web: 2 of 2 are taken, the first for ")
    # One whose lease has ended holds nothing.
    redis.zadd("heal:slots:web", {"db2/h/1/u": (time.time() - 1) * 1000})
    for library in LIBRARIES:
        assert host(f"{library}3", library).act(SLOTTED)[0] == "success"
    assert redis.zrange("heal:slots:web", 0, -1) == ["db1/h/1/u"]


def test_no_more_than_the_slots_are_inside(tmp_path: Path, redis_url: str) -> None:
    policy = replace(SLOTTED, fleet_lock_ttl=5)
    inside = tmp_path / "inside"
    inside.mkdir()
    script = (
        'f="$INSIDE/$HEAL_SLOT_FENCE"; : >"$f"; set -- "$INSIDE"/*; '
        'echo "$# $HEAL_FENCE" >>"$INSIDE.log"; sleep 0.05; rm "$f"'
    ).replace("$INSIDE", str(inside))

    def work(index: int) -> None:
        name = f"web{index}"
        (tmp_path / name).mkdir()
        web = Host(name, LIBRARIES[index % 2], tmp_path / name, redis_url)
        deadline = time.monotonic() + 60
        while web.act(policy, script=script)[0] != "success":
            assert time.monotonic() < deadline

    race(many(8, 40), work)
    counts = [line.split() for line in (tmp_path / "inside.log").read_text().splitlines()]
    assert len(counts) == many(8, 40)
    assert max(int(count) for count, _ in counts) <= 2
    assert len({fence for _, fence in counts}) == len(counts)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_slot_is_renewed_and_a_lost_one_ends_the_action(
    host: MakeHost, redis: Redis, library: str
) -> None:
    policy = replace(SLOTTED, fleet_lock_ttl=2)
    web = host("web1", library)
    assert web.act(policy, script="sleep 2.2")[0] == "success"
    url = web.redis
    steal = (
        f"{sys.executable} -c \"import redis; redis.Redis.from_url('{url}')"
        ".delete('heal:slots:web')\"; sleep 60"
    )
    outcome, _ = web.act(policy, "fix 2", script=steal)
    assert outcome == "action-failed"
    [event] = web.events("action-failed")
    assert "slot of web was lost" in str(event["reason"])


def test_a_storm_stops_everybody_until_it_is_released(host: MakeHost, redis: Redis) -> None:
    assert host("web1", BASH).act(STORMY)[0] == "success"
    assert host("web2", PYTHON).act(STORMY)[0] == "success"
    assert host("web1", BASH).act(STORMY, "fix b")[0] == "success"
    for index, library in enumerate(LIBRARIES):
        redis.delete("heal:storms", "heal:want:fix")
        for early in ("a", "b"):
            redis.zadd("heal:want:fix", {early: time.time() * 1000})
        web = host(f"web{3 + index}", library)
        expected = "storm: 3 hosts wanted fix within 300 s, stopped until an operator releases it"
        assert web.act(STORMY) == ("denied", expected)
        assert str(redis.hget("heal:storms", "fix")) == f"{NOON:.0f} 3 300"
        # Who brakes no storms itself is stopped as well, and other scopes are not.
        for other in LIBRARIES:
            assert host(f"web{other}", other).act() == ("denied", expected)
            assert host(f"web{other}", other).act(STORMY, f"other {index}")[0] == "success"
        assert web.events("denied")[0]["guard"] == "fleet"
    redis.hset("heal:storms", "fix", "x")
    for library in LIBRARIES:
        corrupt = "heal:storms fix is corrupt: does not match its format"
        assert host(f"web{library}", library).act() == ("denied", corrupt)


def test_a_percentage_counts_the_live_hosts(host: MakeHost, redis: Redis) -> None:
    policy = replace(OPEN_POLICY, fleet_storm="20%")
    now = time.time() * 1000
    for index, library in enumerate(LIBRARIES):
        redis.flushall()
        # Ten live ones, and ninety that were seen an hour ago.
        redis.zadd("heal:alive", {f"live{i}": now for i in range(8)})
        redis.zadd("heal:alive", {f"gone{i}": now - 3_600_000 for i in range(90)})
        assert host(f"a{index}", library).act(policy)[0] == "success"
        assert host(f"b{index}", library).act(policy)[0] == "success"
        outcome, reason = host(f"c{index}", library).act(policy)
        assert (outcome, reason[:14]) == ("denied", "storm: 3 hosts")
        assert redis.zcard("heal:alive") == 11


@pytest.mark.parametrize("stage", ["dev", "dry-run", "canary", "10%", "25%", "50%", "100%"])
def test_who_is_not_in_the_stage_rehearses(host: MakeHost, stage: str) -> None:
    policy = replace(OPEN_POLICY, stage=stage, canaries="web-9, db-*")
    names = ["web-01", "web-9", "db-3", "h1", "h2"]
    for name in names:
        said = {}
        for library in LIBRARIES:
            made = Host(name, library, host(f"{name}-{library}").root, host("x").redis)
            said[library] = made.act(policy)
        assert said[BASH] == said[PYTHON]
        if stage in {"dev", "dry-run"} or (stage == "canary" and name not in {"web-9", "db-3"}):
            assert said[BASH][0] == "dry-run"
            assert f"stage {stage}" in said[BASH][1]
        elif stage == "100%" or name in {"web-9", "db-3"}:
            assert said[BASH][0] == "success"


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_operators_off_makes_no_host_live_that_is_not_in_the_stage(
    host: MakeHost, library: str
) -> None:
    web = host("web1", library)
    (web.root / "h").mkdir()
    (web.root / "h" / "dry-run").write_text(f"off {NOON:.0f} 0 ana\n")
    outcome, reason = web.act(replace(OPEN_POLICY, stage="canary"))
    assert outcome == "dry-run"
    assert "stage canary: web1 is no canary" in reason


@pytest.mark.parametrize("library", LIBRARIES)
def test_local_only_goes_on_without_redis_where_it_was_chosen(
    host: MakeHost, library: str, redis_server: RedisServer
) -> None:
    everything = replace(
        OPEN_POLICY, fleet_lock="l", fleet_slots="g", fleet_rate_micro=1, fleet_storm="5"
    )
    redis_server.stop()
    web = host("web1", library, redis_server.url)
    outcome, reason = web.act(everything)
    assert (outcome, reason[:14]) == ("denied", "Redis unknown:")
    local = replace(everything, redis_unreachable="local-only")
    assert web.act(local, "fix b")[0] == "success"


def test_a_slot_whose_reply_is_lost_is_asked_for_again(redis_url: str) -> None:
    link = RedisLink(redis_url)
    fleet = FleetLink(link)
    first = fleet.take_slot("web", "a", 1000, 1)
    again = fleet.take_slot("web", "a", 1000, 1)
    assert first is not None
    assert again is not None
    assert again > first
    assert fleet.take_slot("web", "b", 1000, 1) is None
    assert not fleet.renew_slot("web", "b", 1000)
    assert fleet.renew_slot("web", "a", 1000)
    assert fleet.release_slot("web", "a")
    assert not fleet.release_slot("web", "a")
    link.close()
    with pytest.raises(RedisUnknown):
        FleetLink(RedisLink("redis://127.0.0.1:1")).take_slot("web", "a", 1000, 1)
