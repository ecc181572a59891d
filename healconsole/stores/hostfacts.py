"""Everything that the doctor looks at, read from the host. Nothing is run or changed."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from healconsole.core.auditdoubt import is_operators
from healconsole.core.auditline import AuditEvent
from healconsole.core.findings.facts import DiskFacts, HealerFacts, HostFacts, PathFacts, TextFile
from healconsole.core.findings.unitfile import Unit
from healconsole.core.findings.units import units_of
from healconsole.core.records import CycleRecord
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.core.unfinished import Unfinished, unfinished_words
from healconsole.core.words import SourceState
from healconsole.stores.config import Config
from healconsole.stores.files import Missing, Unreadable, open_below_dir, open_dir
from healconsole.stores.history import History
from healconsole.stores.hostfiles import Places, processes, read_text, read_units, text_files
from healconsole.stores.layout import LAYOUT
from healconsole.stores.programs import read_programs
from healconsole.stores.redisclient import RedisUnknown
from healconsole.stores.redisclock import redis_skew

_MARKERS_MAX: Final = 100_000
_FILES_MAX: Final = 1_000
_LOG_BYTES: Final = 4 * 1_048_576
"""Bytes of the audit log that are searched for acts without a result."""
_PASSWORD: Final = re.compile(r"^\s*redis\s*=.*://[^/\s]*:[^@\s]+@", re.MULTILINE)
_STATE: Final = ("hold", "dry-run", ".guard", "cycle.json")


def gather(
    config: Config,
    snapshot: Snapshot,
    places: Places,
    clock: Callable[[], float],
    *,
    config_files: Iterable[Path] = (),
    least_free: int = 10,
) -> HostFacts:
    """Look at the host.

    Args:
        config: where the healers' things are.
        snapshot: the healers to look at, and the end of the audit log.
        places: where the host's files are.
        clock: epoch seconds.
        config_files: files of our configuration, which may hold a password.
        least_free: percent of a file system that should be free.
    """
    units = read_units(places.units)
    unexamined: list[tuple[str, str]] = []
    health = snapshot.state_health
    skew, problem = _redis(config, clock)
    return HostFacts(
        now=clock(),
        state_root=str(config.state_root),
        root_there=health.state is not SourceState.MISSING,
        root_problem=health.detail if health.state is SourceState.UNKNOWN else "",
        audit=str(config.audit),
        healers=tuple(
            _healer(config, state, snapshot, units, unexamined) for state in snapshot.healers
        ),
        units=units,
        tmpfiles=text_files(places.tmpfiles, (".conf",)),
        logrotate=text_files(places.logrotate),
        rules=text_files(places.rules, (".yml", ".yaml", ".rules"), deep=True),
        cron=text_files(places.cron),
        processes=processes(),
        disks=tuple(_disks((config.state_root, config.audit.parent))),
        paths=tuple(_shared(config, config_files)),
        searched={
            what: tuple(map(str, getattr(places, what)))
            for what in ("units", "tmpfiles", "logrotate", "rules", "cron")
        },
        redis_skew=skew,
        redis_problem=problem,
        unfinished=tuple(_unfinished(config.audit, clock())),
        least_free=least_free,
        unexamined=tuple(dict.fromkeys(unexamined)),
    )


def _unfinished(audit: Path, now: float) -> Iterator[str]:
    """The acts without a result in the end of the log."""
    history = History(audit)
    acts: Unfinished[None] = Unfinished()
    for line in history.scan(is_operators, history.size(), budget=_LOG_BYTES).lines:
        if isinstance(line, AuditEvent):
            acts.take(line, None)
    for _, event in acts.found(now):
        yield unfinished_words(event)


def _redis(config: Config, clock: Callable[[], float]) -> tuple[float | None, str]:
    if config.redis is None:
        return None, ""
    try:
        return redis_skew(config.redis, clock), ""
    except RedisUnknown as unknown:
        return None, unknown.why


def _healer(
    config: Config,
    state: HealerState,
    snapshot: Snapshot,
    units: tuple[Unit, ...],
    unexamined: list[tuple[str, str]],
) -> HealerFacts:
    catalog = state.catalog
    named = HostFacts(0.0, "", root_there=True, root_problem="", audit="", units=units)
    of_healer = units_of(HealerFacts(state, there=True), named)
    commands = [command for unit in of_healer for command in unit.commands]
    if catalog is not None and catalog.command:
        commands.insert(0, catalog.command)
    programs, left = read_programs(commands)
    unexamined += left
    if not commands:
        unexamined.append((state.name, "neither its catalog entry nor a unit names its program"))
    durations = [
        event.duration_ms or 0
        for event in snapshot.audit.lines
        if isinstance(event, AuditEvent) and event.healer == state.name
    ]
    if isinstance(state.cycle, CycleRecord):
        durations.append(state.cycle.duration_ms)
    user = catalog.user if catalog is not None else ""
    uid = _uid(user or next((unit.last("Service.User") for unit in of_healer), ""))
    there, missing, oldest = _directory(config.state_root, state.name)
    return HealerFacts(
        state=state,
        there=there,
        missing=missing,
        programs=programs,
        commands=tuple(commands),
        paths=tuple(_paths(state, programs, uid)),
        oldest_marker=oldest,
        slowest_ms=max(durations, default=0),
    )


def _uid(user: str) -> int | None:
    try:
        return int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        return None


def _directory(root: Path, name: str) -> tuple[bool, tuple[str, ...], float | None]:
    """Whether a healer has a directory, what it lacks, and the time of its oldest marker."""
    try:
        root_fd = open_dir(root)
    except (Missing, Unreadable):
        return False, (), None
    try:
        fd = open_below_dir(root_fd, name)
    except Missing:
        return False, (), None
    except Unreadable:
        return True, (), None
    finally:
        os.close(root_fd)
    try:
        return True, tuple(folder for folder in LAYOUT if not _has(fd, folder)), _oldest(fd)
    finally:
        os.close(fd)


def _has(fd: int, folder: str) -> bool:
    try:
        os.close(open_below_dir(fd, folder))
    except Missing:
        return False
    except Unreadable:
        return True  # something is there; the healer's own state says what
    return True


def _oldest(fd: int) -> float | None:
    try:
        keys = open_below_dir(fd, "keys")
    except (Missing, Unreadable):
        return None
    oldest: float | None = None
    try:
        with os.scandir(keys) as entries:
            for _, entry in zip(range(_MARKERS_MAX), entries, strict=False):
                try:
                    changed = entry.stat(follow_symlinks=False).st_mtime
                except FileNotFoundError:
                    continue
                oldest = changed if oldest is None else min(oldest, changed)
    except OSError:
        return oldest
    finally:
        os.close(keys)
    return oldest


def _paths(
    state: HealerState, programs: Iterable[TextFile], uid: int | None
) -> Iterator[PathFacts]:
    """Owners and modes of a healer's state and programs."""
    top = Path(state.path)
    owned = frozenset() if uid is None else frozenset({uid})
    files = [top, *(top / name for name in (*LAYOUT, *_STATE))]
    for folder in ("rate", "cb"):
        try:
            files += sorted((top / folder).iterdir())[:_FILES_MAX]
        except OSError:
            continue
    yield from _facts(files, owned)
    yield from _facts((Path(p.path) for p in programs), owned and owned | {0})


def _shared(config: Config, config_files: Iterable[Path]) -> Iterator[PathFacts]:
    yield from _facts((config.state_root, config.audit.parent, config.audit, config.catalog))
    for path in config_files:
        try:
            secret = _PASSWORD.search(read_text(path)) is not None
        except (Missing, Unreadable):
            continue
        yield from _facts((path,), secret=secret)


def _facts(
    paths: Iterable[Path], owners: frozenset[int] = frozenset(), *, secret: bool = False
) -> Iterator[PathFacts]:
    for path in paths:
        try:
            info = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - of the link itself
        except OSError:
            continue
        if not stat.S_ISLNK(info.st_mode):
            yield PathFacts(
                str(path), info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode),
                stat.S_ISDIR(info.st_mode), secret, owners,
            )  # fmt: skip


def _disks(paths: Iterable[Path]) -> Iterator[DiskFacts]:
    seen = set()
    for path in paths:
        try:
            device = path.stat().st_dev
            found = os.statvfs(path)
        except OSError:
            continue
        if device not in seen:
            seen.add(device)
            yield DiskFacts(
                str(path), found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize,
                found.f_favail, found.f_files,
            )  # fmt: skip
