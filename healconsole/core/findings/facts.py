"""What the doctor looks at, as it was read; no part of it was run."""

from __future__ import annotations

from collections.abc import Mapping

from healconsole.core.findings.unitfile import Unit
from healconsole.core.frozen import Frozen, field
from healconsole.core.snapshot import HealerState


class TextFile(Frozen):
    """A text file of the host."""

    path: str
    text: str
    language: str = ""
    """Of a program: ``bash``, ``python``, ``toml``."""


class PathFacts(Frozen):
    """Owner and mode of a file or directory."""

    path: str
    uid: int
    gid: int
    mode: int
    """Permission bits."""
    directory: bool
    secret: bool = False
    """Whether it holds a password."""
    owners: frozenset[int] = frozenset()
    """Users that it may belong to; empty: any."""


class DiskFacts(Frozen):
    """Room on the file system of ``path``: bytes and inodes."""

    path: str
    free: int
    size: int
    inodes_free: int
    inodes: int


class Process(Frozen):
    """A process of the host."""

    pid: int
    parent: int
    argv: tuple[str, ...]


class HealerFacts(Frozen):
    """One healer: its state and its programs."""

    state: HealerState
    there: bool
    """Whether it has a state directory."""
    missing: tuple[str, ...] = ()
    """Directories of our layout that its own lacks."""
    programs: tuple[TextFile, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    """Command lines that start it: of the catalog, of units."""
    paths: tuple[PathFacts, ...] = ()
    oldest_marker: float | None = None
    """Epoch seconds of the oldest file in ``keys``."""
    slowest_ms: int = 0
    """Longest cycle or act that its record and the end of the audit log tell of."""


class HostFacts(Frozen):
    """Everything that the doctor judges."""

    now: float
    state_root: str
    root_there: bool
    root_problem: str
    """Why the state root cannot be read; empty if it can, or is not there."""
    audit: str
    healers: tuple[HealerFacts, ...] = ()
    units: tuple[Unit, ...] = ()
    tmpfiles: tuple[TextFile, ...] = ()
    logrotate: tuple[TextFile, ...] = ()
    rules: tuple[TextFile, ...] = ()
    cron: tuple[TextFile, ...] = ()
    processes: tuple[Process, ...] = ()
    disks: tuple[DiskFacts, ...] = ()
    paths: tuple[PathFacts, ...] = ()
    """Those that all healers share: the log, the configuration."""
    searched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Directories that were searched, by what for: units, tmpfiles, logrotate, rules, cron."""
    redis_skew: float | None = None
    """Seconds that the clock of Redis is ahead of this host's; None if nobody was asked."""
    redis_problem: str = ""
    unfinished: tuple[str, ...] = ()
    """Acts of operators without a result, as ``core.unfinished`` says them."""
    least_free: int = 10
    """Percent of a file system that should be free."""
    unexamined: tuple[tuple[str, str], ...] = ()
    """What could not be looked at, and why."""
