"""Markers without a text are named by hashing the intents that were seen."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.naming import name_markers

NOW = 1_764_000_000.0
N = bucket_number(NOW, 300)


@given(st.lists(st.text(max_size=20), max_size=5), st.integers(-10, 1))
def test_what_is_named_is_what_was_hashed(intents: list[str], back: int) -> None:
    hashable = [text for text in intents if text.isprintable()]
    keys = {marker_key(text, N + back): text for text in hashable}
    found = name_markers([*keys, "0" * 64], [*intents, "\udc80"], NOW, 300, spans=10)
    assert found.items() >= keys.items()
    assert set(found) <= set(keys)


def test_what_is_too_old_stays_unnamed() -> None:
    key = marker_key("a", N - 11)
    assert name_markers([key], ["a"], NOW, 300, spans=10) == {}


def test_it_stops_when_all_are_named() -> None:
    key = marker_key("a", N)
    began = time.process_time()
    assert name_markers([key], ["a", "b"], NOW, 300, spans=10_000_000) == {key: "a"}
    assert time.process_time() - began < 0.1
