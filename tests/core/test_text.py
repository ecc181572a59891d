"""Nothing that a terminal could obey, reorder or hide gets past `visible`."""

from __future__ import annotations

import time
import unicodedata
from itertools import chain, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.text import DISPLAY_LIMIT, encodable, strip_unsafe, visible
from tests.engine.sites import many

ANY_TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF))
DANGEROUS = [
    *range(0x20),
    *range(0x7F, 0xA0),
    0x061C,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
    *range(0xFE00, 0xFE10),
    *range(0xE0000, 0xE0200),
    0xD800,
    0xDFFF,
    0xE000,
    0x10FFFF,
    0x0378,
    0x00AD,
    0x180E,
    0x034F,
    0x3164,
]


def harmless(text: str) -> bool:
    return all(char.isprintable() or char == "\u3000" for char in text)


@pytest.mark.parametrize("code", DANGEROUS)
def test_each_dangerous_character_is_replaced(code: int) -> None:
    for text in (f"a{chr(code)}b", chr(code), f"é{chr(code)}", f"a\u0301{chr(code)}"):
        assert chr(code) not in visible(text)
        assert harmless(visible(text))
        assert chr(code) not in strip_unsafe(text)


PLANES = (range(0x40000), range(0xE0000, 0xF0000))
"""Where characters are assigned. The rest is empty or private: of that the short run takes some."""


def test_every_code_point_is_either_harmless_or_replaced() -> None:
    rest = (code for code in range(0x40000, 0x110000) if code not in PLANES[1])
    codes = [*chain(*PLANES, islice(rest, None, None, many(61, 1)))]
    for start in range(0, len(codes), DISPLAY_LIMIT // 16):
        text = "".join(map(chr, codes[start : start + DISPLAY_LIMIT // 16]))
        assert harmless(visible(text, 10 * DISPLAY_LIMIT))
        assert harmless(strip_unsafe(text))


@given(ANY_TEXT | st.binary(), st.integers(1, 50))
def test_one_printable_line_within_the_limit(data: str | bytes, limit: int) -> None:
    shown = visible(data, limit)
    assert harmless(shown)
    assert len(shown) <= limit
    shown.encode()


@given(ANY_TEXT | st.binary())
def test_at_most_four_marks_stand_on_a_base(data: str | bytes) -> None:
    stacked = 0
    for char in visible(data, 100_000):
        stacked = stacked + 1 if unicodedata.category(char)[0] == "M" else 0
        assert stacked <= 4


@given(ANY_TEXT)
def test_the_last_filter_changes_nothing_that_is_already_visible(text: str) -> None:
    assert strip_unsafe(visible(text)) == visible(text)


@given(ANY_TEXT)
def test_the_last_filter_lets_nothing_through(text: str) -> None:
    assert harmless(strip_unsafe(text))


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_printable_ascii_stays_itself(text: str) -> None:
    assert visible(text) == text
    assert visible(text.encode()) == text


@given(st.text(st.characters(codec="utf-8")))
def test_text_and_its_bytes_look_the_same(text: str) -> None:
    assert visible(text) == visible(text.encode())


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("a\tb\r\nc", "a b␍⏎c"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x9b31m", "‹U+009B›31m"),  # noqa: RUF001
        (b"\xc3\x28", "‹c3›("),  # noqa: RUF001
        (b"caf\xc3\xa9", "café"),
        ("caf\udce9", "caf‹e9›"),  # noqa: RUF001
        ("a" + "\u0301" * 10, "a" + "\u0301" * 4 + "‹+6›"),  # noqa: RUF001
        ("\u0301x", "\u25cc\u0301x"),
        ("\u26a0\ufe0f ok", "\u26a0 ok"),
        ("a\ufe0f", "a‹U+FE0F›"),  # noqa: RUF001
        ("\u26a0\ufe0f\ufe0f", "\u26a0‹U+FE0F›"),  # noqa: RUF001
        ("日本語\u3000テスト", "日本語\u3000テスト"),
        ("a\u00a0b", "a‹U+00A0›b"),  # noqa: RUF001
        ("नमस्ते", "नमस्ते"),
        ("[@click=app.quit]x[/]", "[@click=app.quit]x[/]"),
    ],
)
def test_what_is_shown(data: str | bytes, shown: str) -> None:
    assert visible(data) == shown


def test_a_character_cut_in_two_by_the_limit_is_not_called_broken() -> None:
    assert visible("é".encode() * 10, 3) == "éé…"
    assert visible(b"a" + "é".encode() * 10, 3) == "aé…"


def test_a_limit_under_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        visible("x", 0)


@pytest.mark.parametrize(
    "data",
    [
        "x" * 1_000_000,
        b"x" * 1_000_000,
        "\x1b" * 1_000_000,
        "a" + "\u0301" * 100_000,
        b"\xff" * 1_000_000,
        "\u202e" * 1_000_000,
        "".join(map(chr, range(0xE000, 0xF8FF))) * 20,
    ],
    ids=["ascii", "bytes", "escapes", "marks", "undecodable", "bidi", "private"],
)
def test_a_huge_line_takes_milliseconds(data: str | bytes) -> None:
    began = time.process_time()
    for _ in range(10):
        visible(data)
    assert (time.process_time() - began) / 10 < 0.02


def test_surrogates_are_made_encodable() -> None:
    assert encodable("x\ud800\udcff").encode() == "x‹U+D800›‹ff›".encode()  # noqa: RUF001
