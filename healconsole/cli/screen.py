"""The console itself: the command that runs when no command is named."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping

from healconsole.cli.errors import UsageError
from healconsole.cli.settings import configure, settings
from healconsole.stores.config import Config


def run(args: argparse.Namespace) -> int:
    """Open the console on this terminal.

    Raises:
        UsageError: there is no terminal that can draw; names the command that needs none.
    """
    require_terminal("for one look in text: healconsole status")
    return _open(settings(args), wall=args.wall)


def open_console(flags: Mapping[str, str], repair: Callable[[], str]) -> int:
    """Open the console on the demo site that ``flags`` name; ``repair`` mends its cause."""
    return _open(configure(flags), repair=repair)


def require_terminal(instead: str) -> None:
    """Go on only where the console can draw.

    Raises:
        UsageError: it cannot; ``instead`` says what works without.
    """
    for stream, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if not stream.isatty():
            raise UsageError(
                f"the console needs a terminal, and standard {name} is none: {instead}"
            )
    term = os.environ.get("TERM", "")
    if term in {"", "dumb"}:
        raise UsageError(f"the console cannot draw on this terminal (TERM={term}): {instead}")


def _open(config: Config, *, wall: bool = False, repair: Callable[[], str] | None = None) -> int:
    # Textual costs most of the start, and only this command has a use for it.
    from healconsole.cli.session import show
    from healconsole.stores.feed import Feed
    from healconsole.tui.app import create_app

    app = create_app(
        config,
        lambda on_snapshot: Feed(config, time.time, on_snapshot),
        time.time,
        wall=wall,
        repair=repair,
    )
    return show(app)
