"""Unit files of systemd, as far as a healer's unit is judged by them.

Source: systemd.syntax(7), systemd.service(5), systemd.time(7).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Final

from healconsole.core.frozen import Frozen, field

_UNITS: Final = {
    **dict.fromkeys(("us", "usec", "µs"), 1e-6),
    **dict.fromkeys(("ms", "msec"), 1e-3),
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3_600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604_800.0),
}
_SPAN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zµ]*)\s*")
_PREFIXES: Final = "@-:+!|"


class Unit(Frozen):
    """A unit with its drop-ins. Keys are ``Section.Key``; a repeated key keeps all values."""

    name: str
    path: str
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def last(self, key: str) -> str:
        """The value that counts of a key that takes one; empty if it is not set."""
        return self.settings.get(key, ("",))[-1]

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Command lines of ExecStart, without systemd's prefixes."""
        found = []
        for line in self.settings.get("Service.ExecStart", ()):
            try:
                words = shlex.split(line)
            except ValueError:
                words = line.split()
            if words:
                found.append((words[0].lstrip(_PREFIXES), *words[1:]))
        return tuple(found)

    @property
    def directories(self) -> frozenset[str]:
        """Names of ``StateDirectory``, below /var/lib."""
        names = " ".join(self.settings.get("Service.StateDirectory", ())).split()
        return frozenset(name.partition(":")[0] for name in names)


def parse_unit(name: str, path: str, texts: Iterable[str]) -> Unit:
    r"""Return the unit of its file and its drop-ins, in their order.

    >>> parse_unit("x.service", "/x", ["[Service]\nWatchdogSec=30\n"]).last("Service.WatchdogSec")
    '30'
    """
    settings: dict[str, tuple[str, ...]] = {}
    for text in texts:
        section = ""
        for line in text.replace("\\\n", " ").splitlines():
            stripped = line.strip()
            if not stripped or stripped[0] in "#;":
                continue
            if stripped[0] == "[" and stripped[-1] == "]":
                section = stripped[1:-1]
                continue
            key, equals, value = stripped.partition("=")
            if not equals:
                continue
            full = f"{section}.{key.strip()}"
            # An empty value resets what was said before.
            settings[full] = (*settings.get(full, ()), value.strip()) if value.strip() else ("",)
    return Unit(name, path, settings)


def seconds_of(text: str) -> float | None:
    """Return the seconds of a time span; None if it is none, or endless.

    >>> [seconds_of(text) for text in ("90", "1min 30s", "infinity", "soon")]
    [90.0, 90.0, None, None]
    """
    total, place, spelled = 0.0, 0, text.strip().lower()
    if not spelled:
        return None
    while place < len(spelled):
        found = _SPAN.match(spelled, place)
        if found is None or found[2] not in _UNITS:
            return None
        total += float(found[1]) * _UNITS[found[2]]
        place = found.end()
    return total
