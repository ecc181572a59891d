"""The command ``serve``: the wall in a browser."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import stat
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from healconsole.cli.errors import DONE, INTERRUPTED, RefusedError, UsageError
from healconsole.cli.output import complain, show
from healconsole.cli.settings import fleet_redis, settings

TOKEN_VARIABLE: Final = "HEALCONSOLE_SERVE_TOKEN"  # noqa: S105 - the name of a variable
_TOKEN_FILE_LIMIT: Final = 1_024
_NOT_FOR_A_VIEWER: Final = frozenset(
    {TOKEN_VARIABLE, "COLUMNS", "LINES", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TMUX", "STY"}
)
_VARIABLES: Final = {
    "state_root": "HEALCONSOLE_STATE_ROOT",
    "audit": "HEALCONSOLE_AUDIT",
    "redis": "HEALCONSOLE_REDIS",
    "textfile_dir": "HEALCONSOLE_TEXTFILE_DIR",
    "catalog": "HEALCONSOLE_CATALOG",
    "config": "HEALCONSOLE_CONFIG",
}
"""What carries a common option to the consoles: a password in a URL must not be in their argv."""


def run(args: argparse.Namespace) -> int:
    """Serve until a signal.

    Raises:
        RefusedError: the extra is not installed, or the address cannot be had.
        UsageError: address, URL or token cannot be used.
    """
    config = settings(args)
    if args.fleet:
        fleet_redis(config)
    if not args.seats:
        raise UsageError("serve: --seats 0 lets nobody watch; name at least one")
    address = _address(args.bind)
    token, from_where = _token(args.token_file)
    try:
        from healconsole.serve.gate import GateError
        from healconsole.serve.page import load_assets
        from healconsole.serve.running import listen, serve
        from healconsole.serve.server import Console

        assets = load_assets()
    except ImportError as error:
        raise RefusedError(
            f"serve needs the package {error.name}: pip install 'healconsole[serve]'"
        ) from error

    def ready(url: str) -> None:
        if from_where:
            show(f"the wall is at {url}?token=… with the token from {from_where}", at_once=True)
        else:
            show(f"the wall is at {url}?token={token}", at_once=True)
        if not ip_address(address).is_loopback:
            complain("what is not loopback is not encrypted: see 'The wall in a browser'")

    console = Console(
        # -P: a module in the directory that we were started in is not ours.
        argv=(
            *(sys.executable, "-P", "-m", "healconsole", "--wall", "--read-only"),
            *(("--fleet",) if args.fleet else ()),
        ),
        environment=environment_for_viewer(args, os.environ),
        title="fleet: healers" if args.fleet else f"{config.host}: healers",
        seats=args.seats,
    )
    try:
        with listen(address, args.port) as listener:
            ended = serve(listener, args.url, token, console, assets, complain, ready)
    except GateError as error:
        raise UsageError(f"serve: {error}") from error
    return INTERRUPTED if ended is signal.SIGINT else DONE


def environment_for_viewer(args: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a viewer's console: ours, with the options that we were given.

    The token is not in it, nor what belongs to the terminal that we were started on.
    """
    own = {name: value for name, value in environ.items() if name not in _NOT_FOR_A_VIEWER}
    for option, variable in _VARIABLES.items():
        if (value := getattr(args, option, None)) is not None:
            own[variable] = str(value)
    return {**own, "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def _address(text: str) -> str:
    try:
        return str(ip_address("127.0.0.1" if text == "localhost" else text.strip("[]")))
    except ValueError:
        raise UsageError(f"serve: --bind takes an IP address, not {text!r}") from None


def _token(file: Path | None) -> tuple[str, str]:
    """The token, and where it is from; empty if it was made just now."""
    if file is not None:
        return _token_in(file), str(file)
    if given := os.environ.get(TOKEN_VARIABLE):
        return given, TOKEN_VARIABLE
    return secrets.token_urlsafe(32), ""


def _token_in(file: Path) -> str:
    """The token in a file that nobody else can read.

    Raises:
        UsageError: others can read it, or it is not a small regular file of text.
    """
    fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(fd, "rb") as opened:  # noqa: PTH123 - what was opened is what is judged
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise UsageError(f"serve: {file} is not a regular file")
        if info.st_mode & 0o077:
            raise UsageError(f"serve: others can read {file}; mend it: chmod 600 {file}")
        return opened.read(_TOKEN_FILE_LIMIT).decode("ascii", "replace").strip()
