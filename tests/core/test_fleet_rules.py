"""The rules of the fleet that are decided without Redis: who is halted, in a stage, in a storm."""

from __future__ import annotations

from fnmatch import fnmatchcase

import hypothesis.strategies as st
from hypothesis import given

from healconsole.core.halt import (
    HaltRecord,
    format_halt,
    host_matches,
    parse_halt,
    parse_halts,
    stopped,
)
from healconsole.core.records import Corrupt
from healconsole.core.stage import outside, place_of
from healconsole.core.storm import (
    StormLimit,
    StormRecord,
    format_storm,
    is_storm,
    parse_storm,
)

NAMES = st.text("abw-.01", min_size=1, max_size=8)
PATTERNS = st.text("abw-.01*?", min_size=1, max_size=8)
EPOCHS = st.integers(0, 99_999_999_999)
HALTS = st.builds(
    HaltRecord,
    EPOCHS,
    EPOCHS,
    st.text("ana._@-9", min_size=1, max_size=64),
    st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=40),
    st.one_of(
        st.just(""),
        NAMES.filter(lambda name: name[0].isalnum()).map("healer:{}".format),
        PATTERNS.map("host:{}".format),
    ),
)


@given(NAMES, PATTERNS)
def test_a_pattern_is_that_of_the_shell(host: str, pattern: str) -> None:
    assert host_matches(host, pattern) == fnmatchcase(host, pattern)


@given(HALTS)
def test_a_halt_survives_its_writing(halt: HaltRecord) -> None:
    assert parse_halt(format_halt(halt), halt.target) == halt
    if halt.target:
        assert parse_halts(f"{halt.target} {format_halt(halt)}\n") == (halt,)


@given(st.lists(HALTS, max_size=5), NAMES, NAMES, EPOCHS)
def test_a_halt_holds_whom_it_is_for_until_it_ends(
    halts: list[HaltRecord], healer: str, host: str, now: int
) -> None:
    def holds(halt: HaltRecord) -> bool:
        kind, _, name = halt.target.partition(":")
        whom = {"": True, "healer": name == healer, "host": fnmatchcase(host, name)}[kind]
        return whom and not (halt.until and now >= halt.until)

    found = stopped(halts, healer, host, now)
    first = next((halt for halt in halts if holds(halt)), None)
    assert (found is None) == (first is None)
    if found is not None and first is not None:
        assert (found.why, found.until) == (f"{first.reason} ({first.operator})", first.until)


@given(st.text(max_size=60), NAMES, NAMES, EPOCHS)
def test_a_halt_that_cannot_be_read_holds_everybody(
    text: str, healer: str, host: str, now: int
) -> None:
    halt = parse_halt(text, "healer:another-one")
    if isinstance(halt, Corrupt):
        assert stopped([halt], healer, host, now) is not None


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 100), st.integers(0, 100))
def test_more_hosts_never_end_a_storm(wanting: int, live: int, hosts: int, percent: int) -> None:
    for limit in (StormLimit(hosts=hosts), StormLimit(percent=percent)):
        if is_storm(limit, wanting, live):
            assert is_storm(limit, wanting + 1, live)
            assert wanting >= 2
    assert is_storm(StormLimit(hosts=hosts), wanting, live) == (wanting > max(hosts, 1))


@given(EPOCHS, st.integers(1, 999_999), st.integers(0, 999_999_999))
def test_a_storm_survives_its_writing(since: int, hosts: int, window: int) -> None:
    storm = StormRecord(since, hosts, window)
    assert parse_storm(format_storm(storm), "s") == storm


@given(NAMES, NAMES)
def test_who_is_in_a_stage_is_in_every_later_one(healer: str, host: str) -> None:
    for canaries in ("", "w-*, a"):
        said = [
            outside(stage, canaries, healer, host)
            for stage in ("dry-run", "canary", "10%", "25%", "50%", "100%")
        ]
        inside = [not why for why in said]
        assert inside == sorted(inside)
        assert (inside[0], inside[-1]) == (False, True)


def test_a_stage_holds_about_its_share_and_not_the_same_of_every_healer() -> None:
    hosts = [f"web-{number:03}.example" for number in range(2_000)]
    for percent in (10, 25, 50):
        first = {host for host in hosts if not outside(f"{percent}%", "", "queue", host)}
        second = {host for host in hosts if not outside(f"{percent}%", "", "disk", host)}
        assert abs(len(first) / len(hosts) - percent / 100) < 0.03
        assert first != second
    assert {place_of("queue", host) for host in hosts} == set(range(100))
