"""Who may look: exact Host and Origin, and a token. Pure functions of what a request says.

A page from anywhere can make a browser on this machine send requests here. It cannot choose
their Host and Origin headers: the first defeats a name that was rebound to this address (DNS
rebinding), the second a socket opened from another page. The token keeps out everybody else
who reaches the port.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from healconsole.core.frozen import Frozen

TOKEN_LEAST: Final = 20
"""Characters of the shortest token: with 64 to choose from, 120 bits."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]+")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-f:]+\](:[0-9]{1,5})?")
_PORTS: Final = {"http": 80, "https": 443}


class GateError(ValueError):
    """An address, a URL or a token that cannot be used; one sentence that says why."""


class Gate(Frozen):
    """What is let in. ``hosts`` are the exact values of the Host header that are answered."""

    scheme: str
    hosts: Sequence[str]
    token: str
    cookie: str
    """Name of the cookie that stands for the token after its first use."""

    @property
    def cookie_value(self) -> str:
        """What the cookie holds: it is made from the token, and the token not from it."""
        return hmac.new(self.token.encode(), b"healconsole wall cookie", sha256).hexdigest()

    def host(self, said: str | None) -> bool:
        """Whether a request to this Host is for us."""
        return said is not None and said.lower() in self.hosts

    def origin(self, said: str | None, host: str) -> bool:
        """Whether a request from the page ``said``, if from one, is from ours on ``host``."""
        return said is None or said.lower() == f"{self.scheme}://{host.lower()}"

    def has_token(self, said: str | None) -> bool:
        """Whether ``said`` is the token; in a time that tells nothing of it."""
        return said is not None and _same(said, self.token)

    def has_cookie(self, said: str | None) -> bool:
        """Whether ``said`` is what the cookie holds; in a time that tells nothing of it."""
        return said is not None and _same(said, self.cookie_value)


def build_gate(address: str, port: int, url: str, token: str) -> Gate:
    """The gate of a server on ``address`` and ``port``, reached by ``url`` if that is given.

    >>> sorted(build_gate("127.0.0.1", 8765, "", "t" * 20).hosts)
    ['127.0.0.1:8765', 'localhost:8765']
    >>> build_gate("127.0.0.1", 8765, "https://wall.example/", "t" * 20).hosts
    ['wall.example']

    Raises:
        GateError: the token is too short or odd; the URL is none; the address is a wildcard,
            so that nobody can say by which name it is reached.
    """
    if len(token) < TOKEN_LEAST or not _TOKEN.fullmatch(token):
        raise GateError(
            f"the token must have at least {TOKEN_LEAST} characters, of letters, digits and ._~-"
        )
    scheme, hosts = ("http", _hosts(address, port)) if not url else _of_url(url)
    prefix = "__Host-" if scheme == "https" else ""
    return Gate(scheme, hosts, token, f"{prefix}healconsole-wall-{port}")


def _hosts(address: str, port: int) -> list[str]:
    parsed = ip_address(address)
    if parsed.is_unspecified:
        raise GateError(f"by which name is {address} reached? say it: --url http://HOST:{port}")
    names = [f"[{address}]" if parsed.version == 6 else address]
    if parsed.is_loopback:
        names.append("localhost")
    return [name if port == _PORTS["http"] else f"{name}:{port}" for name in names]


def _of_url(url: str) -> tuple[str, list[str]]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise GateError(f"--url {url!r} is no URL") from None
    host = parts.netloc.lower()
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host):
        raise GateError(f"--url must be http://HOST[:PORT] or https://HOST[:PORT], not {url!r}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise GateError(f"--url {url!r}: the wall is at the root, so it takes no path")
    if port == _PORTS[parts.scheme]:  # a browser leaves it out
        host = host.removesuffix(f":{port}")
    return parts.scheme, [host]


def _same(said: str, right: str) -> bool:
    return hmac.compare_digest(said.encode(errors="replace"), right.encode())
