"""Hosts that publish, and the fleet that is read back, through a real Redis that comes and goes."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core import requestdoc
from healconsole.core.auditline import AuditEvent
from healconsole.core.auditparse import format_event
from healconsole.core.hostdoc import DOC_MAX
from healconsole.core.requestdoc import seal
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.core.view import healer_row
from healconsole.core.words import SourceState
from healconsole.stores.fleetfeed import FleetReader
from healconsole.stores.fleethosts import REQUESTS_MAX
from healconsole.stores.fleetkeys import AUDIT, CHANGED, HOST, HOSTS, POSITION
from healconsole.stores.logposition import entries_since
from healconsole.stores.publish import Publisher
from healconsole.stores.redislink import RedisLink, RedisUnknown, plain_client
from healconsole.stores.redisserver import RedisServer
from tests.tui import sceneparts, scenes

NOW = sceneparts.NOW


def line(number: int) -> bytes:
    return format_event(
        ts_text=f"2026-11-23T14:{number // 60:02d}:{number % 60:02d}.000+00:00",
        host="whoever", healer="worker", outcome="success", intent=f"restart n={number}",
    )  # fmt: skip


def append(path: Path, *numbers: int) -> None:
    with path.open("ab") as file:
        file.writelines(line(number) for number in numbers)


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    opened = RedisLink(redis_url)
    yield opened
    opened.close()


@pytest.fixture
def publisher(link: RedisLink, tmp_path: Path) -> Callable[..., Publisher]:
    def make(host: str = "web-07", lease_s: float = 60.0) -> Publisher:
        return Publisher(link, host, tmp_path / host / "audit.jsonl", lease_s)

    return make


class Eye:
    """Somebody who looks at the fleet; his clock is moved by hand."""

    def __init__(self, link: RedisLink) -> None:
        self.reader = FleetReader(link, lambda: NOW)

    def look(self) -> dict[str, HealerState]:
        self.reader.look()
        return {healer.id: healer for healer in self.reader.hosts.healers}

    def intents(self) -> list[str]:
        self.reader.look()
        return [e.intent for e in self.reader.audit.tail().lines if isinstance(e, AuditEvent)]


@pytest.fixture
def eye(link: RedisLink) -> Eye:
    return Eye(link)


Make = Callable[..., Publisher]


def test_what_hosts_tell_is_seen_and_only_what_changed_is_read_again(
    publisher: Make, eye: Eye
) -> None:
    one, two = publisher("web-07"), publisher("db-03")
    assert one.tell(scenes.one_open(), NOW)
    two.tell(scenes.healthy(), NOW)
    first = eye.look()
    assert len(first) == 8
    assert healer_row(first["web-07/worker-queue-healer"], NOW).word == "open"
    assert healer_row(first["db-03/worker-queue-healer"], NOW).word == "ok"
    assert not one.tell(scenes.one_open(), NOW + 1), "nothing new is a lease, not a document"
    changed = scenes.one_open()
    healers = tuple(
        replace(h, breakers=()) if h.name == "worker-queue-healer" else h for h in changed.healers
    )
    assert one.tell(replace(changed, healers=healers), NOW + 2)
    second = eye.look()
    assert healer_row(second["web-07/worker-queue-healer"], NOW).circuit == "closed"
    same = {name for name in first if second[name] is first[name]}
    assert same == first.keys() - {"web-07/worker-queue-healer"}


def test_a_host_that_tells_no_more_is_lost_and_never_healthy(
    publisher: Make, eye: Eye, redis_url: str
) -> None:
    host = publisher()
    host.tell(scenes.healthy(), NOW)
    assert eye.look()["web-07/disk-reaper"].lost_since is None
    with plain_client(redis_url) as client:
        client.zadd(HOSTS, {"web-07": client.zscore(HOSTS, "web-07") - 120_000})
    found = eye.look()
    assert {healer_row(healer, NOW).word for healer in found.values()} == {"lost"}
    assert healer_row(found["web-07/disk-reaper"], NOW).severity == 3
    with plain_client(redis_url) as client:
        client.delete(HOST + "web-07")
    fresh = Eye(eye.reader._link).look()
    assert healer_row(fresh["web-07/?"], NOW).word == "lost", (
        "a host of which only the name is left"
    )
    host.tell(scenes.healthy(), NOW)
    assert {healer_row(healer, NOW).word for healer in eye.look().values()} == {"ok"}


def test_a_host_that_leaves_is_gone_and_one_that_redis_forgot_is_lost(
    publisher: Make, eye: Eye, redis_url: str
) -> None:
    leaving, staying = publisher("a"), publisher("b")
    leaving.tell(scenes.healthy(), NOW)
    staying.tell(scenes.healthy(), NOW)
    assert len(eye.look()) == 8
    leaving.leave()
    assert {healer.host for healer in eye.look().values()} == {"b"}
    with plain_client(redis_url) as client:
        client.flushall()
    assert {healer_row(h, NOW).word for h in eye.look().values()} == {"lost"}
    staying.tell(scenes.healthy(), NOW)
    assert {healer_row(h, NOW).word for h in eye.look().values()} == {"ok"}, "told again in full"


def test_who_waits_for_a_second_person_is_told_and_told_again_when_nobody_does(
    publisher: Make, eye: Eye
) -> None:
    (asked,) = scenes.asked().requests
    waits = replace(scenes.healthy(), requests=(asked,))
    host = publisher()
    assert host.tell(waits, NOW)
    assert not host.tell(waits, NOW + 1)
    eye.look()
    (found,) = eye.reader.hosts.requests(NOW)
    assert (found.target, found.id, found.files) == (f"web-07/{asked.target}", asked.id, ())
    assert seal(found) == seal(asked)
    assert host.tell(scenes.healthy(), NOW + 2), "it was approved: the fleet is told"
    eye.look()
    assert eye.reader.hosts.requests(NOW) == ()
    host.tell(waits, asked.until + 1)
    eye.look()
    assert eye.reader.hosts.requests(NOW) == (), "its time is over"


def test_requests_whose_time_is_over_leave_room_for_those_that_wait(
    publisher: Make, eye: Eye
) -> None:
    """A host that is lost tells of what waited there until Redis forgets it."""
    (asked,) = scenes.asked().requests
    for number in range(REQUESTS_MAX // requestdoc.REQUESTS_MAX + 1):
        old = tuple(
            replace(asked, id=f"a{number:02}{each:02}", at=NOW - 600, until=NOW + 1)
            for each in range(requestdoc.REQUESTS_MAX)
        )
        publisher(f"lost{number}").tell(replace(scenes.healthy(), requests=old), NOW)
    live = replace(asked, at=NOW, until=NOW + 600)
    publisher("web-07").tell(replace(scenes.healthy(), requests=(live,)), NOW)
    eye.look()
    assert len(eye.reader.hosts.requests(NOW)) == REQUESTS_MAX
    assert [each.id for each in eye.reader.hosts.requests(NOW + 2)] == [live.id]


def test_events_of_all_hosts_come_in_the_order_of_their_times(
    publisher: Make, eye: Eye, tmp_path: Path
) -> None:
    for host in ("a", "b"):
        (tmp_path / host).mkdir()
    append(tmp_path / "a" / "audit.jsonl", 1, 4)
    append(tmp_path / "b" / "audit.jsonl", 2, 3)
    assert publisher("a").tell_events() == 2
    assert publisher("b").tell_events() == 2
    assert eye.intents() == [f"restart n={n}" for n in (1, 2, 3, 4)]
    first = eye.reader.audit.tail()
    assert [event.host for event in first.lines if isinstance(event, AuditEvent)] == list("abba")
    offsets = [event.offset for event in first.lines]
    assert offsets == sorted(set(offsets))
    append(tmp_path / "b" / "audit.jsonl", 0)  # a clock that is behind
    publisher("b").tell_events()
    assert eye.intents()[0] == "restart n=0"
    assert eye.reader.audit.tail().generation > first.generation, "it is not at the end"


def test_an_event_told_twice_is_seen_once(
    publisher: Make, eye: Eye, tmp_path: Path, redis_url: str
) -> None:
    (tmp_path / "web-07").mkdir()
    append(tmp_path / "web-07" / "audit.jsonl", *range(10))
    publisher().tell_events()
    with plain_client(redis_url) as client:
        client.delete(POSITION + "web-07")  # it died before it wrote down how far it was
        publisher().tell_events()
        assert client.xlen(AUDIT) == 20
    assert eye.intents() == [f"restart n={n}" for n in range(10)]


def test_more_than_ten_events_of_one_millisecond_are_one_stream(redis_url: str, eye: Eye) -> None:
    """Of ids as text, 10 would come before 9, and the stream seem to be another one."""

    def tell(at: int, *numbers: int) -> None:
        with plain_client(redis_url) as client:
            for number in numbers:
                said = {"host": "web-07", "id": f"{at + number:032x}", "line": line(number)}
                client.xadd(AUDIT, said, id=f"{at}-{number}")

    tell(1_800_000_000_000, *range(1, 10))
    eye.look()
    before = eye.reader.audit.tail()
    tell(1_800_000_000_000, *range(10, 13))
    assert eye.intents() == [f"restart n={number}" for number in range(1, 13)]
    after = eye.reader.audit.tail()
    assert (after.since, after.size) == (before.since, before.size + 3)
    # And one that is another one is read from its beginning on.
    with plain_client(redis_url) as client:
        client.delete(AUDIT)
    tell(1_799_000_000_000, 20, 21)
    eye.look()
    assert eye.intents()[-2:] == ["restart n=20", "restart n=21"]
    assert eye.reader.audit.tail().since < before.since


def test_a_publisher_catches_up_across_rotation_compression_and_truncation(
    publisher: Make, eye: Eye, tmp_path: Path
) -> None:
    (tmp_path / "web-07").mkdir()
    log = tmp_path / "web-07" / "audit.jsonl"
    append(log, 0, 1, 2)
    assert publisher().tell_events() == 3
    append(log, 3)
    log.rename(log.with_name("audit.jsonl.1"))
    append(log, 4, 5)
    with (
        log.with_name("audit.jsonl.1").open("rb") as plain,
        gzip.open(log.with_name("audit.jsonl.2.gz"), "wb") as packed,
    ):
        shutil.copyfileobj(plain, packed)
    log.rename(log.with_name("audit.jsonl.1"))
    append(log, 6)
    assert publisher().tell_events() == 4
    shutil.copyfile(log, log.with_name("audit.jsonl.1"))  # copytruncate
    append(log.with_name("audit.jsonl.1"), 7)
    os.truncate(log, 0)
    append(log, 8)
    assert publisher().tell_events() == 2
    assert eye.intents() == [f"restart n={n}" for n in range(9)]
    with log.open("ab") as file:
        file.write(line(9)[:20])
    assert publisher().tell_events() == 0, "a line that is not whole is not an event yet"


def test_nothing_is_lost_while_redis_is_away_and_hosts_get_lost_meanwhile(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    link = RedisLink(redis_server.url, timeout=0.5)
    eye = Eye(link)
    log = tmp_path / "audit.jsonl"
    host = Publisher(link, "web-07", log, lease_s=1.0)
    append(log, 0)
    host.tell(scenes.healthy(), NOW)
    host.tell_events()
    assert eye.intents() == ["restart n=0"]
    redis_server.stop()
    append(log, 1)
    for publish in (lambda: host.tell(scenes.healthy(), NOW), host.tell_events):
        with pytest.raises(RedisUnknown):
            publish()
    eye.look()
    assert eye.reader.state_health.state is eye.reader.audit_health.state is SourceState.UNKNOWN
    while next(iter(eye.look().values())).lost_since is None:  # its lease runs out on our clock
        pass
    redis_server.start()  # empty: it keeps nothing
    assert host.tell(scenes.healthy(), NOW)
    assert host.tell_events() == 2
    assert eye.intents() == ["restart n=0", "restart n=1"]
    assert next(iter(eye.look().values())).lost_since is None
    link.close()


def test_a_document_that_could_not_be_read_is_read_the_next_time(
    publisher: Make, eye: Eye, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = publisher()
    host.tell(scenes.healthy(), NOW)
    eye.look()
    host.tell(scenes.one_open(), NOW + 1)

    def breaks(_names: list[str]) -> list[bytes]:
        raise RedisUnknown("the link broke")

    with monkeypatch.context() as broken:
        broken.setattr(eye.reader, "_documents", breaks)
        assert healer_row(eye.look()["web-07/worker-queue-healer"], NOW).word == "ok"
        assert eye.reader.state_health.state is SourceState.UNKNOWN
    assert healer_row(eye.look()["web-07/worker-queue-healer"], NOW).word == "open"


def test_what_hostile_hosts_write_is_shown_as_what_it_is(
    publisher: Make, eye: Eye, redis_url: str
) -> None:
    publisher("good").tell(scenes.healthy(), NOW)
    with plain_client(redis_url) as client:
        live = client.zscore(HOSTS, "good")
        for name, document in {
            "huge": b"x" * (DOC_MAX + 10),
            "other": client.get(HOST + "good"),
            "torn": client.get(HOST + "good")[:-30],
            "\x1b[31m": b"{}\n",
            "a/b": b"{}\n",
        }.items():
            client.set(HOST + name, document)
            client.zadd(CHANGED, {name: 1.0})
            client.zadd(HOSTS, {name: live})
        client.hset(HOST + "hash", "a", "b")
        client.zadd(HOSTS, {"hash": live, "for-ever": float("inf"), b"\xff": live})
        for entry in (
            {"host": "good", "id": "0" * 32, "line": b"\x1b]0;owned\x07"},
            {"host": "a/b", "id": "1" * 32, "line": line(1)},
            {"host": "good", "id": "short", "line": line(2)},
            {"nothing": "at all"},
            {"host": "good", "id": "2" * 32, "line": line(3).replace(b"2026", b"2999")},
            {"host": "good", "id": "3" * 32, "line": line(4)},
        ):
            client.xadd(AUDIT, entry)
    found = eye.look()
    words = {name: healer_row(healer, NOW).word for name, healer in found.items()}
    assert {words[f"{host}/?"] for host in ("huge", "other", "torn", "hash")} == {"unreadable"}
    assert words["for-ever/?"] == "lost"
    assert {words[name] for name in words if name.startswith("good/")} == {"ok"}
    assert {healer.host for healer in found.values()} == {
        *("good", "huge", "other", "torn", "hash", "for-ever")
    }
    tail = eye.reader.audit.tail()
    assert tail.unparsable == 4
    assert len(tail.lines) == 3


def test_wrong_types_under_the_keys_are_unknown_and_cost_nothing_else(
    publisher: Make, eye: Eye, redis_url: str
) -> None:
    publisher().tell(scenes.healthy(), NOW)
    with plain_client(redis_url) as client:
        client.set(AUDIT, "x")
    assert len(eye.look()) == 4
    assert eye.reader.audit_health.state is SourceState.UNKNOWN
    with plain_client(redis_url) as client:
        client.delete(HOSTS)
        client.set(HOSTS, "x")
    eye.look()
    assert eye.reader.state_health.state is SourceState.UNKNOWN


def test_the_same_line_has_the_same_id_wherever_it_is_read(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    append(log, 0, 1, 2)
    first = list(entries_since(log, None))
    log.rename(tmp_path / "audit.jsonl.1")
    append(log, 3)
    again = list(entries_since(log, first[0].after))
    assert [entry.id for entry in again[:2]] == [entry.id for entry in first[1:]]
    assert len({entry.id for entry in [*first, *again]}) == 4


def test_an_empty_host_is_no_row(publisher: Make, eye: Eye) -> None:
    publisher().tell(Snapshot(host="web-07"), NOW)
    assert eye.look() == {}
    assert [host.name for host in eye.reader.hosts.hosts] == ["web-07"]
