"""Markers: one spelling, and when each stops denying."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.fields import MAX_EPOCH
from healconsole.core.marker import denies_until, format_marker, parse_marker
from healconsole.core.records import Corrupt, MarkerRecord

NOW = 1_764_000_000
KEY = "ab" * 32
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
RECORDS = st.builds(
    MarkerRecord,
    st.just(KEY),
    st.integers(0, MAX_EPOCH),
    TEXTS,
    TEXTS,
    st.integers(0, 4_194_304),
    st.sampled_from(["started", "success", "interrupted", "dry-run"]) | TEXTS,
)
LINE = b'{"intent":"stop x","scope":"stop","at":1764000000,"pid":7,"outcome":"started"}\n'


@given(RECORDS)
def test_a_marker_survives_writing_and_reading(rec: MarkerRecord) -> None:
    raw = format_marker(rec)
    assert raw.count(b"\n") == 1
    assert json.loads(raw)["intent"] == rec.intent
    assert parse_marker(raw, KEY, 1) == rec
    assert parse_marker(raw[:-1], KEY, 1) == rec


def test_escapes_are_the_ones_that_bash_writes() -> None:
    text = 'q" b\\ \b\f\n\r\t \x01\x1f \x7f é \u2028 /'
    raw = format_marker(MarkerRecord(KEY, NOW, text, "s", 1, "started"))
    expected = r'{"intent":"q\" b\\ \b\f\n\r\t \u0001\u001f ' + "\x7f é \u2028 /" + '","scope":'
    assert raw.startswith(expected.encode())


def test_an_empty_file_is_a_legacy_marker_of_its_mtime() -> None:
    rec = parse_marker(b"", KEY, NOW)
    assert rec == MarkerRecord(KEY, NOW)
    assert isinstance(rec, MarkerRecord)
    assert rec.legacy
    assert format_marker(rec) == b""


@pytest.mark.parametrize(
    "raw",
    [
        *(LINE[:end] for end in range(1, len(LINE) - 1)),
        LINE + b"\n",
        b" " + LINE,
        LINE.replace(b":", b": "),
        LINE.replace(b"stop x", b"stop\\u0020x"),
        LINE.replace(b"1764000000", b"1764000000.0"),
        LINE.replace(b"1764000000", b"-1"),
        LINE.replace(b"1764000000", b"true"),
        LINE.replace(b"1764000000", b"100000000000"),
        LINE.replace(b"7,", b'"7",'),
        LINE.replace(b'"pid":7,', b'"pid":7,"more":1,'),
        LINE.replace(b'"pid":7,', b'"pid":7,"pid":7,'),
        LINE.replace(b"stop x", b"stop \xff"),
        LINE.replace(b"stop x", b"\\ud800"),
        LINE.replace(b"stop x", b"stop \\u0000"),
        LINE.replace(b"7,", b"1000000000000000000,"),
        b"[]\n",
        b"null",
        b"\x00",
        b"[" * 4000,
        LINE * 100,
    ],
)
def test_any_other_spelling_is_corrupt(raw: bytes) -> None:
    found = parse_marker(raw, KEY, NOW)
    assert isinstance(found, Corrupt)
    assert found.path == f"keys/{KEY}"
    assert len(found.sample) <= 64


def test_an_intent_that_looks_like_an_escape_is_not_one() -> None:
    rec = MarkerRecord(KEY, NOW, "stop \\u0000 \\u0009", "stop", 1, "success")
    assert parse_marker(format_marker(rec), KEY, 0) == rec


def test_a_shadow_marker_is_named_by_its_own_place() -> None:
    found = parse_marker(b"{", KEY, NOW, "dry/keys")
    assert isinstance(found, Corrupt)
    assert found.path == f"dry/keys/{KEY}"


@given(st.integers(0, MAX_EPOCH), st.integers(0, 6_000_000), st.integers(1, 86_400))
def test_a_marker_denies_from_one_to_two_windows(at: int, n: int, bucket: int) -> None:
    assert (n + 1) * bucket <= denies_until(at, n, bucket) <= (n + 2) * bucket


@given(st.integers(0, 10**10), st.integers(1, 86_400))
def test_a_marker_of_its_window_denies_for_exactly_the_bucket(at: int, bucket: int) -> None:
    assert denies_until(at, at // bucket, bucket) == at + bucket
