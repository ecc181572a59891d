"""How far the clock of Redis is from this host's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from healconsole.stores.redisclient import plain_client, redis_errors, unknown
from healconsole.stores.redislink import RedisLink


def redis_skew(url: str, clock: Callable[[], float], timeout: float = 2.0) -> float:
    """Seconds that the clock of Redis is ahead of ``clock``, to within half of the answer's time.

    Raises:
        RedisUnknown: it did not say; the message holds no password.
    """
    where = RedisLink(url).where
    try:
        with closing(plain_client(url, timeout)) as client:
            client.ping()  # the connection's own time is no part of the answer's
            asked = clock()
            seconds, micros = client.time()
            answered = clock()
    except redis_errors() as error:
        raise unknown(error, where, timeout) from error
    return float(seconds) + float(micros) / 1e6 - (asked + answered) / 2
