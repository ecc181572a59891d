"""The hosts of the fleet as they told of themselves, and which of them tell no more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from healconsole.core.frozen import replace
from healconsole.core.hostread import (
    Header,
    Malformed,
    publishable,
    read_healer_line,
    split_document,
)
from healconsole.core.request import Request
from healconsole.core.snapshot import HealerState, Host
from healconsole.stores.fleetkeys import HOSTS, LEASE_MAX_S, LEFT
from healconsole.stores.redislink import RedisLink, milliseconds

if TYPE_CHECKING:
    from redis import Redis

HOSTS_MAX: Final = 5_000
HEALERS_MAX: Final = 50_000
"""Of all hosts; what is more is not read, and said."""
REQUESTS_MAX: Final = 100
"""Of all hosts."""
UNNAMED: Final = "?"
"""The healer of a host of which no healer is known."""
_SKEW_S: Final = 5.0


@dataclass(slots=True)
class _Known:
    """What is kept of one host."""

    until_ms: float = 0.0
    changed_ms: float = -1.0
    """When the document that was read last had changed."""
    due_ms: float = -1.0
    """When the newest one did."""
    header: Header | None = None
    read: dict[bytes, HealerState] = field(default_factory=dict)
    """By the digest of the line: a healer that did not change is not read again."""
    problem: str = ""
    missing: bool = True
    """Whether its document was not there when it was last looked for."""
    shown: tuple[HealerState, ...] = ()
    lost_since: float | None = None
    stale: bool = True
    """Whether ``shown`` is to be made anew."""


class FleetHosts:
    """Takes over what Redis says, and gives out healers; what did not change is the same object."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._healers: tuple[HealerState, ...] | None = ()
        self._hosts: tuple[Host, ...] = ()
        self._left_off = 0

    @property
    def names(self) -> Sequence[str]:
        """The hosts that are known, in order."""
        return sorted(self._known)

    @property
    def healers(self) -> tuple[HealerState, ...]:
        """All healers, by host and name."""
        self._make()
        return self._healers or ()

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All hosts, by name."""
        self._make()
        return self._hosts

    @property
    def anomalies(self) -> tuple[str, ...]:
        """Sentences on what is wrong with hosts as a whole, ordered by host."""
        self._make()
        found = [
            f"{name}: {problem}"
            for name, known in sorted(self._known.items())
            for problem in _problems(known)
        ]
        if self._left_off:
            found.append(f"{self._left_off} healers are not shown: more than {HEALERS_MAX} publish")
        return tuple(found)

    def requests(self, now: float) -> tuple[Request, ...]:
        """Acts that wait for a second person at ``now``, in epoch seconds, the oldest first.

        Also those of lost hosts, whose documents stay as they told them last.
        """
        found = [
            request
            for known in self._known.values()
            if known.header is not None
            for request in known.header.requests
            if request.until > now
        ]
        return tuple(sorted(found, key=lambda request: request.at)[:REQUESTS_MAX])

    def take_index(
        self, leases: Mapping[bytes, float], changes: Mapping[bytes, float]
    ) -> list[str]:
        """Take the two indexes over; return the hosts whose documents are to be read.

        Args:
            leases: until when each host counts as live, in ms of Redis' clock.
            changes: when the documents changed that did lately.
        """
        for raw, until in leases.items():
            name = publishable(raw)
            if name is not None and (name in self._known or len(self._known) < HOSTS_MAX):
                self._known.setdefault(name, _Known()).until_ms = until
        due = []
        for name in self._known.keys() - {publishable(raw) for raw in leases}:
            if self._known[name].until_ms:  # did it leave, or did Redis forget it?
                due.append(name)
            self._known[name].until_ms = 0.0
            self._known[name].changed_ms = -1.0
        for name, known in self._known.items():
            changed = changes.get(name.encode(), known.changed_ms)
            known.due_ms = changed
            if changed != known.changed_ms or known.missing:
                due.append(name)
        return sorted(set(due))

    def take_document(self, name: str, raw: bytes) -> None:
        """Take the document of a host over; an empty one is not there.

        Args:
            name: the host.
            raw: the document; of one that is too large a byte more than the most there may be.
        """
        known = self._known[name]
        if raw == LEFT or (not raw and known.header is None and known.until_ms <= 0):
            self._forget(name)
            return
        known.changed_ms = known.due_ms
        known.missing = not raw
        if known.missing and known.header is not None:
            return  # the last that it said is still the last that is known
        known.stale, self._healers = True, None
        try:
            header, lines = split_document(raw, name)
            read: dict[bytes, HealerState] = {}
            for line in lines:
                digest = hashlib.blake2b(line, digest_size=16).digest()
                read[digest] = known.read.get(digest) or read_healer_line(line, name)
        except Malformed as error:
            known.problem = f"what it publishes {error}"
            known.header, known.read = None, {}
        else:
            known.header, known.read, known.problem = header, read, ""

    def judge(self, redis_ms: float, now: float) -> None:
        """Tell who is lost.

        Args:
            redis_ms: ms of Redis' clock now, as far as that is known.
            now: the same instant in epoch seconds of this host's clock.
        """
        for known in self._known.values():
            until = known.until_ms if known.until_ms - redis_ms <= LEASE_MAX_S * 1000 else 0.0
            if until > redis_ms:
                lost_since = None
            elif known.lost_since is not None:
                continue
            else:
                lost_since = min(now, now - (redis_ms - until) / 1000) if until else now
            if lost_since != known.lost_since:
                known.lost_since = lost_since
                known.stale, self._healers = True, None

    def _forget(self, name: str) -> None:
        if self._known.pop(name, None) is not None:
            self._healers = None

    def _make(self) -> None:
        if self._healers is not None:
            return
        healers: list[HealerState] = []
        hosts = []
        self._left_off = 0
        for name, known in sorted(self._known.items()):
            if known.stale:
                known.shown, known.stale = _shown(name, known), False
            room = HEALERS_MAX - len(healers)
            healers += known.shown[:room]
            self._left_off += max(0, len(known.shown) - room)
            hosts.append(Host(name, known.lost_since, len(known.read), known.problem))
        self._healers, self._hosts = tuple(healers), tuple(hosts)


def _shown(name: str, known: _Known) -> tuple[HealerState, ...]:
    read = sorted(known.read.values(), key=lambda healer: healer.name)
    if not read and (known.problem or known.lost_since is not None):
        read = [HealerState(UNNAMED, "", problem=known.problem, host=name)]
    if known.lost_since is None:
        return tuple(read)
    return tuple(replace(healer, lost_since=known.lost_since) for healer in read)


def _problems(known: _Known) -> Iterable[str]:
    header = known.header
    if known.problem:
        yield known.problem
    if header is None:
        return
    yield from header.problems
    if header.left_off:
        yield f"{header.left_off} of its healers are left off"
    skew = header.at - known.changed_ms / 1000
    if known.changed_ms > 0 and abs(skew) > _SKEW_S:
        way = "ahead of" if skew > 0 else "behind"
        yield f"its clock is {abs(skew):.0f} s {way} that of Redis"


def read_hosts(link: RedisLink, now: float) -> tuple[Host, ...]:
    """Return which hosts publish, and which of them tell no more; none where it is not told.

    Args:
        link: to the Redis.
        now: epoch seconds on this host's clock.

    Raises:
        RedisUnknown: Redis does not answer.
    """

    def ask(client: Redis) -> list[Any]:
        with client.pipeline(transaction=False) as pipe:
            link.clock(pipe, HOSTS)
            pipe.zrange(HOSTS, 0, HOSTS_MAX - 1, withscores=True)
            return pipe.execute(raise_on_error=False)

    clock, leases = link.ask(ask)
    hosts = FleetHosts()
    if isinstance(clock, Exception) or isinstance(leases, Exception):
        return ()
    hosts.take_index(dict(leases), {})
    hosts.judge(milliseconds(clock), now)
    return hosts.hosts
