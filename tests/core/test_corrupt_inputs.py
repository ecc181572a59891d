"""Corrupt bytes of every kind: never an error, never allowed, always ``Corrupt``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.claim import parse_claim
from healconsole.core.cycle import parse_cycle
from healconsole.core.guardrails import evaluate
from healconsole.core.intent import parse_intent
from healconsole.core.marker import parse_marker
from healconsole.core.override import parse_override
from healconsole.core.records import Corrupt, Policy
from healconsole.core.verdict import GuardState
from tests.engine.sites import many

NOW = 1_764_000_000
INTENT = parse_intent("restart pid=1")
GOOD: dict[str, bytes] = {
    "bucket": b"1764000000 2.000000 0.016700 3\n",
    "breaker": b"0 0 3 600 closed 0\n",
    "marker": b'{"intent":"a","scope":"a","at":1764000000,"pid":7,"outcome":"started"}\n',
    "claim": b"v1 4711 1 0badcafe 1764000000 " + b"ab" * 32 + b" a 0 1764000000 2.000000 a\n",
    "override": b"on 1764000000 0 ana\n",
}
PARSERS: dict[str, Callable[[bytes], object]] = {
    "bucket": lambda raw: parse_bucket(raw, "rate/restart"),
    "breaker": lambda raw: parse_breaker(raw, "cb/restart"),
    "marker": lambda raw: parse_marker(raw, "ab" * 32, NOW),
    "claim": lambda raw: parse_claim(raw, 0),
    "override": lambda raw: parse_override(raw, "hold"),
    "cycle": lambda raw: parse_cycle(raw, "cycle.json"),
}
FREE = {("claim", b""), ("marker", b"")}
"""Empty means something in these two files."""

PIECES = [
    b"", b"\n", b"\x00", b" ", b"\t", b"08", b"-1", b"1e999", b"nan", b"inf", b"0x7f", b"9" * 40,
    b"a[$(touch canary)] 1", b"$(touch canary)", b"`touch canary`", b"x[$(touch canary)]+0",
    b"0 0; touch canary", b"\xff\xfe", b"\xd9\xa3 \xd9\xa3", b"1 1\n1 1\n", b"0.0.0", b"1 1 1",
    b"3 1764000000 3 600 OPEN 0", b"3 1764000000 0 600 open 0", b"{}", b"[" * 4000, b"null",
    b'{"v":1}', b"v1 ", b"x" * 10_000_000,
]  # fmt: skip


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize("raw", PIECES, ids=range(len(PIECES)))
def test_known_nastiness_is_corrupt(kind: str, raw: bytes) -> None:
    if (kind, raw) in FREE:
        return
    found = PARSERS[kind](raw)
    assert isinstance(found, Corrupt)
    assert found.why.isprintable()
    assert len(found.sample) <= 64


@pytest.mark.parametrize("kind", GOOD)
def test_a_file_cut_at_any_byte_or_with_any_byte_broken_raises_nothing(kind: str) -> None:
    good = GOOD[kind]
    assert not isinstance(PARSERS[kind](good), Corrupt)
    for at in range(len(good)):
        PARSERS[kind](good[:at])
        for byte in (0x00, 0x0A, 0x20, 0x2D, 0x30, 0x41, 0x5B, 0x80, 0xFF):
            PARSERS[kind](good[:at] + bytes((byte,)) + good[at + 1 :])
            PARSERS[kind](good[:at] + bytes((byte,)) + good[at:])
    for broken in (b"\x00" + good, good + b"\x00", good + good, good[:5] + b"\x00" + good[5:]):
        assert isinstance(PARSERS[kind](broken), Corrupt)


FRAGMENTS = st.sampled_from([*(piece for piece in PIECES if len(piece) < 99), *GOOD.values()])
NOISE = st.binary(max_size=90) | st.lists(FRAGMENTS, max_size=4).map(b" ".join)


@settings(max_examples=many(400, 2_000))
@given(NOISE)
@example(b"1764000000 2.5 \n")
def test_any_bytes_are_a_record_or_corrupt(raw: bytes) -> None:
    bucket, breaker = parse_bucket(raw, "rate/restart"), parse_breaker(raw, "cb/restart")
    marker, claim = parse_marker(raw, "ab" * 32, NOW), parse_claim(raw, 0)
    override = parse_override(raw, "hold")
    parse_cycle(raw, "cycle.json")
    for state, what in (
        (GuardState(bucket=bucket), bucket),
        (GuardState(breaker=breaker), breaker),
        (GuardState(marker=marker), marker),
        (GuardState(claims=(claim,) if claim else ()), claim),
        (GuardState(hold=override), override),
    ):
        verdict = evaluate(INTENT, state, Policy(), NOW)
        if isinstance(what, Corrupt):
            assert not verdict.allow
            assert what.path in verdict.reason
    dry = evaluate(INTENT, GuardState(dry_run=override), Policy(), NOW)
    assert dry.dry_run or not isinstance(override, Corrupt)


def test_nothing_was_executed() -> None:
    assert not Path("canary").exists()
