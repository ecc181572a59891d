"""Records, and those that derive from them, against what `dataclass` makes of the same class."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import types
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healconsole.core import frozen
from healconsole.core.frozen import Frozen
from healconsole.core.records import Policy

Body = dict[str, tuple[Any, ...]]
"""Of each field: (), (default,) or (default, compare, repr); what can be called is a factory."""


def written(body: Body, field: Callable[..., Any]) -> dict[str, Any]:
    """What stands in the class."""
    space: dict[str, Any] = {"__module__": __name__, "__annotations__": dict.fromkeys(body, "int")}
    for name, said in body.items():
        if len(said) == 1 and not callable(said[0]):
            space[name] = said[0]
        elif said:
            known = {"default_factory" if callable(said[0]) else "default": said[0]}
            more = dict(zip(("compare", "repr"), said[1:], strict=False))
            space[name] = field(**known, **more)
    return space


def ours(body: Body, base: type = Frozen, name: str = "Ours") -> Any:  # noqa: ANN401
    made = types.new_class(
        name, (base,), exec_body=lambda it: it.update(written(body, frozen.field))
    )
    return kept(made)


def theirs(body: Body, base: type = object, name: str = "Theirs") -> Any:  # noqa: ANN401
    made = types.new_class(
        name, (base,), exec_body=lambda it: it.update(written(body, dataclasses.field))
    )
    return kept(dataclasses.dataclass(frozen=True, slots=True)(made))


def kept(made: type) -> type:
    """Where pickle finds it."""
    globals()[made.__name__] = made
    return made


NAMES = "abcdef"
SAID = st.one_of(
    st.just(()),
    st.tuples(st.integers(0, 9)),
    st.tuples(st.integers(0, 9), st.booleans(), st.booleans()),
    st.tuples(st.just(int), st.booleans(), st.booleans()),
)
BODIES = st.dictionaries(st.sampled_from(NAMES), SAID, max_size=4)
VALUES = st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 2)), max_size=4)


def told(make: Callable[..., Any], *given: Any, **named: Any) -> Any:  # noqa: ANN401
    """What came of it, or the class of what was raised."""
    try:
        return make(*given, **named)
    except (TypeError, ValueError, AttributeError) as error:
        return type(error)


def loaded(record: Any) -> Any:  # noqa: ANN401
    """What pickle makes of it."""
    return pickle.loads(pickle.dumps(record))  # noqa: S301 - our own


COPIED: tuple[Callable[[Any], Any], ...] = (copy.copy, copy.deepcopy, loaded)


def traits(kind: Any, given: list[dict[str, int]]) -> dict[str, Any]:  # noqa: ANN401
    """All that can be seen of a class of records and of some that are made of it."""
    records = [told(kind, **values) for values in given]
    whole = [record for record in records if isinstance(record, kind)]
    return {
        "refused": [record for record in records if not isinstance(record, kind)],
        "repr": [repr(record).replace(kind.__name__, "") for record in whole],
        "eq": [one == other for one in whole for other in whole],
        "hash": [hash(one) == hash(other) for one in whole for other in whole if one == other],
        "fields": [
            (each.name, each.type, each.compare, each.repr,
             each.default is dataclasses.MISSING or each.default,
             each.default_factory is dataclasses.MISSING or each.default_factory)
            for each in dataclasses.fields(kind)
        ],
        "match": kind.__match_args__,
        "slots": kind.__slots__,
        "dict": [hasattr(record, "__dict__") for record in whole],
        "annotations": dict(kind.__init__.__annotations__),
        "parameters": list(inspect.signature(kind).parameters),
        "asdict": [dataclasses.asdict(record) for record in whole],
        "copies": [
            copied(record) == record and type(copied(record)) is kind
            for record in whole
            for copied in COPIED
        ],
        "replaced": [
            repr(told(by, record, a=7)).replace(kind.__name__, "")
            for record in whole
            for by in ((dataclasses.replace, frozen.replace)
                       if isinstance(record, Frozen) else (dataclasses.replace,) * 2)
        ],
        "changed": [
            (told(setattr, record, name, 1), told(delattr, record, name))
            for record in whole
            for name in kind.__match_args__
        ],
    }  # fmt: skip


@given(BODIES, BODIES, VALUES)
def test_a_record_and_one_that_derives_from_it_are_like_dataclasses(
    base: Body, more: Body, values: list[dict[str, int]]
) -> None:
    one, other = told(ours, base), told(theirs, base)
    if other is TypeError:
        assert one is TypeError
        return
    assert traits(one, values) == traits(other, values)
    one = told(ours, more, one, "OursToo")
    other = told(theirs, more, other, "TheirsToo")
    if other is TypeError:
        assert one is TypeError
        return
    assert traits(one, values) == traits(other, values)


def test_a_policy_can_be_derived_from_and_is_checked_as_before() -> None:
    class Same(Policy):
        pass

    class Named(Policy):
        team: str = "infra"
        burst: int = 5
        known: ClassVar[int] = 3
        tags: list[str] = dataclasses.field(default_factory=list, compare=False)

    assert Same() == Same()
    assert Same() != Policy()
    assert Same(burst=2).burst == 2
    named = Named(cooldown=60, team="db")
    assert (named.burst, named.cooldown, named.team, named.tags) == (5, 60, "db", [])
    assert Named.known == 3
    assert frozen.field_names(Named) == (*frozen.field_names(Policy), "team", "tags")
    assert frozen.replace(named, tags=["x"]) == named
    assert isinstance(named, Policy)
    assert hash(named) == hash(frozen.replace(named))
    with pytest.raises(ValueError, match="burst"):
        Named(burst=0)
    match named:
        case Policy(_, burst):
            assert burst == 5


class Own(Frozen):  # noqa: PLW1641 - its hash is what is looked at
    """One with methods of its own."""

    a: int
    b: float = float("nan")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and self.a == other.a


class Counted(Frozen):
    """One that is counted when it is made, and not when it is loaded."""

    a: int
    made: ClassVar[list[int]] = []

    def __post_init__(self) -> None:
        self.made.append(self.a)


def test_methods_of_its_own_stay_and_loading_makes_nothing_anew() -> None:
    assert Own(1) == Own(1)
    assert isinstance(hash(Own(1)), int)
    again = loaded(Counted(4))
    assert (again, Counted.made) == (Counted(4), [4, 4]), "made twice here, and never by pickle"
    nan = float("nan")
    for kind in (ours({"a": ()}), theirs({"a": ()})):
        assert kind(nan) == kind(nan), "the same object is equal to itself"


@pytest.mark.parametrize("default", [[], {}, set()])
def test_a_default_that_all_records_would_share_is_refused(default: object) -> None:
    for make in (ours, theirs):
        with pytest.raises(ValueError, match="mutable default"):
            make({"a": (default,)})


def test_a_dataclass_is_replaced_too() -> None:
    kind = theirs({"a": (), "b": (3,)}, name="Plain")
    assert frozen.replace(kind(1), b=4) == kind(1, 4)


def test_what_is_not_known_of_a_field_is_refused_and_not_left_out() -> None:
    with pytest.raises(TypeError, match="init and kw_only"):
        types.new_class(
            "Wrong", (Frozen,),
            exec_body=lambda it: it.update(
                __annotations__={"a": "int"}, a=dataclasses.field(default=1, init=False)
            ),
        )  # fmt: skip
