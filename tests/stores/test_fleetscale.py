"""Many hosts at once: nothing is missing, and what did not change is not read again."""

from __future__ import annotations

import time

from healconsole.core.view import healer_row
from healconsole.stores.fleetfeed import FleetReader
from healconsole.stores.redislink import RedisLink
from tests.bench.fleet import hosts_of

HOSTS, HEALERS = 200, 10


def test_two_hundred_hosts_are_read_whole_and_then_only_where_they_change(redis_url: str) -> None:
    link = RedisLink(redis_url)
    hosts = hosts_of(link, HOSTS, HEALERS)
    for host in hosts:
        host.tell(time.time())
    parts: list[int] = []
    reader = FleetReader(link, time.time)
    reader.look(lambda: parts.append(len(reader.hosts.healers)))
    first = {healer.id: healer for healer in reader.hosts.healers}
    assert len(first) == HOSTS * HEALERS
    assert parts == sorted(parts), "the screen fills while it is read"
    assert 0 < parts[0] < len(first)
    assert {healer_row(healer, time.time()).word for healer in first.values()} == {"ok"}
    for host in hosts[:3]:
        host.tell(time.time() + 1)
    reader.look()
    second = {healer.id: healer for healer in reader.hosts.healers}
    changed = {name for name in first if second[name] is not first[name]}
    assert {name.partition("/")[0] for name in changed} == {host.name for host in hosts[:3]}
    assert len(changed) == 3
    link.close()
