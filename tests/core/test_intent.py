"""Intents: what is taken, what is refused, and that no two share a marker."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.intent import InvalidIntent, bucket_number, marker_key, parse_intent

TAKEN = [
    "x",
    "restart_worker pid=12345",
    "../../etc/passwd",
    "/",
    "..",
    "-rf",
    "--help",
    "say \"hello\" 'there'",
    "$(touch canary) `id` ${x}",
    "100% %2F %~",
    "übermut ✓ 日本 \u00a0",
    "x" * 1024,
    "a  b",
]
REFUSED = {
    "": "intent is empty",
    "x" * 1025: "intent is 1025 bytes long, more than 1024",
    "é" * 513: "intent is 1026 bytes long, more than 1024",
    " x": "intent begins or ends with a space",
    "x ": "intent begins or ends with a space",
    " ": "intent begins or ends with a space",
    "a\nb": "intent holds the control character U+000A",
    "a\x00": "intent holds the control character U+0000",
    "\x1b[31m": "intent holds the control character U+001B",
    "a\x7f": "intent holds the control character U+007F",
    "a\x85b": "intent holds the control character U+0085",
    "a\tb": "intent holds the control character U+0009",
    "a\udcff": "intent is not valid UTF-8",
    "\ud800": "intent is not valid UTF-8",
}


@pytest.mark.parametrize("text", TAKEN)
def test_an_intent_is_taken_exactly(text: str) -> None:
    assert parse_intent(text).text == text


@pytest.mark.parametrize(("text", "why"), REFUSED.items(), ids=range(len(REFUSED)))
def test_a_refusal_says_why_and_is_safe_to_show(text: str, why: str) -> None:
    with pytest.raises(InvalidIntent, match=f"^{re.escape(why)}$") as caught:
        parse_intent(text)
    assert str(caught.value).isprintable()


def test_the_scope_is_the_verb_unless_it_is_given() -> None:
    assert parse_intent("restart pid=1").scope == parse_intent("restart pid=2").scope == "restart"
    assert parse_intent("restart pid=1", scope="queue a").scope == "queue a"
    assert parse_intent("reboot").scope == "reboot"


def test_a_scope_is_checked_like_an_intent() -> None:
    with pytest.raises(InvalidIntent, match=r"^scope is empty$"):
        parse_intent("x", scope="")
    with pytest.raises(InvalidIntent, match=r"^scope holds the control character"):
        parse_intent("x", scope="a\nb")


@given(st.text(max_size=40))
def test_any_text_is_an_intent_or_refused(text: str) -> None:
    try:
        intent = parse_intent(text)
    except InvalidIntent:
        return
    assert intent.text == text
    assert intent.scope == text.partition(" ")[0] != ""


@given(st.floats(0, 4e9), st.integers(1, 86_400))
def test_a_time_lies_in_the_window_that_it_is_numbered_for(now: float, bucket: int) -> None:
    number = bucket_number(now, bucket)
    assert number * bucket <= now < (number + 1) * bucket


def test_the_key_is_that_of_the_legacy_library() -> None:
    expected = hashlib.sha256(b"restart_worker pid=12345.5880000").hexdigest()
    assert marker_key("restart_worker pid=12345", 5880000) == expected


@given(st.data())
def test_no_two_intents_share_a_key_in_a_window(data: st.DataObject) -> None:
    # "a.1" in window 2 and "a" in window "1.2" would hash alike; a window is never "1.2".
    texts = st.text(st.sampled_from("ab.012 "), min_size=1, max_size=6)
    first, second = data.draw(texts), data.draw(texts)
    m, n = data.draw(st.integers(0, 30)), data.draw(st.integers(0, 30))
    if (first, m) != (second, n):
        assert marker_key(first, m) != marker_key(second, n)
