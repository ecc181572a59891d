"""The commands of the healing library: heal-sh, completion, guard, heal; and the demo."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from importlib.resources import files
from pathlib import Path

from healconsole.cli.errors import DONE, RefusedError, UsageError
from healconsole.cli.output import show, write_utf8
from healconsole.cli.parser import build_parser
from healconsole.cli.screen import open_console, require_terminal
from healconsole.cli.settings import settings


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
        RefusedError: read-only.
    """
    from healconsole.engine.guardcmd import main

    if not args.guarded_command:
        raise UsageError("guard: name the command behind --, as in: guard ... -- reap /var/cores")
    return main(_with_sources(args))


def heal(args: argparse.Namespace) -> int:
    """Run a healer that is declared in TOML.

    Raises:
        UsageError: the file declares no healer.
        RefusedError: read-only.
    """
    from healconsole.engine.declared import DeclarationError, main

    try:
        return main(_with_sources(args))
    except DeclarationError as error:
        raise UsageError(f"heal: {error}") from error


def _with_sources(args: argparse.Namespace) -> argparse.Namespace:
    """``args`` with the sources that the configuration names where no flag does.

    ``HEAL_STATE_DIR`` names one healer's directory whole, and wins over a root that no flag
    gave.
    """
    config = settings(args)
    if config.read_only:
        raise RefusedError(f"{args.verb}: a healer writes its state, and this is --read-only")
    found = {name: getattr(config, name) for name in ("audit", "redis", "textfile_dir")}
    if "state_root" in args or not os.environ.get("HEAL_STATE_DIR"):
        found["state_root"] = config.state_root
    return argparse.Namespace(**{**vars(args), **found})


def demo(args: argparse.Namespace) -> int:
    """Run the demo site.

    Raises:
        UsageError: there is no terminal that can draw.
    """
    from healconsole.demo.main import run

    if not (args.what or args.script or args.bad):
        require_terminal("to play the story without one: healconsole demo --script")
    return run(
        args.what,
        script=args.script,
        bad=args.bad,
        pace=args.pace,
        open_console=open_console,
    )
