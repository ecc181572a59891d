"""Which healers there are, asked again and again: listed anew only where that may have changed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from healconsole.stores.healerdir import list_healers

AFRESH_S: Final = 10.0
"""The longest that a listing is believed, whatever the directory says of itself."""
SETTLED_S: Final = 2.0
"""A directory that is another one since less than this may change once more and bear the same
time; its own time cannot tell, for its clock may be that of another host."""


class Listing:
    """The names below a state root. For one thread."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: tuple[str, ...] = ()
        self._stamp: tuple[int, ...] | None = None
        self._since = 0.0
        """When the directory was first seen as it is."""
        self._listed_at = 0.0

    def names(self) -> tuple[str, ...]:
        """As ``healerdir.list_healers``; the very same tuple where nothing changed.

        Raises:
            Missing, Unreadable: the root is not there, or cannot be read.
        """
        stamp, now = self._changed(), time.monotonic()
        if stamp is None or stamp != self._stamp:
            # Taken before the listing: what comes in between makes it another one the next time.
            self._stamp, self._since = stamp, now
        elif self._listed_at - self._since >= SETTLED_S and now - self._listed_at < AFRESH_S:
            return self._names
        names = tuple(list_healers(self._root))
        self._listed_at = now
        if names != self._names:
            self._names = names
        return self._names

    def _changed(self) -> tuple[int, ...] | None:
        """Which directory it is, and when names and permissions in it changed; None = no idea."""
        try:
            info = self._root.stat()
        except OSError:
            return None
        times = info.st_mtime_ns, info.st_ctime_ns
        return info.st_dev, info.st_ino, info.st_mode, info.st_nlink, *times
