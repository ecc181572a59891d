"""The markers that a verdict on a healer's latest intent is decided on."""

from __future__ import annotations

import os

from healconsole.core.explain import latest_intent
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.limits import limits_of
from healconsole.core.records import Corrupt, MarkerRecord
from healconsole.core.shadow import rehearsed
from healconsole.core.snapshot import HealerState
from healconsole.core.text import encodable
from healconsole.stores.files import Missing, Unreadable, open_below_dir, open_dir
from healconsole.stores.statefiles import read_marker


def read_marked(
    root: str | os.PathLike[str], healer: HealerState, now: float
) -> tuple[MarkerRecord | Corrupt, ...]:
    """The markers of the latest intent, of the window of ``now`` and the one before.

    In dry-run the shadow ones. Opens nothing where their names are not there, or where all
    markers were read; what is gone by now is left out.
    """
    decides = rehearsed(healer, now)
    intent = latest_intent(healer)
    if not intent or not decides.marker_keys or decides.markers is not None:
        return ()
    n = bucket_number(now, limits_of(decides).policy.bucket)
    named = (marker_key(encodable(intent), window) for window in (n, n - 1))
    keys = [key for key in named if key in decides.marker_keys]
    if not keys:
        return ()
    folder = "keys" if decides is healer else "dry/keys"
    try:
        root_fd = open_dir(root)
    except (Missing, Unreadable):
        return ()
    try:
        at = open_below_dir(root_fd, f"{healer.name}/{folder}")
    except (Missing, Unreadable):
        return ()
    finally:
        os.close(root_fd)
    try:
        found = [read_marker(at, key, folder) for key in keys]
    finally:
        os.close(at)
    return tuple([marker for marker in found if marker is not None])
