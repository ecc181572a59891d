"""Any line of an audit log becomes an event or says why not; events are written whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.auditchain import LINK_ROOM
from healconsole.core.auditline import AuditEvent, UnparsableLine
from healconsole.core.auditparse import LINE_MAX, READ_MAX, format_event, parse_line, parse_ts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = ["ts", "host", "healer", "intent", "outcome", "reason", "fact", "pid", "count", "operator"]
TS = "2026-11-23T14:30:09.123+00:00"
ALWAYS = [
    *("v", "ts", "host", "healer", "intent", "outcome", "reason", "fact", "scope", "key"),
    *("guard", "pid", "duration_ms", "dry_run", "trigger"),
]
ANY_TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF))


def event(raw: bytes) -> AuditEvent:
    line = parse_line(raw, 0)
    assert isinstance(line, AuditEvent)
    return line


@given(st.binary(max_size=200))
def test_any_bytes_give_a_line(raw: bytes) -> None:
    line = parse_line(raw, 7)
    assert (line.offset, line.length) == (7, len(raw))


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_fields_of_any_type_are_taken(found: dict[str, Any]) -> None:
    raw = json.dumps(found).encode()
    line = parse_line(raw, 0)
    if isinstance(line, AuditEvent):
        assert line.count >= 1
        assert isinstance(line.fact, str)
        assert line.raw == raw


def test_a_legacy_line_without_a_fact() -> None:
    line = event(
        b'{"ts":"2026-11-23T14:30:09+00:00","host":"web-07","healer":"mailq",'
        b'"intent":"flush id=1","outcome":"success","reason":"queue stuck"}\n'
    )
    assert line.ts == parse_ts(TS[:19] + "+00:00")
    assert (line.fact, line.pid, line.count, line.dry_run) == ("", None, 1, None)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\n", "empty"),
        (b'{"ts":"2026', "not JSON"),
        (b"\0\0\0\0\n", "NUL"),
        (b"[1]\n", "a list"),
        (b"true\n", "a truth value"),
        (b"3\n", "a number"),
        (b'"x"\n', "a string"),
        (b"null\n", "null"),
        (b'{"a":1}\n', "neither ts"),
        (b'{"ts":"\xff"}\n', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"ts":"' + b"x" * READ_MAX + b'"}', "not read"),
    ],
)
def test_what_does_not_parse_says_why(raw: bytes, why: str) -> None:
    line = parse_line(raw, 3)
    assert isinstance(line, UnparsableLine)
    assert why in line.why
    assert line.raw == raw[:4096]


@pytest.mark.parametrize(
    ("text", "ts"),
    [
        ("2026-11-23T14:30:09+0000", 1795444209.0),
        ("2026-11-23T14:30:09Z", 1795444209.0),
        ("2026-11-23T15:30:09.500+01:00", 1795444209.5),
        ("2026-11-23T14:30:09", None),
        ("2026-11-23", None),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", -62135647200.0),
    ],
)
def test_times(text: str, ts: float | None) -> None:
    assert parse_ts(text) == ts


def test_the_order_of_the_keys_is_that_of_the_contract() -> None:
    raw = format_event(
        ts_text=TS,
        host="web-07",
        healer="h",
        outcome="operator-trip",
        count=2,
        operator={"user": "ana", "uid": 0, "login_uid": 1000, "via": "tui", "from": "10.0.0.1"},
        incident="INC-1",
        before="closed",
        after="open",
    )
    assert raw.endswith(b"}\n")
    assert list(json.loads(raw)) == [*ALWAYS, "count", "operator", "incident", "before", "after"]
    assert event(raw).operator["from"] == "10.0.0.1"


def test_what_does_not_apply_is_left_out() -> None:
    raw = format_event(ts_text=TS, host="h", healer="x", outcome="success")
    assert list(json.loads(raw)) == ALWAYS


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_what_is_written_is_one_line_that_parses(fact: str, reason: str, user: str) -> None:
    raw = format_event(
        ts_text=TS, host="h", healer="x", outcome="denied", fact=fact, reason=reason,
        operator={"user": user},
    )  # fmt: skip
    assert raw.count(b"\n") == 1
    line = event(raw)
    if fact.isprintable():
        assert line.fact == fact


@pytest.mark.parametrize("filler", ["x", "é", "\x01", '"', "\U0001f600", "日\n"])
def test_the_fact_is_cut_first_and_says_so(filler: str) -> None:
    fact = filler * 70_000
    raw = format_event(ts_text=TS, host="h", healer="x", outcome="success", reason="why", fact=fact)
    line = event(raw)
    assert LINE_MAX - 12 <= len(raw) + LINK_ROOM <= LINE_MAX
    head, _, note = line.fact.rpartition("…[cut ")
    assert fact.startswith(head)
    assert int(note.removesuffix(" bytes]")) == len(fact.encode()) - len(head.encode())
    assert line.reason == "why"


def test_reason_then_intent_are_cut_when_the_fact_is_not_enough() -> None:
    raw = format_event(
        ts_text=TS, host="h", healer="x", outcome="success",
        fact="f" * 99, reason="r" * 70_000, intent="i" * 70_000,
    )  # fmt: skip
    line = event(raw)
    assert len(raw) <= LINE_MAX
    assert line.fact == "…[cut 99 bytes]"
    assert line.reason == "…[cut 70000 bytes]"
    assert line.intent.startswith("iii")


def test_what_is_shorter_than_the_note_of_its_cut_stays() -> None:
    raw = format_event(
        ts_text=TS, host="h", healer="x", outcome="success", fact="f=1", reason="r" * 70_000
    )
    assert event(raw).fact == "f=1"


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be cut"):
        format_event(ts_text=TS, host="h", healer="x", outcome="y", trigger="t" * 70_000)
