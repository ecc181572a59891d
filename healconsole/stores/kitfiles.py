"""A healer's kit on disk: the templates that the package brings, and the files made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from healconsole.core.kit import Kit, filled, kit_files
from healconsole.stores.writing import write_all


def rendered(kit: Kit) -> Iterator[tuple[str, str, int]]:
    """Path, text and permission bits of each file of ``kit``."""
    home = files("healconsole.templates")
    for file in kit_files(kit):
        text = home.joinpath(f"{file.template}.in").read_text(encoding="utf-8")
        yield file.path, filled(text, kit), file.mode


def write_kit(kit: Kit, folder: Path) -> list[str]:
    """Write every file of ``kit`` below ``folder``; their paths, in order.

    Nothing is overwritten: if one cannot be made, those made before it are taken away again.

    Raises:
        FileExistsError: a file of that name is there.
        OSError: a file or directory cannot be made.
    """
    made: list[Path] = []
    try:
        for relpath, text, mode in rendered(kit):
            path = folder / relpath
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(path, flags, 0o600)
            made.append(path)
            try:
                write_all(fd, text.encode())
                os.fchmod(fd, mode)
            finally:
                os.close(fd)
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.unlink()
        raise
    return [str(path.relative_to(folder)) for path in made]
