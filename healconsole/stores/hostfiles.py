"""Text files of the host, as the doctor reads them: bounded, only regular files, never run."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from healconsole.core.findings.facts import Process, TextFile
from healconsole.core.findings.unitfile import Unit, parse_unit
from healconsole.core.frozen import Frozen
from healconsole.stores.files import Missing, Unreadable, kind

LIMIT: Final = 1 << 20
"""Most bytes of a file that is read."""
_FILES_MAX: Final = 5_000
_DEPTH_MAX: Final = 4
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PROC: Final = Path("/proc")


class Places(Frozen):
    """Directories (or files) of the host, by what is in them. The first weighs most."""

    units: tuple[Path, ...] = (
        Path("/etc/systemd/system"),
        Path("/run/systemd/system"),
        Path("/usr/local/lib/systemd/system"),
        Path("/usr/lib/systemd/system"),
        Path("/lib/systemd/system"),
    )
    tmpfiles: tuple[Path, ...] = (
        Path("/etc/tmpfiles.d"),
        Path("/run/tmpfiles.d"),
        Path("/usr/local/lib/tmpfiles.d"),
        Path("/usr/lib/tmpfiles.d"),
    )
    logrotate: tuple[Path, ...] = (Path("/etc/logrotate.d"), Path("/etc/logrotate.conf"))
    rules: tuple[Path, ...] = (Path("/etc/prometheus"),)
    cron: tuple[Path, ...] = (
        Path("/etc/crontab"),
        Path("/etc/cron.d"),
        Path("/etc/cron.hourly"),
        Path("/etc/cron.daily"),
        Path("/var/spool/cron/crontabs"),
    )


def read_text(path: str | os.PathLike[str]) -> str:
    """Content of a file that a setting of the host names; links are followed.

    Raises:
        Missing, Unreadable: it is not there, no regular file, or larger than 1 MB.
    """
    try:
        fd = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise Missing from None
    except OSError as error:
        raise Unreadable(f"cannot be read ({(error.strerror or '').lower()})") from error
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise Unreadable(f"{kind(info.st_mode)}, not a regular file")
        data = os.read(fd, LIMIT + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read ({(error.strerror or '').lower()})") from error
    finally:
        os.close(fd)
    if len(data) > LIMIT:
        raise Unreadable(f"larger than {LIMIT} bytes")
    return data.decode("utf-8", "surrogateescape")


def text_files(
    places: Iterable[Path], suffixes: Sequence[str] = (), *, deep: bool = False
) -> tuple[TextFile, ...]:
    """The text files in ``places``; of two of the same name the first wins, unless ``deep``.

    What is not there, or cannot be read, is left out: the caller judges what there is.
    """
    found: dict[str, TextFile] = {}
    for place in places:
        for path in _walk(place, _DEPTH_MAX if deep else 1):
            name = str(path) if deep else path.name
            if name in found or (suffixes and path.suffix not in suffixes):
                continue
            try:
                found[name] = TextFile(str(path), read_text(path))
            except (Missing, Unreadable):
                continue
    return tuple(found.values())


def _walk(place: Path, depth: int) -> Iterator[Path]:
    """Files below ``place`` in their order; backups of editors and packages are none."""
    if place.is_file():
        yield place
        return
    try:
        with os.scandir(place) as entries:
            listed = sorted((entry.name, entry.is_dir()) for entry in entries)[:_FILES_MAX]
    except OSError:
        return
    for name, folder in listed:
        if folder and depth > 1:
            yield from _walk(place / name, depth - 1)
        elif not folder and not name.startswith(".") and not name.endswith("~"):
            yield place / name


def read_units(places: Iterable[Path]) -> tuple[Unit, ...]:
    """The services in ``places`` with their drop-ins, by name; masked ones are left out."""
    folders = list(places)
    bodies = text_files(folders, (".service",))
    drops: dict[str, dict[str, str]] = {}
    for folder in folders:
        for below in sorted(folder.glob("*.service.d")):
            mine = drops.setdefault(below.name.removesuffix(".d"), {})
            for drop in text_files([below], (".conf",)):
                mine.setdefault(Path(drop.path).name, drop.text)
    return tuple(
        parse_unit(
            name := Path(body.path).name,
            body.path,
            [body.text, *(text for _, text in sorted(drops.get(name, {}).items()))],
        )
        for body in bodies
    )


def processes() -> tuple[Process, ...]:
    """The processes of this host that have a command line."""
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            argv = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            status = (entry / "stat").read_bytes()
        except OSError:
            continue  # it ended meanwhile, or is another user's
        if argv != [b""]:
            parent = int(status[status.rindex(b")") + 2 :].split()[1])
            words = tuple(word.decode("utf-8", "surrogateescape") for word in argv)
            found.append(Process(int(entry.name), parent, words))
    return tuple(found)
