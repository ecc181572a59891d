"""The breakers and buckets of every scope of one healer, for what is told of all of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, cast

from healconsole.core.metrics import ScopeFiles
from healconsole.core.records import BreakerRecord, BucketRecord, Corrupt
from healconsole.core.scopes import is_scope_file_name
from healconsole.stores.files import Missing, Unreadable, list_below, open_dir
from healconsole.stores.statefiles import read_state_file

MOST_FILES: Final = 256
"""Scopes that are read: a state directory may hold anything."""
_NAMES_MAX: Final = 10_000


def read_scopes(state_dir: Path) -> tuple[ScopeFiles, ...]:
    """Every scope that has a breaker, then every one that has a bucket only, each by its name.

    A directory that is not there, or cannot be listed, has none.
    """
    try:
        at = open_dir(state_dir)
    except (Missing, Unreadable):
        return ()
    try:
        breakers = _names(at, "cb")
        names = breakers + [name for name in _names(at, "rate") if name not in set(breakers)]
        return tuple(
            ScopeFiles(
                name,
                cast("BreakerRecord | Corrupt | None", read_state_file(at, f"cb/{name}")),
                cast("BucketRecord | Corrupt | None", read_state_file(at, f"rate/{name}")),
            )
            for name in names[:MOST_FILES]
        )
    finally:
        os.close(at)


def _names(at: int, folder: str) -> list[str]:
    try:
        found = list_below(at, folder, _NAMES_MAX)
    except (Missing, Unreadable):
        return []
    return sorted(name for name in found if is_scope_file_name(name))
