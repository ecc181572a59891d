"""Options that every command shares, and the types of what options take."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from healconsole.cli.completing import completes
from healconsole.cli.errors import USAGE
from healconsole.core.ages import parse_duration
from healconsole.core.pattern import pattern
from healconsole.core.text import visible

T = TypeVar("T")

_NUMBER: Final = pattern(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)


class CommonOption(NamedTuple):
    """An option of the program as a whole: also an environment variable and a key."""

    flag: str
    metavar: str
    variable: str
    says: str


COMMON: Final = (
    CommonOption(
        "--state-root", "DIR", "HEAL_STATE_ROOT", "state directories of the healers; /var/lib/heal"
    ),
    CommonOption("--audit", "FILE", "HEAL_AUDIT_FILE", "audit log; /var/log/heal/audit.jsonl"),
    CommonOption(
        "--redis",
        "URL",
        "HEAL_REDIS_URL",
        "Redis with the fleet locks; a password goes into the variable",
    ),
    CommonOption(
        "--textfile-dir",
        "DIR",
        "HEAL_TEXTFILE_DIR",
        "textfile metrics of the node exporter, for heartbeats",
    ),
    CommonOption(
        "--catalog", "DIR", "HEALCONSOLE_CATALOG", "catalog of healers; /etc/heal/healers.d"
    ),
    CommonOption(
        "--config",
        "FILE",
        "HEALCONSOLE_CONFIG",
        "read this file in place of /etc/heal/healconsole.toml and the XDG one",
    ),
)


class HelpPage(argparse.RawDescriptionHelpFormatter):
    """A help page of the terminal's width.

    argparse makes one for each argument that is added, and would load ``shutil`` (with all that
    unpacks archives) to ask for the width.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """Columns of the terminal, as ``shutil.get_terminal_size`` has them."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said):
        return int(said)
    screen = sys.__stdout__
    try:
        return (os.get_terminal_size(screen.fileno()).columns if screen else 0) or 80
    except (ValueError, OSError):  # it is closed, or no terminal
        return 80


class OneLineParser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line; the whole page is a ``--help`` away.

    One of a command that the command line has not ``named`` is made when it is asked something:
    the argparse of Python 3.14 asks each, the one before none.
    """

    usage_code = USAGE
    """What the program ends with if the command line cannot be understood."""

    def __init__(self, *, named: bool = True, **given: Any) -> None:  # noqa: ANN401 - argparse's
        if named:
            super().__init__(**given)
        else:
            self._given = given

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a parser has
        given = self.__dict__.pop("_given", None)
        if given is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        super().__init__(**given)
        return getattr(self, name)

    def parse_known_args(  # type: ignore[override] # its overloads are of no use here
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As in argparse; a command itself complains of what it does not know, with its code."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def error(self, message: str) -> NoReturn:
        """End with ``usage_code``, saying ``message``."""
        self.exit(self.usage_code, f"{self.prog}: {visible(message)}; see {self.prog} --help\n")


def common_options() -> OneLineParser:
    """A parent parser with the common options.

    An option that is not given sets nothing, so that it may stand before the command or
    after it.
    """
    parent = OneLineParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = parent.add_argument_group(
        "common options",
        "Each has an environment variable (in brackets) and a key of the same name\nin the "
        "configuration. A flag wins over the variable, the variable over the file.",
    )
    for option in COMMON:
        action = group.add_argument(
            option.flag,
            metavar=option.metavar,
            type=address if option.flag == "--redis" else str,
            help=f"{option.says} [{option.variable}]",
        )
        completes(action, option.metavar)
    group.add_argument(
        "--read-only",
        action="store_true",
        help="construct nothing that can write [HEALCONSOLE_READ_ONLY]",
    )
    return parent


def _checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """``parse`` as an argparse type that keeps the sentence of its ValueError."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


duration = _checked(parse_duration)
"""``10m``, ``90s``, ``1h30m`` as seconds."""


def _address(text: str) -> str:
    login, at, _ = text.partition("://")[2].partition("/")[0].rpartition("@")
    if at and ":" in login:
        raise ValueError(
            "a password on the command line can be read by everybody on this host: put the "
            "address into HEAL_REDIS_URL, or the password into HEAL_REDIS_PASSWORD_FILE"
        )
    return text


address = _checked(_address)
"""A Redis address without a password."""


def _seconds(text: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    return parse_duration(text)


seconds = _checked(_seconds)
"""Seconds as a plain number, or a span with its unit."""


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ValueError(f"{text!r} is not a whole number of at most nine digits")
    return int(text)


def _whole_seconds(text: str) -> int:
    span = _seconds(text)
    if span != int(span):
        raise ValueError(f"{text!r} is not a whole number of seconds")
    return int(span)


whole_seconds = _checked(_whole_seconds)
"""Whole seconds as a plain number, or a span with its unit."""

whole = _checked(_whole)
"""A whole number, zero or more."""


def _percent(text: str) -> int:
    number = _whole(text)
    if number > 100:
        raise ValueError(f"{text!r} is more than 100 percent")
    return number


percent = _checked(_percent)
"""A whole number from 0 to 100."""


def _port(text: str) -> int:
    number = _whole(text)
    if number > 65_535:
        raise ValueError(f"{text!r} is not a port, 0 to 65535")
    return number


port = _checked(_port)
"""A port of TCP; 0 = any that is free."""


def existing_file(text: str) -> Path:
    """A path to a file that is there.

    Raises:
        argparse.ArgumentTypeError: it is not.
    """
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return path
