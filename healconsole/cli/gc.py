"""``gc``: remove the markers, shadows and claims that have served."""

from __future__ import annotations

import argparse
import time

from healconsole.cli.errors import DONE, REFUSED, RefusedError
from healconsole.cli.output import complain, emit_json, show
from healconsole.cli.settings import settings
from healconsole.core.aging import DEFAULT_AGE
from healconsole.core.text import visible
from healconsole.stores.aging import Aged, age_healer
from healconsole.stores.catalog import CatalogError, load_catalog
from healconsole.stores.config import Config
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.healerdir import list_healers


def run(args: argparse.Namespace) -> int:
    """Age the healers that are named, or all; 1 if something could not be looked at.

    Raises:
        RefusedError: read-only, no such healer, or the state root cannot be read.
    """
    config = settings(args)
    if config.read_only and not args.dry_run:
        raise RefusedError("gc: this console is read-only; nothing was removed (see --dry-run)")
    try:
        policies = {
            name: entry.policy
            for name, entry in load_catalog(config.catalog).items()
            if not entry.problem
        }
    except CatalogError as error:
        # Its policies say how long a marker is needed.
        raise RefusedError(f"gc: {error}; nothing was removed") from error
    age = DEFAULT_AGE if args.age is None else int(args.age)
    found = [
        age_healer(
            config.state_root, name, policies.get(name), age, time.time, dry_run=args.dry_run
        )
        for name in _names(config, args.names)
    ]
    if args.json:
        emit_json({"dry_run": args.dry_run, "age_s": age, "healers": [_object(a) for a in found]})
    else:
        _tell(found, dry_run=args.dry_run)
    for aged in found:
        if aged.problem:
            complain(f"gc: {aged.healer}: {aged.problem}")
    return REFUSED if any(aged.problem for aged in found) else DONE


def _names(config: Config, asked: list[str]) -> list[str]:
    try:
        known = list_healers(config.state_root)
    except Missing:
        raise RefusedError(f"gc: {config.state_root} is not there") from None
    except Unreadable as error:
        raise RefusedError(f"gc: {config.state_root}: {error.why}") from error
    for name in asked:
        if name not in known:
            raise RefusedError(f"gc: no such healer: {name!r}; nothing was removed")
    return sorted(set(asked)) or known


def _object(aged: Aged) -> dict[str, object]:
    return {
        "name": aged.healer,
        "removed": aged.removed,
        "kept": aged.kept,
        "strange": aged.strange,
        "problem": aged.problem,
    }


def _tell(found: list[Aged], *, dry_run: bool) -> None:
    verb = "would remove" if dry_run else "removed"
    for aged in found:
        show(f"{visible(aged.healer)}: {verb} {len(aged.removed)}, kept {aged.kept}")
        if dry_run:
            for path in aged.removed:
                show(f"  {visible(path)}")
        for path in aged.strange:
            show(f"  ! {visible(path)} is no file of ours; it stays")
