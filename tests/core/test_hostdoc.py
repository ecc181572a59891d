"""What a host publishes is read back as it was, and what is none is refused without a crash."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.auditline import AuditEvent, repeated
from healconsole.core.explain import explain
from healconsole.core.hostdoc import PARTS_MAX, header_line, healer_line, problems_of
from healconsole.core.hostread import Malformed, read_healer_line, split_document
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.records import ClaimRecord, Corrupt, MarkerRecord, OverrideRecord, Policy
from healconsole.core.request import waiting_words
from healconsole.core.requestdoc import published, read_request
from healconsole.core.snapshot import (
    EMPTY,
    PARTS,
    CatalogEntry,
    HealerState,
    Snapshot,
    SourceHealth,
)
from healconsole.core.view import healer_row
from healconsole.core.words import SourceState
from tests.core import samples
from tests.tui import scenes
from tests.tui.sceneparts import NOW

HEALERS = {
    f"{index}-{healer.name}": healer
    for index, site in enumerate((scenes.one_open(), scenes.dry_run(), scenes.corrupt_file()))
    for healer in site.healers
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


def there_and_back(healer: HealerState) -> HealerState:
    return read_healer_line(healer_line(healer, NOW), "web-07")


@pytest.mark.parametrize("name", HEALERS)
def test_a_healer_shows_on_the_fleet_as_it_shows_on_its_host(name: str) -> None:
    # The names of all markers stay on the host: how many deny is told by the latest intents.
    healer = replace(HEALERS[name], markers=None)
    read = there_and_back(healer)
    assert read.id == f"web-07/{healer.name}"
    here, there = healer_row(healer, NOW), healer_row(read, NOW)
    assert replace(there, name=here.name, host="") == here


def test_every_record_comes_back_as_it_was() -> None:
    claim = ClaimRecord(
        0,
        12,
        34,
        "0badcafe",
        int(NOW),
        "ab" * 32,
        "restart_worker",
        probe=True,
        last_refill=int(NOW),
        tokens_micro=5,
        intent="x y=1",
        alive=True,
    )
    n = bucket_number(NOW, 300)
    healer = replace(
        HEALERS["0-worker-queue-healer"],
        markers=None,
        claims=(claim, Corrupt("claims/1", "empty")),
        hold=OverrideRecord(on=True, since=int(NOW), until=0, operator="ana"),
        dry_run=Corrupt("dry-run", "empty"),
        marker_keys=frozenset({marker_key("restart_worker pid=12440", n), "00" * 32}),
        catalog=CatalogEntry("x", "/x.toml", ("true",), owner="ops", policy=Policy(burst=7)),
    )
    read = there_and_back(healer)
    assert (read.cycle, read.heartbeat, read.breakers) == (
        healer.cycle,
        healer.heartbeat,
        healer.breakers,
    )
    assert (read.buckets, read.claims, read.hold) == (healer.buckets, healer.claims, healer.hold)
    assert read.dry_run == healer.dry_run
    assert read.marker_keys == {marker_key("restart_worker pid=12440", n)}
    assert read.catalog is not None
    assert (read.catalog.owner, read.catalog.policy) == ("ops", Policy(burst=7))
    assert read.catalog.command != ("true",), "what is run is never taken from Redis"


@pytest.mark.parametrize("why", ["", "not readable"])
def test_a_marker_denies_on_the_fleet_also_where_it_is_corrupt(why: str) -> None:
    """Its intent may be told by nothing but the last cycle."""
    intent = "restart_worker pid=1"
    key = marker_key(intent, bucket_number(samples.NOW, 300))
    marker = Corrupt(f"keys/{key}", why) if why else MarkerRecord(key, int(samples.NOW))
    healer = samples.healer(
        cycle=samples.cycle(intent=intent),
        intents=(),
        last=None,
        marker_keys=frozenset({key}),
        markers_total=1,
        marked=(marker,),
    )
    read = read_healer_line(healer_line(healer, samples.NOW), "web-07")
    here = explain(healer, EMPTY, None, samples.NOW)
    there = explain(read, EMPTY, None, samples.NOW)
    assert (here.allow, here.reason) == (there.allow, there.reason)
    assert not there.allow


def test_what_of_a_healer_is_unknown_is_unknown_on_the_fleet() -> None:
    """Whatever else there is on the host: the shadow of a healer that is not in dry-run."""
    unread = PARTS | {"dry/rate", "dry/keys"}
    read = there_and_back(samples.healer(problem="keys: x", unread=unread))
    assert (read.problem, read.unread) == ("keys: x", PARTS)


def test_of_several_denials_the_fleet_tells_until_when_they_were() -> None:
    denied = AuditEvent(0, 0, NOW, "", outcome="denied", count=38, until=int(NOW) - 5)
    healer = samples.healer(last=denied)
    last = there_and_back(healer).last
    assert last is not None
    assert repeated(last, 0) == repeated(denied, 0) == "x38 until 14:32:02"
    told = orjson.loads(healer_line(healer, NOW))
    for junk in (-1, 10**11, 0.5, True, "1764000000"):
        told["last"]["until"] = junk
        assert "(until)" in read_healer_line(orjson.dumps(told), "web-07").problem


def test_of_many_breakers_those_that_are_not_closed_are_told() -> None:
    base = HEALERS["0-worker-queue-healer"]
    closed = HEALERS["1-worker-queue-healer"].breakers[0]
    healer = replace(base, breakers=(*[closed] * 100, *base.breakers))
    read = there_and_back(healer)
    assert len(read.breakers) == PARTS_MAX
    assert base.breakers[0] in read.breakers


def test_a_document_is_of_its_host_and_as_long_as_it_says() -> None:
    body = healer_line(HEALERS["0-disk-reaper"], NOW)
    good = header_line("web-07", NOW, 1, ("the clock stepped",), 0, scenes.asked().requests) + body
    header, lines = split_document(good, "web-07")
    assert (header.problems, len(lines)) == (("the clock stepped",), 1)
    assert [request.target for request in header.requests] == ["web-07/worker-queue-healer"]
    for bad, why in (
        (good[:-1], "whole line"),
        (good + body, "2 healers, and says 1"),
        (good.replace(b'"v":1', b'"v":2', 1), "version"),
        (b"", "gone"),
        (b"x" * 1_048_577, "larger"),
        (b"\x1b[31m\n", "not JSON"),
        (good.replace(b'"verb":"reset"', b'"verb":"rm -rf"', 1), "request"),
    ):
        with pytest.raises(Malformed, match=why):
            split_document(bad, "web-07")
    with pytest.raises(Malformed, match="another host"):
        split_document(good, "web-08")


@given(junk=JUNK, data=st.data())
def test_a_request_with_junk_in_it_is_shown_as_it_is_or_refused(
    junk: object, data: st.DataObject
) -> None:
    (asked,) = scenes.asked().requests
    found = published(asked)
    key = data.draw(st.sampled_from(sorted(found)))
    if data.draw(st.booleans()):
        found[key] = junk
    else:
        del found[key]
    try:
        read = read_request(found, "web-07")
    except ValueError:
        return
    assert published(read) == {**found, "scope": read.scope}
    assert waiting_words((read,), NOW) == "" or "web-07/" in waiting_words((read,), NOW)


@given(name=st.sampled_from(sorted(HEALERS)), junk=JUNK, data=st.data())
def test_a_line_with_junk_in_it_is_a_healer_with_a_problem_or_refused(
    name: str, junk: object, data: st.DataObject
) -> None:
    found = orjson.loads(healer_line(HEALERS[name], NOW))
    key = data.draw(st.sampled_from(sorted(found)))
    if data.draw(st.booleans()):
        found[key] = junk
    else:
        del found[key]
    try:
        line = orjson.dumps(found)
    except TypeError:  # an integer of more than 64 bits, or a lone surrogate
        return
    try:
        read = read_healer_line(line, "web-07")
    except Malformed:
        return
    healer_row(read, NOW)


@given(st.binary(max_size=300))
def test_bytes_are_refused_and_not_more(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_healer_line(raw, "web-07")
    with pytest.raises(Malformed):
        split_document(raw, "web-07")


def test_a_host_tells_what_is_wrong_with_it_as_a_whole() -> None:
    sick = Snapshot(
        state_health=SourceHealth(SourceState.UNKNOWN, "/x: permission denied"),
        audit_health=SourceHealth(SourceState.MISSING, "not there yet"),
        anomalies=("the clock stepped",),
    )
    assert problems_of(sick) == ("state unknown: /x: permission denied", "the clock stepped")
