"""Frozen records, as ``@dataclass(frozen=True, slots=True)`` makes them, at a fifth of the price.

For each class the standard library writes and compiles the source of seven methods, 0.8 ms on a
machine that starts Python in 17, and it imports ``inspect`` to do so. A command that runs every
minute on every host needs fifty of these classes, so that was a third of its start. Here a class
has one method of its own, ``__init__``, made with its first record; the others are shared.

To whoever asks, a record is a dataclass: ``dataclasses.fields``, ``replace`` and ``asdict`` take
it, and so do ``copy``, ``pickle`` and pattern matching.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, dataclass_transform

if TYPE_CHECKING:
    from dataclasses import Field, replace
else:  # type checkers know what dataclasses.replace may be given

    def replace(record: Any, /, **changes: Any) -> Any:  # noqa: ANN401 - of the same class
        """``record``, or a dataclass, with other values in the fields that ``changes`` names.

        Raises:
            TypeError: there is no such field.
        """
        for name in getattr(record, "_specs", record.__match_args__):
            if name not in changes:
                changes[name] = getattr(record, name)
        return type(record)(**changes)


__all__ = ["Frozen", "field", "field_names", "replace"]

_MISSING: Final[Any] = object()


class _Spec:
    """What is known of a field: as it was written in the class."""

    __slots__ = ("compare", "default", "factory", "repr", "type")

    def __init__(self, default: object, factory: Any, compare: bool, show: bool) -> None:  # noqa: ANN401 - a callable, or _MISSING
        self.default = default
        self.factory = factory
        self.compare = compare
        self.repr = show
        self.type: object = None


def field(
    *,
    default: object = _MISSING,
    default_factory: Callable[[], object] = _MISSING,
    compare: bool = True,
    repr: bool = True,  # noqa: A002 - as dataclasses.field calls it
) -> Any:  # noqa: ANN401 - the value of any field
    """A field that is not like the others; the arguments are those of ``dataclasses.field``."""
    return _Spec(default, default_factory, compare, repr)


def field_names(kind: type[Frozen]) -> tuple[str, ...]:
    """Names of the fields of a record's class, in their order."""
    return tuple(kind._specs)


class _DataclassFields:
    """What the functions of ``dataclasses`` look for, made when one of them asks."""

    def __get__(self, _record: object, kind: type[Frozen]) -> dict[str, Field[Any]]:
        return _dataclass_fields(kind)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class _FrozenType(type):
    """Makes the class of a record from its annotations."""

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        **options: Any,  # noqa: ANN401 - for __init_subclass__, whoever has one
    ) -> _FrozenType:
        if not bases:
            return super().__new__(mcs, name, bases, namespace, **options)
        specs: dict[str, _Spec] = {}
        for base in reversed(bases):
            specs |= getattr(base, "_specs", {})
        inherited = frozenset(specs)
        for each, kind in namespace.get("__annotations__", {}).items():
            if not _is_class_variable(kind):
                specs[each] = _spec_of(each, namespace.pop(each, _MISSING), kind)
        # Behind the fields the class, which is the same: of one field it makes a tuple, too.
        compared = [each for each, spec in specs.items() if spec.compare] + ["__class__"]
        namespace |= {
            "__slots__": tuple(each for each in specs if each not in inherited),
            "_specs": specs,
            "_compared": attrgetter(*compared),
        }
        namespace.setdefault("__match_args__", tuple(specs))
        if "__eq__" in namespace:
            namespace.setdefault("__hash__", Frozen.__hash__)
        if "__init__" not in namespace:
            _refuse_disorder(specs)
            namespace["__init__"] = _InitOnce()
        return super().__new__(mcs, name, bases, namespace, **options)


class Frozen(metaclass=_FrozenType):
    """A record: what is annotated in the class is a field, and no field can be set again.

    >>> class Lock(Frozen):
    ...     key: str
    ...     fence: int = 0
    >>> Lock("a"), Lock("a") == Lock("a", 0), Lock("a") == Lock("b")
    (Lock(key='a', fence=0), True, False)
    >>> replace(Lock("a"), fence=7)
    Lock(key='a', fence=7)
    >>> Lock("a").fence = 7
    Traceback (most recent call last):
        ...
    dataclasses.FrozenInstanceError: cannot assign to field 'fence'

    One that derives from another has its fields first:

    >>> class Lease(Lock):
    ...     ttl: int = 60
    >>> Lease("a", ttl=5)
    Lease(key='a', fence=0, ttl=5)
    """

    __slots__ = ()

    if TYPE_CHECKING:
        __match_args__: ClassVar[tuple[str, ...]]
        _specs: ClassVar[dict[str, _Spec]]
        _compared: ClassVar[attrgetter[Any]]
    else:
        __dataclass_fields__ = _DataclassFields()

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        compared = self._compared
        return compared(self) == compared(other)  # type: ignore[no-any-return]

    def __hash__(self) -> int:
        return hash(self._compared(self))

    def __repr__(self) -> str:
        shown = (name for name, spec in self._specs.items() if spec.repr)
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__qualname__}({values})"

    def __setattr__(self, name: str, value: object) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __getstate__(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._specs)

    def __setstate__(self, values: tuple[Any, ...]) -> None:
        for name, value in zip(self._specs, values, strict=True):
            object.__setattr__(self, name, value)

    def __replace__(self, /, **changes: Any) -> Any:  # noqa: ANN401 - as copy.replace has it
        return replace(self, **changes)


def _is_class_variable(annotation: object) -> bool:
    """Whether it says so; most often it is text, as it was written."""
    return str(annotation).partition("[")[0].rpartition(".")[2] == "ClassVar"


def _spec_of(name: str, value: Any, kind: object) -> _Spec:  # noqa: ANN401 - as it was written
    """What is known of a field to which its class assigns ``value``.

    Raises:
        ValueError: all records would share one value that can be changed.
    """
    if isinstance(value, _Spec):
        spec = value
    elif type(value).__module__ == "dataclasses":
        import dataclasses

        if not value.init or value.kw_only is True:
            raise TypeError(f"field {name!r}: init and kw_only are not known to Frozen")
        default, factory = (
            _MISSING if each is dataclasses.MISSING else each
            for each in (value.default, value.default_factory)
        )
        spec = _Spec(default, factory, value.compare, value.repr)
    else:
        spec = _Spec(value, _MISSING, compare=True, show=True)
    if type(spec.default).__hash__ is None:
        said = f"mutable default {type(spec.default)} for field {name} is not allowed"
        raise ValueError(f"{said}: use default_factory")
    spec.type = kind
    return spec


def _refuse_disorder(specs: dict[str, _Spec]) -> None:
    """Raise ``TypeError`` if a field without a default follows one that has one."""
    optional = False
    for name, spec in specs.items():
        has_default = spec.default is not _MISSING or spec.factory is not _MISSING
        if optional and not has_default:
            raise TypeError(f"non-default argument {name!r} follows default argument")
        optional = has_default


class _InitOnce:
    """Stands for the ``__init__`` of a record's class until somebody asks for it.

    To compile one costs as much as to make the rest of the class, and no command makes a record of
    every class that it loads.
    """

    __slots__ = ("_kind",)

    def __set_name__(self, kind: type[Frozen], _name: str) -> None:
        self._kind = kind

    def __get__(self, record: object, _asked: object) -> Callable[..., None]:
        kind: Any = self._kind
        init = kind.__init__ = _init_of(kind, kind._specs)
        return init if record is None else init.__get__(record)  # type: ignore[no-any-return]


def _init_of(kind: type, specs: dict[str, _Spec]) -> Any:  # noqa: ANN401 - a function
    """The ``__init__`` of a record's class; it sets the slots past ``__setattr__``."""
    given: dict[str, Any] = {"_missing": _MISSING}
    parameters, body = [], []
    for name, spec in specs.items():
        given[f"_set_{name}"] = getattr(kind, name).__set__
        value = name
        if spec.factory is not _MISSING:
            given[f"_new_{name}"] = spec.factory
            parameters.append(f"{name}=_missing")
            value = f"_new_{name}() if {name} is _missing else {name}"
        elif spec.default is not _MISSING:
            given[f"_or_{name}"] = spec.default
            parameters.append(f"{name}=_or_{name}")
        else:
            parameters.append(name)
        body.append(f"_set_{name}(self, {value})")
    if hasattr(kind, "__post_init__"):
        body.append("self.__post_init__()")
    body = body or ["pass"]
    source = (
        f"def make({', '.join(given)}):\n"
        f" def __init__(self, {', '.join(parameters)}):\n"
        f"  {'; '.join(body)}\n"
        " return __init__"
    )
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - of names alone, which the class has been compiled with
    init: Any = scope["make"](**given)
    init.__qualname__ = f"{kind.__qualname__}.__init__"
    init.__annotations__ = {name: spec.type for name, spec in specs.items()} | {"return": None}
    return init


@cache
def _dataclass_fields(kind: type[Frozen]) -> dict[str, Field[Any]]:
    import dataclasses

    def field_of(spec: _Spec) -> Any:  # noqa: ANN401 - dataclasses.field says the same
        known: dict[str, Any] = {"compare": spec.compare, "repr": spec.repr}
        if spec.factory is not _MISSING:
            known["default_factory"] = spec.factory
        elif spec.default is not _MISSING:
            known["default"] = spec.default
        return dataclasses.field(**known)

    described = [(name, spec.type, field_of(spec)) for name, spec in kind._specs.items()]
    made: Any = dataclasses.make_dataclass(kind.__name__, described)
    return made.__dataclass_fields__  # type: ignore[no-any-return]
