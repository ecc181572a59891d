"""Where a Redis is: one server, the primary that Sentinels name, or a Cluster.

``redis://``, ``rediss://`` and ``unix://`` are one server;
``redis+sentinel://[user:password@]host[:26379],host…/<name of the primary>[/db]`` asks Sentinels;
``redis+cluster://[user:password@]host[:6379],host…`` are nodes of a Cluster. ``rediss+…`` is TLS.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from healconsole.core.frozen import Frozen

SINGLE: Final = ("redis", "rediss", "unix")
SENTINEL: Final = ("redis+sentinel", "rediss+sentinel")
CLUSTER: Final = ("redis+cluster", "rediss+cluster")
SCHEMES: Final = (*SINGLE, *SENTINEL, *CLUSTER)

PASSWORD_FILE: Final = "HEAL_REDIS_PASSWORD_FILE"  # noqa: S105 - names of variables
PASSWORD: Final = "HEAL_REDIS_PASSWORD"  # noqa: S105
USER: Final = "HEAL_REDIS_USER"

_MOST = 4096


class Nodes(Frozen):
    """Sentinels, or nodes of a Cluster."""

    scheme: str
    hosts: tuple[tuple[str, int], ...]
    user: str = ""
    password: str = ""
    primary: str = ""
    """The name that the Sentinels know the primary by."""
    db: int = 0

    @property
    def tls(self) -> bool:
        """Whether the servers are spoken to over TLS; Sentinels as well."""
        return self.scheme.startswith("rediss")

    @property
    def where(self) -> str:
        """The address without user and password."""
        kind = "Sentinel" if self.scheme in SENTINEL else "Cluster"
        listed = ",".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{kind} {listed}" + (f" ({self.primary})" if self.primary else "")


def parse_nodes(url: str) -> Nodes | None:
    """The nodes of a ``+sentinel`` or ``+cluster`` address; None if it is of one server.

    Raises:
        ValueError: it is no such address. The message holds nothing of it.

    >>> parse_nodes("redis+sentinel://:pw@a,b:1/heal").where
    'Sentinel a:26379,b:1 (heal)'
    >>> parse_nodes("redis+cluster://[::1]:7000").hosts
    (('::1', 7000),)
    """
    scheme, _, rest = url.partition("://")
    if scheme not in SENTINEL + CLUSTER:
        return None
    place, _, path = rest.partition("?")[0].partition("/")
    login, _, hosts = place.rpartition("@")
    user, _, password = login.partition(":")
    sentinel = scheme in SENTINEL
    primary, _, db = path.rstrip("/").partition("/")
    if sentinel != bool(primary) or not (db or "0").isdigit():
        raise ValueError("no address of Sentinels or of a Cluster")
    default = 26379 if sentinel else 6379
    found = tuple(_host(host, default) for host in hosts.split(","))
    return Nodes(scheme, found, unquote(user), unquote(password), unquote(primary), int(db or 0))


def _host(text: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    port = default if parts.port is None else parts.port
    if not parts.hostname or not port:
        raise ValueError("no address of Sentinels or of a Cluster")
    return parts.hostname, port


def where(url: str) -> str:
    """The address without user and password."""
    try:
        nodes = parse_nodes(url)
        if nodes is not None:
            return nodes.where
        parts = urlsplit(url)
        place = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
    except ValueError:
        return "an unreadable address"
    return parts.path if parts.scheme == "unix" else place


def with_login(url: str, environ: Mapping[str, str]) -> str:
    """``url`` with user and password from the environment, where it has none of its own.

    ``HEAL_REDIS_PASSWORD_FILE`` names a file that nobody else can read, and wins over
    ``HEAL_REDIS_PASSWORD``; ``HEAL_REDIS_USER`` is the ACL user.

    Raises:
        ValueError: the file cannot be read, or others can read it.

    >>> with_login("redis://h/0", {"HEAL_REDIS_PASSWORD": "a/b", "HEAL_REDIS_USER": "heal"})
    'redis://heal:a%2Fb@h/0'
    >>> with_login("redis://:own@h/0", {"HEAL_REDIS_PASSWORD": "other"})
    'redis://:own@h/0'
    """
    scheme, _, rest = url.partition("://")
    if "@" in rest.partition("/")[0] or scheme == "unix":
        return url
    file = environ.get(PASSWORD_FILE)
    password = _secret(Path(file)) if file else environ.get(PASSWORD, "")
    if not password:
        return url
    return f"{scheme}://{quote(environ.get(USER, ''), '')}:{quote(password, '')}@{rest}"


def _secret(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            info = os.fstat(fd)
            raw = os.read(fd, _MOST)
        finally:
            os.close(fd)
    except OSError as error:
        raise ValueError(f"{PASSWORD_FILE}={path}: {(error.strerror or '').lower()}") from None
    if not stat.S_ISREG(info.st_mode) or info.st_mode & 0o077:
        raise ValueError(f"{PASSWORD_FILE}={path}: others can read it; chmod 600 it")
    return raw.decode("utf-8", "surrogateescape").split("\n", 1)[0]
