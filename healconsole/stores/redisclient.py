"""Speaking to Redis once, without retries, and saying in words why it did not answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from redis import Redis


class RedisUnknown(Exception):  # noqa: N818 - a state that the screen names, not a defect
    """What Redis would say cannot be known; ``why`` says so with the mend, and without secrets."""

    def __init__(self, why: str, *, unanswered: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.unanswered = unanswered
        """The command may have taken effect all the same: no reply came."""


_ends: ContextVar[float | None] = ContextVar("_ends", default=None)
"""When the whole of what is asked in this thread has to be answered (``time.monotonic``)."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound everything that is asked inside, together: a reply may come a byte at a time.

    A name server is not: its own time limits come on top.
    """
    token = _ends.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def _left() -> float | None:
    """Seconds that are left.

    Raises:
        TimeoutError: none.
    """
    ends = _ends.get()
    if ends is None:
        return None
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _TimelySocket:
    """A socket that waits for no longer than is left, whatever its own time limit is."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._limit = inner.gettimeout()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a socket has
        return getattr(self._inner, name)

    def settimeout(self, limit: float | None) -> None:
        self._limit = limit
        self._inner.settimeout(limit)

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0.0)

    def recv(self, *args: Any) -> bytes:  # noqa: ANN401
        self._hurry()
        return self._inner.recv(*args)

    def recv_into(self, *args: Any) -> int:  # noqa: ANN401
        self._hurry()
        return self._inner.recv_into(*args)

    def sendall(self, data: bytes) -> None:
        self._hurry()
        self._inner.sendall(data)

    def _hurry(self) -> None:
        left = _left()
        if left is None or self._limit == 0:
            self._inner.settimeout(self._limit)
        else:
            self._inner.settimeout(left if self._limit is None else min(left, self._limit))


def timely(kind: type[Any]) -> type[Any]:
    """The connection class ``kind``, in time."""

    class Timely(kind):  # type: ignore[misc] # a class that is known when it runs
        def _connect(self) -> _TimelySocket:
            left = _left()
            if left is not None:
                self.socket_connect_timeout = min(left, CONNECT_TIMEOUT) / self._ways()
            return _TimelySocket(super()._connect())

        def _ways(self) -> int:
            """How many addresses are tried, each for the whole of its time."""
            host = getattr(self, "host", None)
            if not host:
                return 1
            return len(socket.getaddrinfo(host, self.port, 0, socket.SOCK_STREAM)) or 1

    return Timely


CONNECT_TIMEOUT = 2.0
"""Seconds for a connection to come about."""


def plain_client(url: str, timeout: float | None = None) -> Redis:
    """A client that tries once and says what happened.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``; its query cannot change the timeouts.
        timeout: seconds for an answer; None waits for ever, as blocking commands must. A
            connection is waited for 2 s at most in either case.

    Raises:
        ValueError: ``url`` is no Redis address.
    """
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.connection import Connection, ConnectionPool, parse_url
    from redis.retry import Retry

    options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
    kind = options.pop("connection_class", Connection)
    options |= {
        "socket_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
        "retry_on_error": [],
        "health_check_interval": 0,
        "protocol": 2,
    }
    options["socket_connect_timeout"] = min(timeout or CONNECT_TIMEOUT, CONNECT_TIMEOUT)
    return Redis(connection_pool=ConnectionPool(connection_class=timely(kind), **options))


def unknown(error: Exception, where: str, timeout: float) -> RedisUnknown:
    """Return what an error of redis-py means for who asked, with its mend."""
    from redis import exceptions as of

    said = str(error)
    if isinstance(error, of.AuthenticationError):
        why = f"{where} refuses the password: put the right one into the Redis address"
    elif isinstance(error, of.NoPermissionError):
        why = f"{where} refuses a command to this user: {said}"
    elif isinstance(error, of.BusyLoadingError):
        why = f"{where} is still loading its data"
    elif isinstance(error, of.ReadOnlyError):
        why = f"{where} is a read-only replica: name the primary"
    elif isinstance(error, of.TimeoutError):
        return RedisUnknown(f"{where} did not answer in {timeout:g} s", unanswered=True)
    elif isinstance(error, of.ConnectionError | OSError):
        return RedisUnknown(f"{where} cannot be reached: {said}", unanswered=True)
    else:
        why = f"{where} answered with an error: {said}"
    return RedisUnknown(why)
