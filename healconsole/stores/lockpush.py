"""Being told of a lock's change in a tenth of a millisecond, where Redis and its ACL allow it.

First choice is CLIENT TRACKING, which broadcasts every change below a prefix; second are keyspace
events, where the server makes them. Where neither is to be had, somebody has to ask.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from healconsole.stores.redisaddress import CLUSTER
from healconsole.stores.redisclient import plain_client, redis_errors
from healconsole.stores.redislink import LOCK

if TYPE_CHECKING:
    from redis import Redis
    from redis.connection import AbstractConnection

    _Pair = tuple[AbstractConnection, AbstractConnection]

Changed = Callable[["frozenset[bytes] | None"], None]
"""Takes the whole names of the locks that changed; None = any may have."""

_INVALIDATED: Final = "__redis__:invalidate"
_ENOUGH: Final = frozenset("$gxe")
"""Kinds of events that tell of every change of a lock: set, removed, expired, evicted."""
_AGAIN_S: Final = 2.0
_ALIVE_S: Final = 5.0
_WAIT_S: Final = 0.5


class LockPush(threading.Thread):
    """Listens for changes of locks until it is stopped, and begins anew when Redis went away.

    Args:
        url: address of the Redis.
        on_changed: called in this thread; with None first when the listening begins, for what
            changed before it did, was not heard.
        timeout: seconds for an answer.
    """

    def __init__(self, url: str, on_changed: Changed, timeout: float = 1.0) -> None:
        super().__init__(name="locks", daemon=True)
        self._url = url
        self._on_changed = on_changed
        self._timeout = timeout
        self._ending = threading.Event()
        self.by = ""
        """What tells us of changes: ``tracking``, ``events``, or empty."""

    def stop(self) -> None:
        """Ask the thread to end; it is not waited for."""
        self._ending.set()

    def run(self) -> None:
        """Listen until stopped."""
        errors: tuple[type[Exception], ...] = (*redis_errors(), ValueError)
        while not self._ending.is_set():
            try:
                with plain_client(self._url, self._timeout) as client:
                    self._listen(client)
            except errors:
                pass  # whoever asks the same Redis for the locks says what is wrong with it
            self.by = ""
            self._ending.wait(_AGAIN_S)

    def _listen(self, client: Any) -> None:  # noqa: ANN401 - of one server, or of a Cluster
        """Listen on connections of our own: one is told, the other asked for that.

        Of a Cluster each primary tells of its own keys.

        Raises:
            One of ``redis_errors``: it is over; or what is wanted is not to be had.
        """
        clustered = self._url.startswith(CLUSTER)
        nodes = _primaries(client) if clustered else {"": client}
        with ExitStack() as stack:
            pairs = [_pair(stack, node) for node in nodes.values()]
            means = {self._begin(ear, mouth) for ear, mouth in pairs}
            if "" in means:
                return
            self.by = min(means)
            self._on_changed(None)
            if clustered:
                self._hear_all(client, frozenset(nodes), pairs)
            else:
                self._hear(*pairs[0], self._ending)

    def _hear_all(self, client: Any, known: frozenset[str], pairs: list[_Pair]) -> None:  # noqa: ANN401
        """Hear every primary until one falls silent, or others are primaries."""
        over = threading.Event()
        ears = [
            threading.Thread(target=self._hear_one, args=(*pair, over), name="locks", daemon=True)
            for pair in pairs
        ]
        for each in ears:
            each.start()
        try:
            asked = time.monotonic()
            while not self._ending.is_set() and not over.wait(_WAIT_S):
                if time.monotonic() - asked > _ALIVE_S:
                    asked = time.monotonic()
                    client.nodes_manager.initialize()
                    if _primaries(client).keys() != known:
                        return
        finally:
            over.set()
            for each in ears:
                each.join()

    def _hear_one(
        self, ear: AbstractConnection, mouth: AbstractConnection, over: threading.Event
    ) -> None:
        try:
            self._hear(ear, mouth, over)
        except redis_errors():
            pass  # as in `run`
        finally:
            over.set()

    def _begin(self, ear: AbstractConnection, mouth: AbstractConnection) -> str:
        from redis.exceptions import ResponseError

        number = _said(ear, "CLIENT", "ID")
        try:
            _said(mouth, *("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", "PREFIX", LOCK))
        except ResponseError:  # too old, or refused by its ACL
            return "events" if self._begin_events(ear, mouth) else ""
        _said(ear, "SUBSCRIBE", _INVALIDATED)
        return "tracking"

    @staticmethod
    def _begin_events(ear: AbstractConnection, mouth: AbstractConnection) -> bool:
        from redis.exceptions import ResponseError

        try:
            _, flags = _said(mouth, "CONFIG", "GET", "notify-keyspace-events")
            kinds = set(flags.decode())
            if "K" not in kinds or not ("A" in kinds or kinds >= _ENOUGH):
                return False
            database = getattr(ear, "db", 0) or 0
            _said(ear, "PSUBSCRIBE", f"__keyspace@{database}__:{LOCK}*")
        except (ResponseError, ValueError):
            return False
        return True

    def _hear(
        self, ear: AbstractConnection, mouth: AbstractConnection, over: threading.Event
    ) -> None:
        asked = time.monotonic()
        while not over.is_set():
            if ear.can_read(timeout=_WAIT_S):
                message: Any = ear.read_response()
                self._on_changed(_named(message))
            if time.monotonic() - asked > _ALIVE_S:
                # A server that is gone without a word, or that forgot what we asked it for.
                asked = time.monotonic()
                _said(mouth, "PING")


def _primaries(client: Any) -> dict[str, Redis]:  # noqa: ANN401 - redis-py leaves this untyped
    """The primaries of a Cluster by their addresses."""
    return {node.name: node.redis_connection for node in client.get_primaries()}


def _pair(stack: ExitStack, node: Redis) -> _Pair:
    """Two connections to one server, closed with ``stack``."""
    made = []
    for _ in range(2):
        made.append(node.connection_pool.get_connection())
        stack.callback(made[-1].disconnect)
    return made[0], made[1]


def _said(connection: AbstractConnection, *words: object) -> Any:  # noqa: ANN401 - what Redis says
    connection.send_command(*words)  # type: ignore[no-untyped-call]
    return connection.read_response()


def _named(message: Any) -> frozenset[bytes] | None:  # noqa: ANN401 - what Redis says
    """The locks that a message names.

    >>> _named([b"message", b"__redis__:invalidate", [b"heal:lock:a"]])
    frozenset({b'heal:lock:a'})
    >>> _named([b"message", b"__redis__:invalidate", None]) is None
    True
    >>> _named([b"pmessage", b"__keyspace@0__:*", b"__keyspace@0__:heal:lock:a", b"set"])
    frozenset({b'heal:lock:a'})
    """
    kind, *rest = message
    if kind == b"pmessage":
        return frozenset({rest[1].partition(b":")[2]})
    if kind == b"message" and isinstance(rest[1], list):
        return frozenset(rest[1])
    return None
