"""Regular expressions that cost nothing until they are used."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


def pattern(source: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """What ``re.compile`` returns, compiled when one of its methods is first asked for.

    To compile one takes as long as to load a small module. A command meets every expression of
    what it loads, and few of the files that these are for.

    >>> word = pattern("[a-z]+")
    >>> word.fullmatch("abc"), word.fullmatch("1")
    (<re.Match object; span=(0, 3), match='abc'>, None)
    """
    # Only its methods are used: to the functions of `re` it would be no pattern.
    return cast("re.Pattern[AnyStr]", _Pattern(source, flags))


class _Pattern:
    def __init__(self, source: str | bytes, flags: int) -> None:
        self._given: tuple[Any, int] = (source, flags)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a pattern has
        found = getattr(re.compile(*self._given), name)
        setattr(self, name, found)  # the next time it is found without us
        return found
