"""The commands of the healing library: heal-sh, completion, guard, heal; and the demo."""

from __future__ import annotations

import argparse
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from healconsole.cli.errors import DONE, RefusedError, UsageError
from healconsole.cli.output import show, write_utf8
from healconsole.cli.parser import build_parser
from healconsole.cli.screen import open_console, require_terminal


def heal_sh(_args: argparse.Namespace) -> int:
    """Print where heal.sh is, for a shell to source."""
    path = Path(str(files("healconsole.shell").joinpath("heal.sh")))
    if not path.is_file():
        raise RefusedError(f"this installation has no {path}; install healconsole again")
    show(str(path))
    return DONE


def completion(args: argparse.Namespace) -> int:
    """Print a completion script made from the parser itself."""
    try:
        shtab = import_module("shtab")
    except ImportError as error:
        raise RefusedError(
            "completion needs the package shtab: pip install 'healconsole[completion]'"
        ) from error
    if args.shell not in shtab.SUPPORTED_SHELLS:
        raise RefusedError(
            f"this shtab knows nothing of {args.shell}: pip install -U 'healconsole[completion]'"
        )
    write_utf8(shtab.complete(build_parser(), shell=args.shell).rstrip("\n") + "\n")
    return DONE


def guard(args: argparse.Namespace) -> int:
    """Run the command behind ``--`` behind the guardrails.

    Raises:
        UsageError: there is no command.
    """
    from healconsole.engine.guardcmd import main

    if not args.guarded_command:
        raise UsageError("guard: name the command behind --, as in: guard ... -- reap /var/cores")
    return main(args)


def heal(args: argparse.Namespace) -> int:
    """Run a healer that is declared in TOML."""
    from healconsole.engine.declared import main

    return main(args)


def demo(args: argparse.Namespace) -> int:
    """Run the demo site.

    Raises:
        UsageError: there is no terminal that can draw.
    """
    from healconsole.demo.main import run

    if not (args.what or args.script or args.bad):
        require_terminal("to play the story without one: healconsole demo --script")
    return run(args.what, script=args.script, bad=args.bad, open_console=open_console)
