"""Locks of the fleet in Redis: held, free, or unknown, which is never taken for free.

Plain commands and one Lua script for each step that must be atomic. redis-py's own Lock and its
default retries are not used: a lost reply would make them answer "not acquired" while the key
stays set, or act twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from healconsole.core.halt import HaltRecord, halted, parse_halt
from healconsole.core.records import Corrupt
from healconsole.core.snapshot import Lock
from healconsole.stores import redisaddress
from healconsole.stores.redisclient import (
    RedisUnknown,
    plain_client,
    redis_errors,
    unknown,
    within,
)

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["RedisLink", "RedisUnknown", "plain_client"]

LOCK: Final = "heal:lock:"
LOCKS: Final = "heal:locks"
"""The index of the locks that this library took."""
FENCE: Final = "heal:fence:"
TOKENS: Final = "heal:tokens:"
HALT: Final = "heal:halt"
HALTS: Final = "heal:halts"
STORMS: Final = "heal:storms"
WANT: Final = "heal:want:"
ALIVE: Final = "heal:alive"
SLOTS: Final = "heal:slots:"
SLOT_FENCE: Final = "heal:slotfence:"

T = TypeVar("T")

_SCAN_COUNT: Final = 1_000
_LOCKS_MAX: Final = 10_000
"""More locks than this are not a fleet, but somebody's mistake."""


class RedisLink:
    """The fleet's state in one Redis. No question waits longer than ``timeout`` for its answer.

    Safe to use from several threads. Connects at the first call, which imports redis-py.

    Args:
        url: the address; its password never appears in a message.
        timeout: seconds for a connection and the whole answer together.
    """

    def __init__(self, url: str, timeout: float = 2.0) -> None:
        self._url = url
        self._timeout = timeout
        self.clustered = url.startswith(redisaddress.CLUSTER)
        self._client: Redis | None = None

    def __repr__(self) -> str:
        return f"RedisLink({self.where!r})"

    @property
    def where(self) -> str:
        """The address without user and password."""
        return redisaddress.where(self._url)

    def pair(self, name: str, *prefixes: str) -> tuple[str, ...]:
        """The keys of ``name`` that one script takes.

        In a Cluster they must lie in one slot, so a name without braces gets them there:
        ``heal:lock:{broker}`` and ``heal:fence:{broker}``.
        """
        tagged = f"{{{name}}}" if self.clustered and "{" not in name else name
        return tuple(prefix + tagged for prefix in prefixes)

    def _index(self, name: str) -> str:
        """The index that the lock ``name`` is in; in a Cluster one of its own, in its slot."""
        return self.pair(name, f"{LOCKS}:")[0] if self.clustered else LOCKS

    def clock(self, client: Any, key: str) -> Any:  # noqa: ANN401 - or a pipeline
        """Ask for the time of the server that has ``key``; :func:`milliseconds` reads the reply.

        Of a Cluster each node has a clock of its own.
        """
        if self.clustered:
            return client.execute_command("EVAL", "return redis.call('TIME')", 1, raw(key))
        return client.time()

    def walked(self, client: Any) -> list[Redis]:  # noqa: ANN401 - or a Cluster's
        """The servers to walk over: each primary of a Cluster."""
        if self.clustered:
            return [node.redis_connection for node in client.get_primaries()]
        return [client]

    def scan_locks(self, now: float) -> tuple[Lock, ...]:
        """Return all locks, ordered by key. Walks with SCAN, which blocks nobody.

        Args:
            now: epoch seconds on this host's clock; what is left of each lock is added to it.

        Raises:
            RedisUnknown: no complete answer is to be had.
        """
        return self.ask(lambda client: self._scan(client, now))

    def halt(self) -> HaltRecord | Corrupt | None:
        """Return the fleet-wide stop as it is written, None if there is none.

        Raises:
            RedisUnknown: nothing is known.
        """
        value: Any = self.ask(lambda client: client.get(HALT))
        return None if value is None else parse_halt(text(value))

    def halted(self, now: float) -> str:
        """Return why the fleet is halted at ``now``; empty if it is not.

        Raises:
            RedisUnknown: nothing is known.
        """
        return halted(self.halt(), now)

    def acquire(self, key: str, owner: str, ttl_ms: int) -> int | None:
        """Take the lock ``key`` for ``owner``; return its fencing number, or None if it is held.

        A call whose reply was lost is resolved by reading the key and comparing the token.
        Asking again with the same ``owner`` prolongs.

        Raises:
            RedisUnknown: it may or may not be ours: do not act.
        """
        keys = self.pair(key, LOCK, FENCE)
        try:
            return self.run("acquire", (*keys, self._index(key)), owner, ttl_ms)
        except RedisUnknown as lost:
            if not lost.unanswered:
                raise
            found: Any = self.ask(lambda client: client.mget([raw(key) for key in keys]))
            holder, fence = found
            if holder is None:
                raise
            return int(fence) if text(holder) == owner else None

    def renew(self, key: str, owner: str, ttl_ms: int) -> bool:
        """Prolong the lock; return whether ``owner`` still holds it. Lost means lost.

        Raises:
            RedisUnknown: nothing is known; the lease goes on to run out.
        """
        return bool(self.run("renew", (*self.pair(key, LOCK), self._index(key)), owner, ttl_ms))

    def release(self, key: str, owner: str) -> bool:
        """Give the lock back; return whether ``owner`` held it until now.

        Raises:
            RedisUnknown: nothing is known; the lease goes on to run out.
        """
        return bool(self.run("release", (*self.pair(key, LOCK), self._index(key)), owner))

    def break_lock(self, key: str, token: str) -> bool:
        """Take the lock away from its holder, if that is still ``token`` (an operator's act).

        Raises:
            RedisUnknown: nothing is known.
        """
        return self.release(key, token)

    def close(self) -> None:
        """Close all connections; a later call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
            if not self.clustered:
                client.connection_pool.disconnect()

    def run(self, script: str, keys: tuple[str, ...], *args: str | int) -> int | None:
        """Run one of ``lua/``; return the whole number that it answers, or None for nothing.

        Raises:
            RedisUnknown: it may or may not have run.
        """
        raw_keys = [raw(key) for key in keys]
        raw_args = [raw(arg) if isinstance(arg, str) else arg for arg in args]
        reply: Any = self.ask(
            lambda client: client.eval(lua(script), len(raw_keys), *raw_keys, *raw_args)
        )
        return None if reply is None else int(reply)

    def _scan(self, client: Any, now: float) -> tuple[Lock, ...]:  # noqa: ANN401 - or a Cluster's
        began = time.monotonic()
        found: dict[str, Lock] = {}
        if not self.clustered:
            self.require_primary(client)
        for node in self.walked(client):
            self._walk(node, client, now, began, found)
        return tuple(found[key] for key in sorted(found))

    def _walk(
        self,
        node: Redis,
        client: Redis,
        now: float,
        began: float,
        found: dict[str, Lock],
    ) -> None:
        """Find the locks of one node; ``client`` reads them, with their fences."""
        cursor = 0
        while True:
            page: Any = node.scan(cursor, match=f"{LOCK}*", count=_SCAN_COUNT)
            cursor, keys = page
            for lock in read_locks(client, keys, now, began, at_once=not self.clustered):
                found[lock.key] = lock
            if cursor == 0:
                return
            if len(found) > _LOCKS_MAX:
                raise RedisUnknown(f"more than {_LOCKS_MAX} locks: something makes locks of data")
            if time.monotonic() - began > self._timeout:
                raise RedisUnknown(
                    f"more keys than can be walked in {self._timeout:g} s: "
                    "give the locks a database of their own (redis://host/1)"
                )

    def require_primary(self, client: Redis) -> None:
        """Refuse a replica: it may show a lock that is long given away.

        Raises:
            RedisUnknown: it is one.
        """
        from redis.exceptions import NoPermissionError

        try:
            role: Any = client.role()
        except NoPermissionError:
            return
        if role and text(role[0]) != "master":
            raise RedisUnknown(
                f"{self.where} is a read-only replica, which may be behind: name the primary"
            )

    def ask(self, ask: Callable[[Redis], T]) -> T:
        """Ask once; every way to fail becomes a sentence.

        Raises:
            RedisUnknown: there is no answer.
        """
        try:
            with within(self._timeout):
                if self._client is None:
                    self._client = plain_client(self._url, self._timeout)
                return ask(self._client)
        except ValueError as error:
            # The parser's own message may hold the password.
            raise RedisUnknown(
                "the Redis address is none: write redis://[user:password@]host[:port][/db]"
            ) from error
        except redis_errors() as error:
            if self._url.startswith(redisaddress.SENTINEL + redisaddress.CLUSTER):
                # Another one may be the primary by now.
                self.close()
            raise unknown(error, self.where, self._timeout) from error


def read_locks(
    client: Redis, keys: list[bytes], now: float, began: float, *, at_once: bool = True
) -> Iterator[Lock]:
    """Owner, end and fence of each; ``at_once`` in one transaction, which no Cluster has."""
    if not keys:
        return
    with client.pipeline(transaction=at_once) as pipe:
        for key in keys:
            pipe.get(key)
            pipe.pttl(key)
            pipe.get(FENCE.encode() + key.removeprefix(LOCK.encode()))
        # An entry of another type under a lock's name is an error of its own, not of the batch.
        replies = pipe.execute(raise_on_error=False)
    at = now + (time.monotonic() - began)
    for index, key in enumerate(keys):
        owner, left, fence = replies[3 * index : 3 * index + 3]
        if owner is None:
            continue
        yield Lock(
            key=text(key.removeprefix(LOCK.encode())),
            owner=f"({owner})" if isinstance(owner, Exception) else text(owner),
            expires_at=at + left / 1000 if left >= 0 else None,
            fence=int(fence) if isinstance(fence, bytes) and fence.isdigit() else None,
        )


def milliseconds(reply: Any) -> float:  # noqa: ANN401 - redis-py leaves this untyped
    """What ``TIME`` says, in milliseconds since the epoch.

    >>> milliseconds([b"1764000000", b"2500"])
    1764000000002.5
    """
    seconds, micros = reply
    return int(seconds) * 1000 + int(micros) / 1000


@cache
def lua(name: str) -> str:
    """The script ``name``, which heal.sh runs as well."""
    from importlib.resources import files  # a process without a Redis has no use for it

    return (files("healconsole.stores") / "lua" / f"{name}.lua").read_text("utf-8")


def text(value: bytes) -> str:
    """What Redis holds as text, whatever bytes they are."""
    return value.decode("utf-8", "surrogateescape")


def raw(value: str) -> bytes:
    """The reverse of :func:`text`."""
    return value.encode("utf-8", "surrogateescape")
