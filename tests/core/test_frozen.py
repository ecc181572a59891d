"""A record beside the dataclass that it stands in for."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core import frozen
from healconsole.core.frozen import Frozen, field, field_names


class Record(Frozen):
    """With a field of each kind."""

    key: str
    fence: int = 0
    read: float | None = field(default=None, compare=False)
    tags: list[str] = field(default_factory=list)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Twin:
    """The same, of the standard library."""

    key: str
    fence: int = 0
    read: float | None = dataclasses.field(default=None, compare=False)
    tags: list[str] = dataclasses.field(default_factory=list)
    password: str = dataclasses.field(default="", repr=False)


VALUES = st.fixed_dictionaries(
    {"key": st.sampled_from("ab")},
    optional={
        "fence": st.integers(0, 1), "read": st.floats(0, 1), "password": st.sampled_from("xy"),
        "tags": st.lists(st.sampled_from("st"), max_size=1),
    },
)  # fmt: skip


@given(VALUES, VALUES)
def test_it_is_what_its_twin_is(one: dict[str, Any], other: dict[str, Any]) -> None:
    record: Any = Record(**one)
    twin = Twin(**one)
    assert repr(record) == repr(twin).replace("Twin", "Record")
    assert (record == Record(**other)) is (twin == Twin(**other))
    assert dataclasses.asdict(record) == dataclasses.asdict(twin)
    changed = frozen.replace(record, **other)
    assert changed == dataclasses.replace(record, **other)
    assert dataclasses.asdict(changed) == dataclasses.asdict(dataclasses.replace(twin, **other))
    for same in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record), copy.copy(record)):  # noqa: S301 - our own
        assert same == record
        assert same.read == record.read


def test_it_tells_of_its_fields_as_its_twin_does() -> None:
    kind: Any = Record
    assert dataclasses.is_dataclass(kind)
    for ours, theirs in zip(dataclasses.fields(kind), dataclasses.fields(Twin), strict=True):
        for what in ("name", "type", "default", "default_factory", "compare", "repr", "init"):
            assert getattr(ours, what) == getattr(theirs, what)
    assert field_names(Record) == Record.__match_args__ == Twin.__match_args__
    assert list(inspect.signature(Record).parameters) == list(inspect.signature(Twin).parameters)
    assert Record("a").tags is not Record("a").tags
    match Record("a", 7):
        case Record(key, fence):
            assert (key, fence) == ("a", 7)


def test_equal_ones_are_one_in_a_set_and_no_tuple_is_one() -> None:
    class Lock(Frozen):
        key: str
        read: float = field(default=0.0, compare=False)

    assert len({Lock("a", 1.0), Lock("a", 2.0), Lock("b")}) == 2
    assert Lock("a") != ("a", 0.0)


def test_nothing_of_it_can_be_changed_or_added() -> None:
    record: Any = Record("a")
    with pytest.raises(FrozenInstanceError):
        record.key = "b"
    with pytest.raises(FrozenInstanceError):
        del record.key
    with pytest.raises(FrozenInstanceError):
        record.more = 1
    kind: Any = Record
    for wrong in ({}, {"key": "a", "more": 1}):
        with pytest.raises(TypeError):
            kind(**wrong)
    with pytest.raises(TypeError):
        frozen.replace(record, more=1)
