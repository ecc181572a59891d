"""``init``: a new healer with its test, and all that puts it into production."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from healconsole.cli.errors import DONE, RefusedError, UsageError
from healconsole.cli.output import complain, show
from healconsole.cli.settings import settings
from healconsole.core.kit import Kit, KitError, checked
from healconsole.core.text import visible
from healconsole.stores.kitfiles import write_kit

TEXTFILE_DIR = "/var/lib/prometheus/node-exporter"
"""Where Debian's node exporter reads textfiles, for a host whose configuration says nothing."""


def run(args: argparse.Namespace) -> int:
    """Write the kit of a healer; nothing that is there is overwritten.

    Raises:
        UsageError: a value cannot be used.
        RefusedError: read-only, or a file is there already.
    """
    config = settings(args)
    if config.read_only:
        raise RefusedError("init: this is --read-only; nothing was written")
    try:
        kit = checked(
            Kit(
                name=args.name,
                language=args.lang,
                state_root=str(config.state_root),
                audit=str(config.audit),
                textfile_dir=str(config.textfile_dir or TEXTFILE_DIR),
                catalog=str(config.catalog),
                prefix=args.prefix.rstrip("/"),
                bin=str(_program().parent),
                python=sys.executable,
                owner=args.owner,
                runbook=args.runbook or f"https://runbooks.example/{args.name}",
            )
        )
    except KitError as error:
        raise UsageError(f"init: {error}") from error
    folder: Path = args.dir or Path(args.name)
    try:
        made = write_kit(kit, folder)
    except FileExistsError as error:
        raise RefusedError(
            f"init: {error.filename} is there already; nothing was written (see --dir)"
        ) from error
    for path in made:
        show(visible(f"{folder}/{path}"))
    show(visible(f"{kit.name}: read {folder}/README.md, then run its test"))
    show(
        visible(
            f"{kit.name}: its files name {kit.bin}, catalog {kit.catalog}, state {kit.state_root}: "
            "if production has others, run init with the healconsole of production"
        )
    )
    if any(kit.bin.startswith(home) for home in ("/home/", "/root/", "/run/user/")):
        complain(
            f"init: the unit does not see {kit.bin} (ProtectHome=yes): install healconsole for "
            "the whole host, as with pipx install --global, and write the kit again"
        )
    return DONE


def _program() -> Path:
    """The program ``healconsole`` of this installation."""
    beside = Path(sys.executable).with_name("healconsole")
    return beside if beside.is_file() else Path("/usr/local/bin/healconsole")
