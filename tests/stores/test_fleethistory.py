"""Reading back in the fleet's audit stream, out of a real Redis that trims, and goes away."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from healconsole.core.ages import iso
from healconsole.core.auditline import AuditEvent, AuditLine
from healconsole.core.auditparse import format_event
from healconsole.core.fleetplace import told_at
from healconsole.stores.fleetfeed import FleetReader
from healconsole.stores.fleethistory import PAGE, FleetHistory
from healconsole.stores.fleetkeys import AUDIT
from healconsole.stores.redislink import RedisLink, RedisUnknown, plain_client
from healconsole.stores.redisserver import RedisServer

BEGAN = 1_764_000_000
NUMBER = 2 * PAGE + 200


def tell(url: str, numbers: range | Sequence[int], late: float = 0.5, host: str = "web-07") -> None:
    """One event a second, told ``late`` seconds after it happened."""
    with plain_client(url) as client, client.pipeline(transaction=False) as pipe:
        for number in numbers:
            line = format_event(
                ts_text=iso(BEGAN + number, millis=True), host=host, healer="worker",
                outcome="denied" if number % 100 == 7 else "success", intent=f"restart n={number}",
            )  # fmt: skip
            at = int((BEGAN + number + late) * 1000)
            pipe.xadd(AUDIT, {"host": host, "id": f"{number:032x}", "line": line}, id=f"{at}-*")
        pipe.execute()


def numbers(lines: Sequence[AuditLine]) -> list[int]:
    found = [line.intent.partition("n=")[2] for line in lines if isinstance(line, AuditEvent)]
    return [int(number) for number in found]


def all_of(line: AuditLine) -> bool:
    return bool(line.raw)


@pytest.fixture
def url(redis_url: str) -> str:
    tell(redis_url, range(NUMBER))
    return redis_url


def test_it_is_read_back_page_by_page_to_where_the_stream_begins(url: str) -> None:
    link = RedisLink(url)
    reader = FleetReader(link, lambda: 0.0)
    reader.look()
    tail = reader.audit.tail()
    link.close()
    found, start = numbers(tail.lines), tail.since
    assert found == list(range(NUMBER - PAGE, NUMBER))
    history = FleetHistory(url)
    while start:
        step = history.scan(all_of, start)
        assert len(step.lines) <= PAGE
        found, start = [*numbers(step.lines), *found], step.offset
    assert found == list(range(NUMBER))
    denied = history.scan(lambda line: isinstance(line, AuditEvent) and line.outcome == "denied",
                          tail.since)  # fmt: skip
    assert numbers(denied.lines) == list(range(NUMBER - 2 * PAGE + 7, NUMBER - PAGE, 100))


def test_a_jump_lands_at_the_time_and_is_read_on_in_both_directions(url: str) -> None:
    history = FleetHistory(url)
    there = history.around(BEGAN + 600, 50)
    assert numbers(there.lines) == list(range(550, 650))
    assert numbers([line for line in there.lines if line.offset >= there.at])[0] == 600
    assert numbers(history.newer(there.end, 10).lines) == list(range(650, 660))
    assert numbers(history.scan(all_of, there.start).lines)[-1] == 549
    early = history.around(BEGAN - 9000, 50)
    assert (numbers(early.lines), early.start) == (list(range(50)), 0)
    late = history.around(BEGAN + 90_000, 50)
    assert numbers(late.lines) == list(range(NUMBER - 50, NUMBER))
    assert history.newer(late.end, 10).lines == ()


def test_what_was_told_twice_or_late_is_there_once_where_its_time_belongs(url: str) -> None:
    tell(url, range(NUMBER - 5, NUMBER), late=300.0)
    tell(url, [NUMBER - 50], late=400.0, host="db-03")
    step = FleetHistory(url).scan(all_of, told_at(BEGAN + 9000))
    assert numbers(step.lines)[-51:] == sorted([*range(NUMBER - 50, NUMBER), NUMBER - 50])


def test_a_stream_that_was_trimmed_meanwhile_begins_later(url: str) -> None:
    history = FleetHistory(url)
    first = history.scan(all_of, told_at(BEGAN + 9000))
    assert not first.done
    with plain_client(url) as client:
        client.xtrim(AUDIT, maxlen=PAGE + 100, approximate=False)
    second = history.scan(all_of, first.offset)
    assert second.done
    assert numbers(second.lines) == list(range(NUMBER - PAGE - 100, NUMBER - PAGE))
    with plain_client(url) as client:
        client.delete(AUDIT)
    assert history.scan(all_of, second.offset or first.offset).lines == ()
    assert history.around(BEGAN + 600, 50).lines == ()


def test_a_redis_that_does_not_answer_is_no_beginning(redis_server: RedisServer) -> None:
    tell(redis_server.url, range(PAGE + 10))
    history = FleetHistory(redis_server.url)
    assert len(history.scan(all_of, told_at(BEGAN + 9000)).lines) == PAGE
    redis_server.stop()
    for ask in (
        lambda: history.scan(all_of, told_at(BEGAN)),
        lambda: history.around(BEGAN, 5),
        lambda: history.newer(told_at(BEGAN), 5),
    ):
        with pytest.raises(RedisUnknown):
            ask()
