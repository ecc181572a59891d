"""The site's own connection to its Redis: it plays the application, not the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healconsole.stores.redislink import plain_client

if TYPE_CHECKING:
    from redis import Redis

    from healconsole.demo.layout import Site


def connect(site: Site) -> Redis:
    """A client of the site's Redis. Raises OSError if the site has no address file."""
    return plain_client(site.redis_url_file.read_text(encoding="ascii").strip())
