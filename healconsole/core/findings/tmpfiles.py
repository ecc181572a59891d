"""Findings in how markers are aged: by tmpfiles.d, by `healconsole gc`, or not at all.

Source: tmpfiles.d(5). Only ``e`` takes a glob; an age on ``d`` is that of what is inside.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from healconsole.core.findings.facts import HealerFacts, HostFacts
from healconsole.core.findings.finding import Finding
from healconsole.core.findings.host import uncommented
from healconsole.core.findings.unitfile import seconds_of
from healconsole.core.limits import limits_of

_GLOB: Final = re.compile(r"[*?\[]")
_PRECIOUS: Final = ("rate", "cb", "claims", "dry/rate")
_GC: Final = re.compile(r"healconsole\s+(?:\S+\s+)*?gc(?:\s|$)", re.MULTILINE)


class _Line(NamedTuple):
    where: str
    kind: str
    path: str
    age: float | None
    """Seconds; None if the line ages nothing."""


def of_aging(host: HostFacts) -> list[Finding]:
    """Return the findings in what ages markers, of all healers."""
    lines = list(_lines(host))
    found = [
        Finding(
            "tmpfiles-glob", f"a line of type {line.kind} with a glob", line.where,
            f"only type e takes a glob: {line.path} is taken literally, and ages nothing",
            f"e {line.path} - - - 1d",
        )
        for line in lines
        if line.kind[:1] in "dDqQv" and _GLOB.search(line.path) and _concerns(line, host)
    ]  # fmt: skip
    collected = any(_GC.search(uncommented(file)) for file in host.cron) or any(
        "gc" in command[1:] and command[0].rpartition("/")[2] == "healconsole"
        for unit in host.units
        for command in unit.commands
    )
    for healer in host.healers:
        if healer.there:
            found += _of_healer(healer, lines, collected=collected)
    return found


def _of_healer(healer: HealerFacts, lines: list[_Line], *, collected: bool) -> Iterator[Finding]:
    keys = f"{healer.state.path}/keys"
    ages = [line for line in lines if line.age is not None and _ages(line, keys)]
    least = 2 * limits_of(healer.state).policy.bucket
    if not ages and not collected:
        yield Finding(
            "markers-not-aged", "nothing ages its markers", keys,
            "each act leaves a file: a directory that only grows ends with the inodes",
            "run `healconsole gc` every night, or a line of tmpfiles.d: "
            f"e {keys} - - - 1d", healer.state.name,
        )  # fmt: skip
    for line in ages:
        if line.age is not None and line.age < least:
            yield Finding(
                "state-aged", f"markers go after {line.age:g} s, and its policy needs {least} s",
                line.where, "a marker that goes too early lets one incident be acted on twice",
                f"an age of {least} s or more, better 1d", healer.state.name,
            )  # fmt: skip
    precious = [f"{healer.state.path}/{folder}" for folder in _PRECIOUS]
    for line in lines:
        if line.age is not None and any(_ages(line, path) for path in precious):
            yield Finding(
                "state-aged", "breakers, buckets or claims are removed by age", line.where,
                "an open breaker or a hold that is forgotten lets the healer act again",
                f"age {keys} only", healer.state.name,
            )  # fmt: skip


def _lines(host: HostFacts) -> Iterator[_Line]:
    for file in host.tmpfiles:
        for number, text in enumerate(file.text.splitlines(), start=1):
            if text.lstrip().startswith("#"):
                continue
            try:
                fields = shlex.split(text)
            except ValueError:
                continue
            if len(fields) < 2:
                continue
            spelled = fields[5] if len(fields) > 5 else "-"
            # Letters before a colon say which times count; "~" leaves the first level out.
            bare = spelled.rpartition(":")[2].lstrip("~")
            lasting = None if bare == "-" else seconds_of(bare)
            yield _Line(f"{file.path}:{number}", fields[0], fields[1].rstrip("/"), lasting)


def _ages(line: _Line, path: str) -> bool:
    """Whether the age of ``line`` reaches what is in the directory ``path``."""
    if line.kind[:1] == "e":
        parts = path.split("/")
        # fnmatch lets * match a slash, which a glob of paths does not.
        return any(
            len(line.path.split("/")) == size
            and all(map(fnmatchcase, parts[:size], line.path.split("/")))
            for size in range(1, len(parts) + 1)
        )
    if line.kind[:1] in "dDqQv":
        return path == line.path or path.startswith(f"{line.path}/")
    return False


def _concerns(line: _Line, host: HostFacts) -> bool:
    """Whether the glob of a line would match something of a healer's."""
    places = [
        f"{healer.state.path}{end}"
        for healer in host.healers
        for end in ("", "/keys", "/dry/keys", "/keys/x")
    ]
    return any(fnmatchcase(place, line.path) for place in places)
