"""Facts: what detect measured, as one line ``key=value,key=value``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

ERROR: Final = "ERROR"
"""The value of a measurement that failed: a fact too, and never a zero."""

_RESERVED = re.compile(r"[%,\x00-\x1f\x7f-\x9f]")
_QUOTED = re.compile(r"%([0-9A-F]{2})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


class Fact(Mapping[str, str]):
    """What was measured, by name. Values are text; :meth:`number` reads one as a number.

    A comma, a percent sign or a control character in a value is written as ``%XX``, so that the
    line can be read back.

    >>> fact = Fact(queue_depth=12450, workers_alive=8)
    >>> str(fact)
    'queue_depth=12450,workers_alive=8'
    >>> fact.number("queue_depth")
    12450.0
    >>> Fact.parse("queue_depth=ERROR").number("queue_depth") is None
    True
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object] | None = None, /, **more: object) -> None:
        merged = {**(values or {}), **more}
        for name in merged:
            if not name or "=" in name or _RESERVED.search(name):
                raise ValueError(f"not a name of a measurement: {name!r}")
        self._values = {name: _text(value) for name, value in merged.items()}

    @classmethod
    def parse(cls, line: str) -> Fact:
        """Read a fact's line; a part without ``=`` is a name whose value is empty."""
        fact = cls()
        for part in line.rstrip("\r\n").split(","):
            name, _, value = part.partition("=")
            if name.strip():
                fact._values[name.strip()] = _QUOTED.sub(lambda m: chr(int(m[1], 16)), value)
        return fact

    @classmethod
    def failed(cls, name: str, error: BaseException | str) -> Fact:
        """A measurement that failed, with why.

        >>> str(Fact.failed("queue_depth", "connection refused"))
        'queue_depth=ERROR,queue_depth_error=connection refused'
        """
        why = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        return cls({name: ERROR, f"{name}_error": why[:500]})

    def number(self, name: str) -> float | None:
        """The value of ``name`` as a number; None if it is missing, failed, or no number."""
        value = self._values.get(name, "")
        return float(value) if len(value) <= 40 and _NUMBER.fullmatch(value) else None

    def has_error(self, name: str | None = None) -> bool:
        """Whether the measurement ``name`` (None: any) failed."""
        if name is not None:
            return self._values.get(name) == ERROR
        return ERROR in self._values.values()

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __str__(self) -> str:
        return ",".join(
            f"{name}={_RESERVED.sub(lambda m: f'%{ord(m[0]):02X}', value)}"
            for name, value in self._values.items()
        )

    def __repr__(self) -> str:
        return f"Fact({str(self)!r})"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
