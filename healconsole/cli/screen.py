"""The console itself: the command that runs when no command is named."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Mapping

from healconsole.cli.absent import absent
from healconsole.cli.errors import UsageError
from healconsole.cli.settings import configure, fleet_redis, settings
from healconsole.core.snapshot import Snapshot, SourceHealth
from healconsole.stores.config import Config


def run(args: argparse.Namespace) -> int:
    """Open the console on this terminal.

    Raises:
        UsageError: there is no terminal that can draw; names the command that needs none.
    """
    require_terminal("for one look in text: healconsole status")
    config = settings(args)
    return _open_fleet(config, wall=args.wall) if args.fleet else _open(config, wall=args.wall)


def open_console(flags: Mapping[str, str], repair: Callable[[], str]) -> int:
    """Open the console on the demo site that ``flags`` name; ``repair`` mends its cause."""
    return _open(configure(flags), repair=repair)


def require_terminal(instead: str) -> None:
    """Go on only where the console can draw.

    Raises:
        UsageError: it cannot; ``instead`` says what works without.
    """
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None or not stream.isatty():
            raise UsageError(
                f"the console needs a terminal, and standard {name} is none: {instead}"
            )
    term = os.environ.get("TERM", "")
    if term in {"", "dumb"}:
        raise UsageError(f"the console cannot draw on this terminal (TERM={term}): {instead}")


def _open(config: Config, *, wall: bool = False, repair: Callable[[], str] | None = None) -> int:
    # Nothing that is made while the program starts is garbage yet: to look for some is a tenth
    # of the start. The app turns the collector on again when its first screen is up.
    gc.disable()
    from healconsole.stores.feed import Feed

    # The first look comes before Textual is imported, which is most of the start: the first
    # frame then has everything in it.
    relay = _Relay()
    feed = Feed(config, time.time, relay)
    first = feed.first()

    _load_event_loop()
    from healconsole.cli.session import show
    from healconsole.tui.creating import create_app

    def feed_for(on_snapshot: Callable[[Snapshot], None]) -> Feed:
        relay.to = on_snapshot
        return feed

    return show(create_app(config, feed_for, time.time, wall=wall, repair=repair, first=first))


def _load_event_loop() -> None:
    """Load asyncio without what it needs for TLS, which the console speaks in threads, if at all.

    That is OpenSSL, and as much of the start as to read the state of fifty healers.
    """
    with absent("ssl"):
        import asyncio  # noqa: F401 - the others find it loaded


def _open_fleet(config: Config, *, wall: bool) -> int:
    _load_event_loop()
    from healconsole.cli.session import show
    from healconsole.stores.fleetfeed import FleetFeed
    from healconsole.stores.fleethistory import FleetHistory
    from healconsole.tui.creating import create_app

    url = fleet_redis(config)

    def feed_for(on_snapshot: Callable[[Snapshot], None]) -> FleetFeed:
        return FleetFeed(url, time.time, on_snapshot)

    first = Snapshot(host="fleet", fleet=True, redis_health=SourceHealth())
    log = FleetHistory(url)
    return show(
        create_app(config, feed_for, time.time, wall=wall, fleet=True, first=first, log=log)
    )


class _Relay:
    """Where the feed's snapshots go; the feed is made before the app that takes them."""

    def __init__(self) -> None:
        self.to: Callable[[Snapshot], None] | None = None

    def __call__(self, snapshot: Snapshot) -> None:
        if self.to is not None:
            self.to(snapshot)
