"""Speaking to Redis once, without retries, and saying in words why it did not answer."""

from __future__ import annotations

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
    options["socket_connect_timeout"] = min(timeout or 2.0, 2.0)
    return Redis(connection_pool=ConnectionPool(connection_class=kind, **options))


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
