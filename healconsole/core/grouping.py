"""Rows of many hosts: grouped by host or by healer, and filtered by what is typed."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from healconsole.core.pattern import pattern
from healconsole.core.view import HealerRow, counts


class Grouping(StrEnum):
    """By what the rows stand together."""

    NONE = "worst first"
    HOST = "by host"
    HEALER = "by healer"

    def after(self) -> Grouping:
        """The one that comes when the key is pressed.

        >>> Grouping.NONE.after(), Grouping.HEALER.after()
        (<Grouping.HOST: 'by host'>, <Grouping.NONE: 'worst first'>)
        """
        every = list(Grouping)
        return every[(every.index(self) + 1) % len(every)]


def group_of(row: HealerRow, by: Grouping) -> str:
    """Return the name of the group that a row stands in; empty without groups."""
    if by is Grouping.HOST:
        return row.host
    return row.healer if by is Grouping.HEALER else ""


def grouped(rows: Sequence[HealerRow], by: Grouping) -> Sequence[HealerRow]:
    """Return rows, given worst first, group after group: the group of the worst comes first."""
    if by is Grouping.NONE:
        return rows
    groups: dict[str, list[HealerRow]] = {}
    for row in rows:
        groups.setdefault(group_of(row, by), []).append(row)
    return [row for group in groups.values() for row in group]


def heading(name: str, rows: Iterable[HealerRow]) -> str:
    """Return what stands above a group: its name, and how many are in which state.

    >>> heading("web-07", [])
    'web-07'
    """
    said = ", ".join(f"{number} {word}" for word, number in counts(rows).items())
    return f"{name}  {said}" if said else name


_TERM = pattern(r"(?:(host|healer|state|mode):)?(\S+)")


def row_filter(text: str) -> Callable[[HealerRow], bool]:
    """Return whether a row matches what is typed; case does not matter.

    ``host:web*`` matches a whole host, so do ``healer:``, ``state:`` (open, lost, stale ...) and
    ``mode:``; any other word matches anywhere in the name. All words must match.
    """
    terms = [(field, word) for field, word in _TERM.findall(text.lower())]
    return lambda row: all(_matches(row, field, word) for field, word in terms)


def _matches(row: HealerRow, field: str, word: str) -> bool:
    if field == "host":
        return fnmatch.fnmatchcase(row.host.lower(), word)
    if field == "healer":
        return fnmatch.fnmatchcase(row.healer.lower(), word)
    if field == "state":
        return fnmatch.fnmatchcase(row.word, word)
    if field == "mode":
        return fnmatch.fnmatchcase(row.mode.lower(), word)
    return word in row.name.lower()
