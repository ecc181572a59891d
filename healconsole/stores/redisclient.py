"""Speaking to Redis once, without retries, and saying in words why it did not answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from healconsole.stores.redisaddress import CLUSTER, Nodes, parse_nodes

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
    outer, ends = _ends.get(), time.monotonic() + seconds
    token = _ends.set(ends if outer is None else min(outer, ends))
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
        url: an address as ``stores.redisaddress`` has them; its query cannot change the timeouts.
            Sentinels are asked for the primary here, once.
        timeout: seconds for an answer; None waits for ever, as blocking commands must. A
            connection is waited for 2 s at most in either case.

    Raises:
        ValueError: ``url`` is no Redis address.
        One of :func:`redis_errors`: no Sentinel, or no node of the Cluster, answers.
    """
    from redis import Redis
    from redis.connection import Connection, ConnectionPool, parse_url

    nodes = parse_nodes(url)
    if nodes is not None and nodes.scheme in CLUSTER:
        return _cluster(nodes, timeout)
    if nodes is not None:
        host, port = _primary(nodes, timeout or CONNECT_TIMEOUT)
        return _client_of(nodes, host, port, timeout)
    options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
    kind = options.pop("connection_class", Connection)
    options |= _once(timeout)
    return Redis(connection_pool=ConnectionPool(connection_class=timely(kind), **options))


def _once(timeout: float | None) -> dict[str, Any]:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": min(timeout or CONNECT_TIMEOUT, CONNECT_TIMEOUT),
        "retry": Retry(NoBackoff(), 0),
        "retry_on_timeout": False,
        "retry_on_error": [],
        "health_check_interval": 0,
        "protocol": 2,
    }


def _client_of(
    nodes: Nodes, host: str, port: int, timeout: float | None, *, login: bool = True
) -> Redis:
    from redis import Redis
    from redis.connection import Connection, ConnectionPool, SSLConnection

    options = _once(timeout) | {"host": host, "port": port}
    if login:
        options |= {
            "db": nodes.db,
            "username": nodes.user or None,
            "password": nodes.password or None,
        }
    kind = timely(SSLConnection if nodes.tls else Connection)
    return Redis(connection_pool=ConnectionPool(connection_class=kind, **options))


def _primary(nodes: Nodes, timeout: float) -> tuple[str, int]:
    """Where the primary is, by the first Sentinel that knows; each has its part of the time."""
    from redis import RedisError
    from redis.exceptions import ConnectionError as Unreachable

    share = timeout / (len(nodes.hosts) + 1)
    said: Exception | None = None
    for host, port in nodes.hosts:
        sentinel = _client_of(nodes, host, port, share, login=False)
        try:
            with within(share):
                found: Any = sentinel.sentinel_get_master_addr_by_name(nodes.primary)
        except (RedisError, OSError) as error:
            said = error
            continue
        finally:
            sentinel.close()
        if found:
            place, at = found
            return _decoded(place), int(at)
    raise Unreachable(f"no Sentinel knows the primary {nodes.primary}") from said


def _decoded(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _cluster(nodes: Nodes, timeout: float | None) -> Redis:
    from redis.cluster import ClusterNode, RedisCluster
    from redis.connection import Connection, ConnectionPool, SSLConnection

    options = _once(timeout)
    retry = options.pop("retry")
    host, port = nodes.hosts[0]
    made: Any = RedisCluster(
        # With an address as text it makes its pools of the classes given here.
        url=f"redis://{f'[{host}]' if ':' in host else host}:{port}",
        startup_nodes=[
            ClusterNode(host, port)  # type: ignore[no-untyped-call]
            for host, port in nodes.hosts
        ],
        username=nodes.user or None,
        password=nodes.password or None,
        connection_pool_class=ConnectionPool,
        connection_class=timely(SSLConnection if nodes.tls else Connection),
        require_full_coverage=False,
        retry=retry,
        **{key: options[key] for key in ("socket_timeout", "socket_connect_timeout", "protocol")},
    )
    return made  # type: ignore[no-any-return] # it has the commands of one server


def redis_errors() -> tuple[type[Exception], ...]:
    """What redis-py raises: where no node of a Cluster answers it is no ``RedisError``."""
    from redis.exceptions import RedisClusterException, RedisError

    return RedisError, RedisClusterException, OSError


def unknown(error: Exception, where: str, timeout: float) -> RedisUnknown:
    """Return what an error of redis-py means for who asked, with its mend."""
    from redis import exceptions as of

    said = str(error).rstrip(".")  # our sentences go on behind it
    if isinstance(error, of.RedisClusterException):
        return RedisUnknown(f"{where} cannot be reached: {said}", unanswered=True)
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
