"""Walking the chain of an audit log: which line was edited, removed, moved or put in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from healconsole.core.auditchain import Link, is_link_in_two, read_link, should_be_linked
from healconsole.core.frozen import Frozen, replace

EDITED: Final = "edited"
INSERTED: Final = "inserted"
REMOVED: Final = "removed"
REORDERED: Final = "reordered"

FINDINGS_MAX: Final = 100
"""Findings that are kept; more are counted."""

_REMEMBERED: Final = 500_000
"""Hashes that are remembered, to tell a moved line from a missing one: some 100 MB of log."""


class Place(NamedTuple):
    """A line: its file (by number, oldest first), its number from 1, its offset in bytes."""

    file: int
    line: int
    offset: int


class Finding(Frozen):
    """A place where the chain does not hold."""

    place: Place
    kind: str
    """``edited``, ``inserted``, ``removed`` (the line, or lines, before this one) or
    ``reordered``."""
    why: str


@dataclass(slots=True)
class _Seen:
    place: Place
    next: Place | None = None
    """The first event behind it, which has to name it."""


class ChainWalk:
    """A walk through the lines of a log and of those that were rotated away, oldest first.

    Each line is given once, to :meth:`feed`; then :meth:`findings` tells what does not hold.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.linked = 0
        """Events of ours that have a link."""
        self.unlinked = 0
        """Lines of others, and those that a writer left unfinished: allowed, and not covered."""
        self.starts: list[Place] = []
        """First events of a file that say that nothing was known of what came before."""
        self.continued = False
        """The first event names one that is in none of the files: an older file is gone."""
        self.last = ""
        """Hash of the last event."""
        self.more = 0
        """Findings that were not kept."""
        self._findings: list[Finding] = []
        self._seen: dict[str, _Seen] = {}
        self._missing: dict[str, int] = {}
        self._doubtful: tuple[int, str] | None = None
        self._first: tuple[str, Place] | None = None
        self._begun = False
        self._file = -1
        self._before: tuple[bytes, Place] = (b"", Place(0, 0, 0))
        """The line before the next one, if it has no link."""

    def feed(self, raw: bytes, place: Place) -> None:
        """Take the next line, newline included."""
        self.lines += 1
        before, self._before = self._before, (b"", place)
        link = read_link(raw)
        if link is None:
            self._before = (raw, place)
            if should_be_linked(raw):
                self._doubt(place, "an event of ours without its hash, or with a damaged one", "")
            elif is_link_in_two(before[0], raw):
                self._doubt(before[1], "a newline in its hash", "")
            else:
                self.unlinked += 1
            return
        self.linked += 1
        if link.holds:
            self._check(link, place)
        else:
            self._doubt(place, "its hash is not that of its bytes", link.hash)
        self._take(link.hash, place)

    def findings(self) -> tuple[Finding, ...]:
        """What does not hold, in the order of the lines."""
        return tuple(sorted(self._findings, key=lambda found: found.place))

    def holds(self, hash_: str) -> bool:
        """Whether an event of this hash was met."""
        return hash_ in self._seen

    def _check(self, link: Link, place: Place) -> None:
        if self._settles_doubt(link):
            return
        if not self._begun:
            if link.prev:
                self.continued = True
                self._first = (link.prev, place)
            else:
                self.starts.append(place)
        elif not link.prev and self._file != place.file and link.hash not in self._seen:
            self.starts.append(place)
        elif link.prev != self.last:
            self._explain(link, place)

    def _settles_doubt(self, link: Link) -> bool:
        """Whether the line before was in doubt, and this one says what is wrong with it."""
        doubtful, self._doubtful = self._doubtful, None
        if doubtful is None:
            return False
        index, before = doubtful
        if link.prev == before and link.prev != self.last:
            self._relabel(index, INSERTED, "the line behind it follows the line before it")
            return True
        return self.last in {link.prev, ""}

    def _explain(self, link: Link, place: Place) -> None:
        """Tell what was done, as a line does not follow the event before it."""
        if self._first is not None and link.hash == self._first[0]:
            self._find(self._first[1], REORDERED, f"it belongs behind line {place.line}")
        elif link.hash in self._seen:
            earlier = self._seen[link.hash].place
            self._find(place, INSERTED, f"a copy of line {earlier.line}")
        elif not link.prev:
            self._find(place, REMOVED, "a chain starts here, though events are before it")
        elif link.hash in self._missing:
            self._relabel(
                self._missing.pop(link.hash), REORDERED, f"it belongs behind line {place.line}"
            )
        elif link.prev in self._seen:
            ahead = self._seen[link.prev]
            self._find(
                ahead.next or place,
                INSERTED,
                f"line {place.line} follows line {ahead.place.line}, and what is between does not",
            )
        else:
            self._missing[link.prev] = len(self._findings)
            self._find(place, REMOVED, "the event before it is not there")

    def _take(self, own: str, place: Place) -> None:
        if self.last in self._seen and self._seen[self.last].next is None:
            self._seen[self.last].next = place
        self._seen.setdefault(own, _Seen(place))
        if len(self._seen) > _REMEMBERED:
            self._seen.pop(next(iter(self._seen)))
        self.last = own
        self._begun = True
        self._file = place.file

    def _doubt(self, place: Place, why: str, own: str) -> None:
        before = self.last
        self._doubtful = (len(self._findings), before)
        self._find(place, EDITED, why)
        if not own:
            # Whatever the next one names is the hash that this one had.
            self.last = ""
            self._begun = True

    def _find(self, place: Place, kind: str, why: str) -> None:
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(Finding(place, kind, why))
        else:
            self.more += 1

    def _relabel(self, index: int, kind: str, why: str) -> None:
        if index < len(self._findings):
            self._findings[index] = replace(self._findings[index], kind=kind, why=why)


def walk(lines: Iterable[bytes], file: int = 0) -> ChainWalk:
    """Return a walk through the ``lines`` of one file."""
    done = ChainWalk()
    offset = 0
    for number, raw in enumerate(lines, 1):
        done.feed(raw, Place(file, number, offset))
        offset += len(raw)
    return done
