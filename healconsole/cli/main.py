"""The program ``healconsole``: reads its command line, runs one command, ends with its code.

What a command needs is imported when that command runs: ``status`` never loads Textual, and
nothing loads Redis that does not speak to one.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import cast

from healconsole.cli.errors import DONE, INTERRUPTED, REFUSED, CommandError
from healconsole.cli.output import complain
from healconsole.cli.parser import build_parser, split_command_line
from healconsole.cli.uncollected import uncollected


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; by default those of the process.

    Returns:
        0 done, 1 refused or failed, 2 usage, 130 interrupted. ``guard`` returns the exit code
        of the command that it guards.
    """
    arguments, guarded = split_command_line(sys.argv[1:] if argv is None else list(argv))
    with uncollected():
        parser = build_parser(arguments)
        args = parser.parse_args(arguments)
    if guarded is not None and args.verb != "guard":
        parser.error("only guard takes a command behind --")
    if args.wall and args.verb:
        parser.error(f"--wall is for the console, not for {args.verb}")
    if args.fleet and args.verb and args.verb not in {"status", "serve"}:
        parser.error(f"--fleet is for the console, status and serve, not for {args.verb}")
    args.guarded_command = guarded or []
    _make_showable()
    try:
        return _run(args)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has all that it wanted (`| head`). What the interpreter still flushes at its
        # end goes where nothing complains.
        _discard_output()
        return DONE


def _run(args: argparse.Namespace) -> int:
    """Run the command; an error that has a sentence is told in one line."""
    try:
        with uncollected():
            command = _command(args.entry)
        code = command(args)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except CommandError as error:
        complain(str(error))
        return error.code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _discard_output()
        complain(f"{where}{error.strerror or error}")
        return REFUSED
    return code


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())


def _make_showable() -> None:
    """A locale without a glyph costs the glyph, and a closed output costs the output only."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the whole run
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _command(entry: str) -> Callable[[argparse.Namespace], int]:
    module, _, function = entry.partition(":")
    return cast(
        "Callable[[argparse.Namespace], int]", getattr(importlib.import_module(module), function)
    )
