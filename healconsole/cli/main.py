"""The program ``healconsole``: reads its command line, runs one command, ends with its code.

What a command needs is imported when that command runs: ``status`` never loads Textual, and
nothing loads Redis that does not speak to one.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import cast

from healconsole.cli.errors import DONE, INTERRUPTED, REFUSED, CommandError
from healconsole.cli.output import complain
from healconsole.cli.parser import Command, build_parser, split_command_line


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; by default those of the process.

    Returns:
        0 done, 1 refused or failed, 2 usage, 130 interrupted. ``guard`` returns the exit code
        of the command that it guards.
    """
    arguments, guarded = split_command_line(sys.argv[1:] if argv is None else list(argv))
    parser = build_parser()
    args = parser.parse_args(arguments)
    if guarded is not None and args.verb != "guard":
        parser.error("only guard takes a command behind --")
    args.guarded_command = guarded or []
    _never_fail_to_show()
    try:
        code = _command(args.entry)(args)
        sys.stdout.flush()
    except CommandError as error:
        complain(str(error))
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has all that it wanted (`| head`). What the interpreter still flushes at its
        # end goes where nothing complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}")
        return REFUSED
    return code


def _never_fail_to_show() -> None:
    """A locale without a glyph costs the glyph, not the answer."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _command(entry: str) -> Command:
    module, _, function = entry.partition(":")
    return cast("Callable[..., int]", getattr(importlib.import_module(module), function))
