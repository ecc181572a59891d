"""Claims: one line that brings back exactly what was about to happen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.claim import format_claim, parse_claim
from healconsole.core.fields import MAX_EPOCH, MAX_MICRO
from healconsole.core.intent import InvalidIntent, parse_intent
from healconsole.core.records import ClaimRecord, Corrupt
from healconsole.core.scopes import scope_file_name

CLAIM = ClaimRecord(
    slot=0,
    pid=4711,
    start=123456789,
    boot="0badcafe",
    at=1764000000,
    key="ab" * 32,
    scope_file="restart",
    probe=False,
    last_refill=1764000000,
    tokens_micro=2_000_000,
    intent="restart pid=1",
)
LINE = (
    b"v1 4711 123456789 0badcafe 1764000000 " + b"ab" * 32
    + b" restart 0 1764000000 2.000000 restart pid=1\n"
)  # fmt: skip


def is_intent(text: str) -> bool:
    try:
        parse_intent(text)
    except InvalidIntent:
        return False
    return True


INTENTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80).filter(
    is_intent
)
CLAIMS = st.builds(
    ClaimRecord,
    slot=st.integers(0, 99),
    pid=st.integers(1, 4_194_304),
    start=st.integers(0, 2**62),
    boot=st.text("0123456789abcdef", min_size=8, max_size=8),
    at=st.integers(0, MAX_EPOCH),
    key=st.text("0123456789abcdef", min_size=64, max_size=64),
    scope_file=INTENTS.map(scope_file_name),
    probe=st.booleans(),
    last_refill=st.integers(0, MAX_EPOCH),
    tokens_micro=st.integers(0, MAX_MICRO),
    intent=INTENTS,
)


def test_spelling() -> None:
    assert format_claim(CLAIM) == LINE
    assert parse_claim(LINE, 0) == CLAIM


@given(CLAIMS)
def test_a_claim_survives_writing_and_reading(rec: ClaimRecord) -> None:
    raw = format_claim(rec)
    assert raw.isascii()
    assert raw.count(b"\n") == 1
    assert parse_claim(raw, rec.slot) == rec
    assert parse_claim(raw[:-1], rec.slot) == rec


@pytest.mark.parametrize("intent", ["x" * 1024, "é" * 512, "%" * 1024, "a  b", "%2F é", "\u00a0"])
def test_the_longest_and_oddest_intents_fit(intent: str) -> None:
    claim = replace(CLAIM, intent=intent, scope_file=scope_file_name(intent))
    assert parse_claim(format_claim(claim), 0) == claim


def test_an_empty_slot_is_free() -> None:
    assert parse_claim(b"", 3) is None


@pytest.mark.parametrize("end", range(1, len(LINE) - len("restart pid=1\n")))
def test_a_torn_claim_is_corrupt(end: int) -> None:
    assert isinstance(parse_claim(LINE[:end], 0), Corrupt)


@pytest.mark.parametrize(
    "raw",
    [
        b"\n",
        LINE + b"\n",
        b" " + LINE,
        LINE.replace(b"v1", b"v2"),
        LINE.replace(b"4711", b"0"),
        LINE.replace(b"4711", b"04711"),
        LINE.replace(b"0badcafe", b"0BADCAFE"),
        LINE.replace(b" restart ", b" ../etc "),
        LINE.replace(b" restart ", b" a%2f "),
        LINE.replace(b" 0 1764", b" 2 1764"),
        LINE.replace(b"pid=1", b"pid=%0A"),
        LINE.replace(b"pid=1", b"pid=%"),
        LINE.replace(b"pid=1", b"pid=%FF"),
        LINE.replace(b"pid=1", b"pid=\xc3\xa9"),
        LINE.replace(b"pid=1", b"pid=1 "),
        LINE.replace(b"pid=1", b"x" * 2000),
        LINE * 40,
    ],
)
def test_what_is_no_claim_is_corrupt(raw: bytes) -> None:
    found = parse_claim(raw, 7)
    assert isinstance(found, Corrupt)
    assert found.path == "claims/7"


@pytest.mark.parametrize("scope_file", ["", "a b", "../x", ".x", "a/b", "%2f"])
def test_a_scope_that_is_no_file_name_is_not_written(scope_file: str) -> None:
    with pytest.raises(ValueError, match="not the file name of a scope"):
        format_claim(replace(CLAIM, scope_file=scope_file))
