"""The locks in a Redis that may hold a million other keys, kept up to date for what they cost.

One walk over all keys at the start, in slices; from then on what is pushed to us, and what the
index of our own library names. A slow walk again and again finds what neither told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

from healconsole.core.snapshot import Lock
from healconsole.stores.redislink import LOCK, LOCKS, RedisLink, RedisUnknown, raw, read_locks

if TYPE_CHECKING:
    from redis import Redis

LOCKS_MAX: Final = 10_000
"""More locks than this are not a fleet, but somebody's mistake."""
WALK_PUSHED_S: Final = 60.0
"""Between two walks where changes are pushed to us."""
WALK_S: Final = 10.0
"""The same where they are not."""
_SHARE: Final = 20
"""A walk is made at most once in so many times the time that it takes."""
_SLICE_S: Final = 0.03
_COUNT: Final = 1_000


class LockWatch:
    """What is known of the locks. For one thread; writes nothing.

    Args:
        link: to the Redis.
        clock: epoch seconds on this host.
    """

    def __init__(self, link: RedisLink, clock: Callable[[], float]) -> None:
        self._link = link
        self._clock = clock
        self._locks: dict[bytes, Lock] = {}
        self._cursor = 0
        self._nodes: list[Redis] = []
        """Servers that the walk has still to go over; where it is in the first says the cursor."""
        self._walking = True
        self._seen: set[bytes] = set()
        self._walked_s = 0.0
        self._next_walk = 0.0
        self.complete = False
        """Whether every key was walked over once: until then a lock may be missing."""

    @property
    def walking(self) -> bool:
        """Whether a walk is under way, so that the next `look` goes on with it."""
        return self._walking

    @property
    def locks(self) -> tuple[Lock, ...]:
        """The locks that are held, by key."""
        return tuple(self._locks[key] for key in sorted(self._locks))

    def walk_again(self) -> None:
        """Begin a walk: something may have been missed."""
        self._cursor, self._walking, self._seen, self._walked_s = 0, True, set(), 0.0
        self._nodes = []

    def read(self, keys: Collection[bytes]) -> None:
        """Read these locks again; they changed.

        Raises:
            RedisUnknown: nothing is known.
        """
        if keys:
            self._link.ask(lambda client: self._read(client, keys))

    def look(self, *, pushed: bool) -> None:
        """Read what may have changed, and go on with a walk for a slice of time.

        Args:
            pushed: whether changes are pushed, so that what is known need not be asked again.

        Raises:
            RedisUnknown: nothing is known, or there are more than `LOCKS_MAX` locks.
        """
        self._link.ask(lambda client: self._look(client, pushed=pushed))
        if len(self._locks) > LOCKS_MAX:
            raise RedisUnknown(f"more than {LOCKS_MAX} locks: something makes locks of data")

    def _look(self, client: Redis, *, pushed: bool) -> None:
        # In a Cluster each lock is in an index of its own slot, which only its name leads to.
        index = set() if self._link.clustered else _index(client)
        now = self._clock()
        due = {
            key
            for key, lock in self._locks.items()
            if not pushed or (lock.expires_at is not None and lock.expires_at <= now)
        }
        self._read(client, due | (index - self._locks.keys()))
        if not self._walking and time.monotonic() >= self._next_walk:
            self.walk_again()
        if self._walking:
            self._walk(client, pushed=pushed)

    def _walk(self, client: Redis, *, pushed: bool) -> None:
        began = time.monotonic()
        if not self._nodes:
            self._nodes = self._link.walked(client)
            if not self._nodes:
                raise RedisUnknown(f"{self._link.where} has no primary")
            if not self._link.clustered:
                self._link.require_primary(client)
        while True:
            page: Any = self._nodes[0].scan(self._cursor, match=f"{LOCK}*", count=_COUNT)
            self._cursor, keys = page
            self._seen.update(keys)
            self._read(client, [key for key in keys if key not in self._locks])
            if len(self._locks) > LOCKS_MAX:
                break
            if self._cursor == 0:
                del self._nodes[0]
                if not self._nodes:
                    self._end_walk(client, began, pushed=pushed)
                    return
            if time.monotonic() - began > _SLICE_S:
                break
        self._walked_s += time.monotonic() - began

    def _end_walk(self, client: Redis, began: float, *, pushed: bool) -> None:
        self._walked_s += time.monotonic() - began
        self._walking, self.complete = False, True
        # A key that was there all the time was seen: what was not may be gone.
        self._read(client, self._locks.keys() - self._seen)
        self._seen = set()
        least = WALK_PUSHED_S if pushed else WALK_S
        self._next_walk = time.monotonic() + max(least, self._walked_s * _SHARE)

    def _read(self, client: Redis, keys: Collection[bytes]) -> None:
        if not keys:
            return
        asked = list(keys)
        found = {
            raw(LOCK + lock.key): lock
            for lock in read_locks(
                client,
                asked,
                self._clock(),
                time.monotonic(),
                at_once=not self._link.clustered,
            )
        }
        for key in asked:
            lock = found.get(key)
            if lock is None:
                self._locks.pop(key, None)
            else:
                self._locks[key] = lock


def _index(client: Redis) -> set[bytes]:
    """The locks that our library took; none where an ACL of before the index hides it."""
    from redis.exceptions import ResponseError

    try:
        named: Any = client.zrange(LOCKS, 0, LOCKS_MAX)
    except ResponseError:
        return set()
    return {key for key in named if key.startswith(LOCK.encode())}
