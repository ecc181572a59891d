"""Numbers: strict in, canonical out, the same on both sides of the language border."""

from __future__ import annotations

from contextlib import suppress
from decimal import ROUND_DOWN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.fields import (
    MAX_MICRO,
    FieldError,
    format_micro,
    parse_count,
    parse_epoch,
    parse_micro,
)

NOT_NUMBERS = [
    "", " ", "08", "00", "-1", "+1", "1e3", "0x10", "1_000", "٣", "²", "nan", "inf", "1.", ".5",
    "1.0000000000000000000", " 1", "1 ", "1\n", "1\x00", "a[$(touch canary)]", "$(id)", "`id`",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_bash_could_read_differently_is_refused(text: str) -> None:
    for parse in (parse_epoch, parse_count, parse_micro):
        with pytest.raises(FieldError):
            parse(text)


@pytest.mark.parametrize(
    ("parse", "longest"), [(parse_epoch, "9" * 11), (parse_count, "9" * 6), (parse_micro, "9" * 6)]
)
def test_length_is_limited(parse: object, longest: str) -> None:
    assert callable(parse)
    assert parse(longest)
    with pytest.raises(FieldError):
        parse(longest + "9")


@given(st.integers(0, MAX_MICRO))
def test_micro_tokens_survive_writing_and_reading(value: int) -> None:
    assert parse_micro(format_micro(value)) == value


@given(st.from_regex(r"(0|[1-9][0-9]{0,5})(\.[0-9]{1,18})?", fullmatch=True).filter(str.isascii))
def test_digits_after_the_sixth_are_cut(text: str) -> None:
    exact = Decimal(text).quantize(Decimal("0.000001"), rounding=ROUND_DOWN)
    assert parse_micro(text) == int(exact.scaleb(6))


@pytest.mark.parametrize("value", [-1, MAX_MICRO + 1])
def test_an_amount_without_canonical_form_is_not_written(value: int) -> None:
    with pytest.raises(FieldError):
        format_micro(value)


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_field_error(text: str) -> None:
    for parse in (parse_epoch, parse_count, parse_micro):
        with suppress(FieldError):
            assert parse(text) >= 0
