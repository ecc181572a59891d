"""Overrides: an operator's word, and when it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.fields import MAX_EPOCH
from healconsole.core.override import format_override, in_force, parse_override
from healconsole.core.records import Corrupt, OverrideRecord

EPOCHS = st.integers(0, MAX_EPOCH)
RECORDS = st.builds(
    OverrideRecord,
    st.booleans(),
    EPOCHS,
    EPOCHS,
    st.from_regex(r"[A-Za-z0-9._@-]{1,64}", fullmatch=True),
)


@given(RECORDS)
def test_an_override_survives_writing_and_reading(rec: OverrideRecord) -> None:
    raw = format_override(rec)
    assert parse_override(raw, "hold") == rec
    assert parse_override(raw[:-1], "hold") == rec


@given(RECORDS, st.floats(0, MAX_EPOCH))
def test_it_is_in_force_until_it_ends(rec: OverrideRecord, now: float) -> None:
    assert in_force(rec, now) == (rec if rec.until == 0 or now < rec.until else None)
    assert in_force(None, now) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"on",
        b"ON 1 0 ana\n",
        b"on 1 0\n",
        b"on 1 0 \n",
        b"on 1 -1 ana\n",
        b"on 01 0 ana\n",
        b"on 1 0 ana eve\n",
        b"on 1 0 an\xc3\xa1\n",
        b"on 1 0 $(id)\n",
        b"on 1 0 " + b"x" * 65 + b"\n",
        b"on 1 0 ana\n\n",
        b"on 1 0 ana\x00",
        b"x" * 5000,
    ],
)
def test_what_is_no_override_is_corrupt(raw: bytes) -> None:
    assert isinstance(parse_override(raw, "hold"), Corrupt)


@pytest.mark.parametrize("operator", ["", "a b", "x" * 65, "a\n", "é"])
def test_a_name_that_does_not_fit_is_not_written(operator: str) -> None:
    with pytest.raises(ValueError, match="not the name of an operator"):
        format_override(OverrideRecord(on=True, since=1, until=0, operator=operator))
