"""Waiting for the kernel's word that files changed; where it will not give it, saying so."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

STEP_MS: Final = 10
"""How often the watcher looks whether events came; half of what a change waits for."""
IDLE_STEP_MS: Final = 30
"""The same where nothing changed in the last second: each look wakes the processor up."""
DEBOUNCE_MS: Final = 20
"""The longest that a first event waits for more."""
_LOOK_MS: Final = 1_000
"""How often the watched directories are checked to be still those at the paths."""
_RETRY_S: Final = 15.0
_DEPTH: Final = 16
"""Levels below a state root that are looked through for links; state takes four."""

Identity = tuple[tuple[int, int] | None, ...]


class _LinkError(Exception):
    """A link to a directory would lead the watcher out of what it is to watch."""


class Watch(threading.Thread):
    """Watches directories in a thread of its own, and again when they are replaced.

    watchfiles walks the directories when it is set up, which takes 0.1 s for 1,000 healers.

    Args:
        directories: what to watch; those that are missing are waited for.
        recursive: with everything below.
        on_paths: called with the paths that changed, in this thread.
        on_live: called with "" when changes are pushed, else with why they are not, in this
            thread; at each set-up, so what happened before is to be looked for then.
        after: seconds before the first set-up, for a screen that is about to be drawn.
    """

    def __init__(
        self,
        directories: Sequence[Path],
        *,
        recursive: bool,
        on_paths: Callable[[set[str]], None],
        on_live: Callable[[str], None],
        after: float = 0.0,
    ) -> None:
        super().__init__(name=f"watch {directories[0]}", daemon=True)
        self._directories = tuple(Path(os.path.abspath(path)) for path in directories)  # noqa: PTH100 - links stay
        self._recursive = recursive
        self._on_paths = on_paths
        self._on_live = on_live
        self._after = after
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask the thread to end; it does within a step."""
        self._stopping.set()

    def run(self) -> None:
        """Watch until stopped."""
        self._stopping.wait(self._after)
        while not self._stopping.is_set():
            identity = _identity(self._directories)
            there = [
                str(path) for path, found in zip(self._directories, identity, strict=True) if found
            ]
            if not there:
                self._on_live("nothing is there to be watched yet")
                self._wait_for_change(identity, retry=False)
                continue
            try:
                with self._open(there) as watcher:
                    self._on_live("")
                    self._follow(watcher, identity)
            except (OSError, RuntimeError, _LinkError) as error:
                self._on_live(_reason(error))
                self._wait_for_change(identity, retry=True)

    def _open(self, paths: list[str]) -> RustNotify:
        """A watcher that watches all of it.

        Raises:
            OSError, RuntimeError: the system will not.
            _LinkError: it would watch more than that.
        """
        # Imported here: it is not needed before the first screen stands.
        from watchfiles._rust_notify import RustNotify

        if self._recursive:
            for path in paths:
                _refuse_links(path, _DEPTH)
        try:
            return RustNotify(paths, False, False, 0, self._recursive, False)  # noqa: FBT003 - its signature
        except PermissionError:
            # One directory that we may not read must not blind us for the rest. But in this
            # mode a watch limit goes unsaid, so one more watch asks for it.
            watcher = RustNotify(paths, False, False, 0, self._recursive, True)  # noqa: FBT003
            with suppress(PermissionError), RustNotify(["/"], False, False, 0, False, False):  # noqa: FBT003
                pass
            return watcher

    def _follow(self, watcher: RustNotify, identity: Identity) -> None:
        step = STEP_MS
        while not self._stopping.is_set():
            found = watcher.watch(DEBOUNCE_MS, step, _LOOK_MS, self._stopping)
            step = IDLE_STEP_MS if found == "timeout" else STEP_MS
            if isinstance(found, set):
                self._on_paths({path for _, path in found})
            if (found == "timeout" or isinstance(found, set)) and _identity(
                self._directories
            ) != identity:
                return

    def _wait_for_change(self, identity: Identity, *, retry: bool) -> None:
        waited = 0.0
        while not self._stopping.wait(_LOOK_MS / 1000):
            waited += _LOOK_MS / 1000
            if (retry and waited >= _RETRY_S) or _identity(self._directories) != identity:
                return


def _identity(directories: Sequence[Path]) -> Identity:
    found: list[tuple[int, int] | None] = []
    for path in directories:
        try:
            info = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((info.st_dev, info.st_ino))
    return tuple(found)


def _refuse_links(path: str, depth: int) -> None:
    """Raise `_LinkError` if the watcher, which follows links, would be led out of `path`."""
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_symlink():
                    if entry.is_dir():
                        raise _LinkError(f"{entry.path} is a link to a directory: remove it")
                elif depth > 1 and entry.is_dir(follow_symlinks=False):
                    _refuse_links(entry.path, depth - 1)
    except (FileNotFoundError, PermissionError):
        return


def _reason(error: Exception) -> str:
    text = str(error)
    if "watch limit" in text or "MaxFilesWatch" in text:
        return "the system's watch limit is reached: raise fs.inotify.max_user_watches"
    if "os error 24" in text:
        return "no inotify instance is left: raise fs.inotify.max_user_instances"
    return text
