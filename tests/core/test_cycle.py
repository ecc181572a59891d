"""``cycle.json`` and policies: canonical out, every wrong shape refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.cycle import format_cycle, parse_cycle, policy_from_mapping
from healconsole.core.records import DEFAULT_POLICY, Corrupt, CycleRecord, Policy, VerdictRecord
from healconsole.core.words import Library

CYCLE = CycleRecord(
    at=1764000000.0,
    seq=7,
    trigger="timer",
    fact="queue_depth=12450,workers_alive=8",
    intent="restart_worker pid=12345",
    verdict=VerdictRecord(
        allow=False,
        guard="circuit",
        reason="3 of 3 failed, open for 452 s more",
        earliest=1764000452,
    ),
    outcome="",
    duration_ms=41,
    next_due=1764000060.0,
    interval=60.0,
    pid=4711,
    library=Library.HEAL_SH,
    version="0.1.0",
    policy=DEFAULT_POLICY,
    mode="live",
)
LINE = (
    b'{"v":1,"at":1764000000,"seq":7,"trigger":"timer","fact":"queue_depth=12450,workers_alive=8",'
    b'"intent":"restart_worker pid=12345","verdict":{"allow":false,"guard":"circuit",'
    b'"reason":"3 of 3 failed, open for 452 s more","earliest":1764000452},"outcome":"",'
    b'"duration_ms":41,"next_due":1764000060,"interval":60,"pid":4711,"library":"heal.sh",'
    b'"version":"0.1.0","policy":{"rate":"0.016700","burst":3,"max_failures":3,"cooldown":600,'
    b'"bucket":300,"settle":5,"action_timeout":60,"check_timeout":30},"mode":"live"}\n'
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
)


def test_spelling() -> None:
    assert format_cycle(CYCLE) == LINE
    assert parse_cycle(LINE, "cycle.json") == CYCLE


@given(
    st.integers(0, 99_999_999_999_000).map(lambda ms: ms / 1000),
    st.none()
    | st.builds(
        VerdictRecord, st.booleans(), st.sampled_from(["", "rate"]), st.text(max_size=9), st.none()
    ),
    st.builds(
        Policy,
        rate_micro=st.integers(0, 999_999_999_999),
        burst=st.integers(1, 999_999),
        settle=st.floats(0, 86_400).map(lambda span: round(span, 3)),
    ),
)
def test_a_cycle_survives_writing_and_reading(
    at: float, verdict: VerdictRecord | None, policy: Policy
) -> None:
    rec = CycleRecord(
        at, 0, "once", "", "", verdict, "", 0, 0.0, 1.5, 1, Library.PYTHON, "1", policy, "dry-run"
    )
    assert parse_cycle(format_cycle(rec), "cycle.json") == rec


def test_keys_of_later_versions_are_passed_over() -> None:
    later = LINE.replace(b'"seq"', b'"new":[1],"seq"')
    assert parse_cycle(later, "cycle.json") == CYCLE


@pytest.mark.parametrize("end", range(len(LINE) - 1))
def test_a_torn_record_is_corrupt(end: int) -> None:
    assert isinstance(parse_cycle(LINE[:end], "cycle.json"), Corrupt)


@pytest.mark.parametrize("key", [key for key in json.loads(LINE) if key != "verdict"])
def test_a_record_without_one_of_its_keys_is_corrupt(key: str) -> None:
    record = json.loads(LINE)
    del record[key]
    assert isinstance(parse_cycle(json.dumps(record).encode(), "cycle.json"), Corrupt)


@given(st.sampled_from(sorted(json.loads(LINE))), JSON)
def test_any_value_anywhere_is_a_record_or_corrupt(key: str, value: object) -> None:
    record = json.loads(LINE)
    for target in (record, record["policy"], record["verdict"]):
        changed = {**record, key: value} if target is record else record
        if target is not record:
            target[next(iter(target))] = value
        found = parse_cycle(json.dumps(changed).encode("utf-8", "replace"), "cycle.json")
        assert isinstance(found, CycleRecord | Corrupt)


def test_a_record_that_is_too_large_is_corrupt() -> None:
    found = parse_cycle(LINE.replace(b"timer", b"x" * 65_536), "cycle.json")
    assert isinstance(found, Corrupt)
    assert found.why == "larger than 65536 bytes"


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(0.0167, 16_700), (1, 1_000_000), (0, 0), ("0.0167", 16_700), (1e-6, 1), (0.1, 100_000)],
)
def test_a_rate_is_what_it_is_spelled(rate: object, expected: int) -> None:
    assert policy_from_mapping({"rate": rate}, "x").rate_micro == expected


def test_what_a_mapping_leaves_out_has_its_default() -> None:
    assert policy_from_mapping({}, "x") == DEFAULT_POLICY
    found = policy_from_mapping({"burst": 5, "settle": 0, "scope": "q", "fleet_lock": "l"}, "x")
    assert found == Policy(burst=5, settle=0.0, scope="q", fleet_lock="l")


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ({"burst": 0}, "burst"),
        ({"burst": 2.5}, "burst"),
        ({"burst": True}, "burst"),
        ({"burst": "3"}, "burst"),
        ({"rate": "fast"}, "rate"),
        ({"rate": -1}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"rate": 1e300}, "rate"),
        ({"rate": True}, "rate"),
        ({"rate": None}, "rate"),
        ({"settle": float("nan")}, "settle"),
        ({"settle": "5"}, "settle"),
        ({"action_timeout": 0}, "action_timeout"),
        ({"scope": ""}, "scope"),
        ({"scope": "a\nb"}, "scope"),
        ({"redis_unreachable": "guess"}, "redis_unreachable"),
        ({"cooldwon": 600}, "unknown key 'cooldwon'"),
    ],
)
def test_a_wrong_policy_names_its_place_and_key(mapping: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=rf"^healers\.d/x\.toml \[policy\]: .*{says}"):
        policy_from_mapping(mapping, "healers.d/x.toml [policy]")
