"""DRY_RUN in 50 spellings, and the operator's file that wins over it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core.dryrun import effective, from_environment
from healconsole.core.records import Corrupt, OverrideRecord

NOW = 1_764_000_000
LIVE = [
    None, "", " ", "\t ", "false", "False", "FALSE", "fAlSe", "0", "no", "No", "NO", "off", "OFF",
    "Off", " false ", "\tno", "0 ",
]  # fmt: skip
DRY = ["true", "True", "TRUE", "1", "yes", "YES", "Yes", "on", "ON", " true", "on\t", "yEs"]
UNKNOWN = [
    "2", "00", "-1", "y", "n", "t", "f", "maybe", "disabled", "none", "null", "nil", "false;",
    "no.", "0x0", "no no", "$(touch canary)", "`touch canary`", "a[$(touch canary)]", "|| true",
    "\x00", "false\n", "ｆａｌｓｅ", "٠", "nо",  # noqa: RUF001 - lookalikes are the point
]  # fmt: skip


def test_there_are_at_least_fifty_spellings() -> None:
    assert len({*LIVE, *DRY, *UNKNOWN}) == len(LIVE) + len(DRY) + len(UNKNOWN) >= 50


@pytest.mark.parametrize("value", LIVE)
def test_live(value: str | None) -> None:
    assert not from_environment(value).dry
    assert not from_environment(value).unknown


@pytest.mark.parametrize("value", DRY)
def test_dry(value: str) -> None:
    assert from_environment(value).dry
    assert not from_environment(value).unknown


@pytest.mark.parametrize("value", UNKNOWN)
def test_what_nobody_knows_is_dry_and_says_so(value: str) -> None:
    found = from_environment(value)
    assert found.dry
    assert found.unknown
    assert found.why.isprintable()


@given(st.text(max_size=12))
def test_live_is_only_what_says_so(value: str) -> None:
    words = {"", "false", "0", "no", "off"}
    assert from_environment(value).dry == (value.strip(" \t").lower() not in words)


@pytest.mark.parametrize("env", [None, "true", "false", "maybe"])
def test_the_operators_file_wins_while_it_is_in_force(env: str | None) -> None:
    on = OverrideRecord(on=True, since=NOW, until=NOW + 60, operator="ana")
    off = OverrideRecord(on=False, since=NOW, until=0, operator="ana")
    assert effective(on, env, NOW + 59).dry
    assert effective(on, env, NOW + 59).why == "set by ana"
    assert effective(on, env, NOW + 60) == from_environment(env)
    assert not effective(off, env, NOW).dry
    assert effective(None, env, NOW) == from_environment(env)
    corrupt = effective(Corrupt("dry-run", "empty"), env, NOW)
    assert (corrupt.dry, corrupt.unknown) == (True, True)
    assert corrupt.why == "dry-run is corrupt, so dry: empty"
