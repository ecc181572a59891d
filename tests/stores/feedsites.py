"""A site of the tests of the feed, and who waits for what the feed says of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from healconsole.core.auditparse import format_event
from healconsole.core.records import BreakerRecord
from healconsole.core.snapshot import Snapshot
from healconsole.core.words import SourceState
from healconsole.stores.config import Config
from healconsole.stores.feed import Feed

BREAKER = "{failures} 1764000000 3 600 closed 0\n"


def event(healer: str, number: int, outcome: str = "success") -> bytes:
    """A line of the log."""
    return format_event(
        ts_text="2026-11-23T14:30:09.123+00:00",
        host="web-07",
        healer=healer,
        outcome=outcome,
        intent=f"restart n={number}",
    )


def make_healer(root: Path, name: str, failures: int = 0) -> Path:
    """A healer of ours with one breaker."""
    home = root / name
    for folder in ("keys", "rate", "cb", "claims", ".scratch"):
        (home / folder).mkdir(parents=True)
    write_breaker(home, failures)
    return home


def write_breaker(home: Path, failures: int) -> None:
    """Replace the breaker whole, as the library does."""
    draft = home / ".scratch" / "draft"
    draft.write_text(BREAKER.format(failures=failures), encoding="ascii")
    draft.rename(home / "cb" / "restart")


def failures(snapshot: Snapshot, name: str) -> int | None:
    """The failures that the snapshot knows of the healer's breaker."""
    for healer in snapshot.healers:
        if healer.name == name and healer.breakers:
            record = healer.breakers[0].record
            return record.failures if isinstance(record, BreakerRecord) else None
    return None


def told_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on what nobody tells is not seen: the net, which reads in turn, is away."""
    monkeypatch.setattr(Feed, "_read_in_turn", lambda _: None)


@dataclass
class Watcher:
    """Collects what a feed says, and waits for what is expected of it."""

    seen: list[Snapshot] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, snapshot: Snapshot) -> None:
        with self.news:
            self.seen.append(snapshot)
            self.times.append(time.monotonic())
            self.news.notify_all()

    def until(self, holds: Callable[[Snapshot], bool], timeout: float = 10.0) -> Snapshot:
        """The newest snapshot, as soon as it holds."""
        with self.news:
            assert self.news.wait_for(lambda: self.seen and holds(self.seen[-1]), timeout), (
                self.seen[-1:]
            )
            return self.seen[-1]


@dataclass
class Site:
    """Where a feed reads."""

    config: Config
    watcher: Watcher = field(default_factory=Watcher)

    @property
    def root(self) -> Path:
        """Where the healers are."""
        return self.config.state_root

    def log(self, *lines: bytes) -> None:
        """Append to the log."""
        with self.config.audit.open("ab") as file:
            file.writelines(lines)

    @contextmanager
    def feed(self, *, live: bool = True) -> Iterator[Feed]:
        """A feed that runs, and is stopped after it."""
        feed = Feed(self.config, time.time, self.watcher)
        feed.start()
        try:
            if live:
                self.watcher.until(is_live)
            yield feed
        finally:
            feed.stop()


def is_live(snapshot: Snapshot) -> bool:
    """Whether the state is watched, and the log too or not there."""
    return snapshot.state_health.state is SourceState.LIVE and snapshot.audit_health.state in {
        SourceState.LIVE,
        SourceState.MISSING,
    }


def make_site(tmp_path: Path, state_root: Path) -> Site:
    """A site with its directories and without a healer."""
    log = tmp_path / "log"
    log.mkdir()
    (tmp_path / "catalog").mkdir()
    (tmp_path / "textfile").mkdir()
    return Site(
        Config(
            state_root=state_root,
            audit=log / "audit.jsonl",
            catalog=tmp_path / "catalog",
            textfile_dir=tmp_path / "textfile",
            host="web-07",
        )
    )
