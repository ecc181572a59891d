"""Only what differs is repainted."""

from __future__ import annotations

import time
from dataclasses import replace

from healconsole.core.auditline import AuditTail
from healconsole.core.diff import changed
from healconsole.core.snapshot import EMPTY, Lock, Snapshot, SourceHealth
from healconsole.core.words import SourceState
from tests.core.samples import healer

BASE = Snapshot(healers=(healer("a"), healer("b")))


def test_nothing_differs() -> None:
    again = Snapshot(healers=(healer("a"), healer("b")), taken_at=5)
    assert not changed(BASE, again)
    assert not changed(BASE, BASE)


def test_healers_that_changed_came_or_went() -> None:
    other = Snapshot(healers=(healer("b", daemon_pid=1), healer("c")))
    assert changed(BASE, other).healers == {"a", "b", "c"}
    assert changed(EMPTY, BASE).healers == {"a", "b"}


def test_each_part_by_itself() -> None:
    assert changed(BASE, replace(BASE, audit=AuditTail(size=1))).audit
    assert changed(BASE, replace(BASE, locks=(Lock("k", "o", None),))).locks
    sources = changed(BASE, replace(BASE, redis_health=SourceHealth(SourceState.LIVE)))
    assert (sources.sources, sources.audit, sources.locks) == (True, False, False)
    assert changed(BASE, replace(BASE, anomalies=("the clock stepped",))).sources


def test_a_latency_is_no_change() -> None:
    health = SourceHealth(SourceState.LIVE, latency_ms=1.0, last_ok=1.0)
    later = replace(health, latency_ms=2.0, last_ok=2.0)
    assert not changed(replace(BASE, redis_health=health), replace(BASE, redis_health=later))


def test_one_of_a_thousand_costs_next_to_nothing() -> None:
    states = [healer(f"h{n}") for n in range(1000)]
    old = Snapshot(healers=tuple(states))
    states[500] = healer("h500", daemon_pid=1)
    new = Snapshot(healers=tuple(states))
    began = time.process_time()
    for _ in range(10):
        assert changed(old, new).healers == {"h500"}
    assert (time.process_time() - began) / 10 < 0.01
