"""The feed on a real site: what is seen, how soon, and what is said when it cannot be seen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from healconsole.core.auditline import AuditEvent
from healconsole.core.auditparse import format_event
from healconsole.core.halt import HaltRecord
from healconsole.core.records import BreakerRecord, Corrupt
from healconsole.core.snapshot import HealerState, Heartbeat, Snapshot
from healconsole.core.words import SourceState
from healconsole.stores.config import Config
from healconsole.stores.feed import Feed
from healconsole.stores.healerdir import read_healer
from healconsole.stores.look import read_once
from healconsole.stores.picture import Picture
from healconsole.stores.redislink import RedisLink, plain_client
from healconsole.stores.redisserver import RedisServer

BREAKER = "{failures} 1764000000 3 600 closed 0\n"


def event(healer: str, number: int, outcome: str = "success") -> bytes:
    return format_event(
        ts_text="2026-11-23T14:30:09.123+00:00",
        host="web-07",
        healer=healer,
        outcome=outcome,
        intent=f"restart n={number}",
    )


def make_healer(root: Path, name: str, failures: int = 0) -> Path:
    home = root / name
    for folder in ("keys", "rate", "cb", "claims", ".scratch"):
        (home / folder).mkdir(parents=True)
    write_breaker(home, failures)
    return home


def write_breaker(home: Path, failures: int) -> None:
    draft = home / ".scratch" / "draft"
    draft.write_text(BREAKER.format(failures=failures), encoding="ascii")
    draft.rename(home / "cb" / "restart")


def failures(snapshot: Snapshot, name: str) -> int | None:
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
    config: Config
    watcher: Watcher = field(default_factory=Watcher)

    @property
    def root(self) -> Path:
        return self.config.state_root

    def log(self, *lines: bytes) -> None:
        with self.config.audit.open("ab") as file:
            file.writelines(lines)

    @contextmanager
    def feed(self, *, live: bool = True) -> Iterator[Feed]:
        feed = Feed(self.config, time.time, self.watcher)
        feed.start()
        try:
            if live:
                self.watcher.until(is_live)
            yield feed
        finally:
            feed.stop()


def is_live(snapshot: Snapshot) -> bool:
    return snapshot.state_health.state is SourceState.LIVE and snapshot.audit_health.state in {
        SourceState.LIVE,
        SourceState.MISSING,
    }


@pytest.fixture
def site(tmp_path: Path, state_root: Path) -> Site:
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


def test_everything_comes_together(site: Site) -> None:
    make_healer(site.root, "disk", failures=1)
    make_healer(site.root, "worker", failures=2)
    site.log(
        event("worker", 1),
        event("worker", 2, "operator-reset"),
        event("worker", 1),
        event("disk", 9),
        b"x\n",
    )
    (site.config.catalog / "disk.toml").write_text('command = ["/bin/true"]\n', encoding="utf-8")
    assert site.config.textfile_dir is not None
    (site.config.textfile_dir / "heal_worker.prom").write_text(
        'heal_last_cycle_timestamp_seconds{healer="worker"} 1764000000.5\n', encoding="utf-8"
    )
    with site.feed():
        snapshot = site.watcher.until(is_live)
    disk, worker = snapshot.healers
    assert (disk.name, worker.name) == ("disk", "worker")
    assert failures(snapshot, "worker") == 2
    assert worker.heartbeat == Heartbeat(1_764_000_000.5, "textfile")
    assert disk.catalog is not None
    assert disk.catalog.command == ("/bin/true",)
    assert worker.last is not None
    assert (worker.last.outcome, worker.intents) == ("success", ("restart n=1", "restart n=2"))
    assert (snapshot.audit.unparsable, len(snapshot.audit.lines)) == (1, 5)
    assert snapshot.redis_health.state is SourceState.OFF
    assert snapshot.host == "web-07"
    assert snapshot == read_once(site.config, time.time)


def test_an_append_is_seen_within_60_ms(site: Site) -> None:
    site.log(event("worker", 0))
    waits = []
    with site.feed():
        for number in range(1, 30):
            line = event("worker", number)
            size = site.config.audit.stat().st_size + len(line)
            began = time.monotonic()
            site.log(line)
            site.watcher.until(lambda one, size=size: one.audit.size == size)  # type: ignore[misc]
            waits.append(time.monotonic() - began)
    assert sorted(waits)[len(waits) // 2] < 0.060


def test_a_changed_healer_is_seen_at_once_and_costs_one_reading(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        make_healer(site.root, f"healer-{number:03}")
    with site.feed():
        told_only(monkeypatch)
        site.watcher.until(lambda one: len(one.healers) == 300)
        read: list[str] = []

        def counted(root: Path, name: str, *, with_markers: bool) -> HealerState:
            read.append(name)
            return read_healer(root, name, with_markers=with_markers)

        monkeypatch.setattr("healconsole.stores.picture.read_healer", counted)
        write_breaker(site.root / "healer-123", 2)
        site.watcher.until(lambda one: failures(one, "healer-123") == 2)
        assert set(read) == {"healer-123"}
        assert len(read) <= 3


def test_of_many_healers_only_what_changed_is_put_together_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        make_healer(site.root, f"healer-{number:02}")
    picture = Picture(site.config)
    for name in picture.list_healers():
        picture.read_healer(name)
    before = picture.snapshot(1.0)
    assert [healer.name for healer in before.healers] == [f"healer-{n:02}" for n in range(50)]
    made: list[str] = []
    whole = picture._healer

    def counted(name: str) -> HealerState:
        made.append(name)
        return whole(name)

    monkeypatch.setattr(picture, "_healer", counted)
    write_breaker(site.root / "healer-07", 2)
    picture.read_healer("healer-07")
    after = picture.snapshot(2.0)
    assert made == ["healer-07"]
    assert [new is old for new, old in zip(after.healers, before.healers, strict=True)] == [
        number != 7 for number in range(50)
    ]
    shutil.rmtree(site.root / "healer-07")
    make_healer(site.root, "a-new-one")
    for name in picture.list_healers():
        picture.read_healer(name)
    names = [healer.name for healer in picture.snapshot(3.0).healers]
    assert names == sorted({"a-new-one"} | {f"healer-{n:02}" for n in range(50) if n != 7})
    picture.close()


def test_the_net_goes_round_in_no_less_than_five_looks(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"healer-{number:02}" for number in range(50)}
    for name in names:
        make_healer(site.root, name)
    feed = Feed(site.config, time.time, site.watcher)
    feed.first(30)
    feed._state_push = feed._audit_push = ""
    read: list[str] = []
    monkeypatch.setattr(feed._picture, "read_healer", read.append)
    rounds = 0
    while not names <= set(read) and rounds < 200:  # a busy machine needs more of them
        before = len(read)
        feed._read_in_turn()
        rounds += 1
        assert 0 < len(read) - before <= -(-len(names) // 5) + 1
    assert names <= set(read)
    assert rounds >= 5


def test_healers_that_come_and_go(site: Site) -> None:
    with site.feed():
        make_healer(site.root, "new", failures=1)
        site.watcher.until(lambda one: failures(one, "new") == 1)
        write_breaker(site.root / "new", 2)
        site.watcher.until(lambda one: failures(one, "new") == 2)
        shutil.rmtree(site.root / "new")
        site.watcher.until(lambda one: not one.healers)


def test_a_legacy_file_written_in_place_is_seen(site: Site) -> None:
    home = make_healer(site.root, "legacy")
    with site.feed():
        (home / "cb-restart pid=1").write_text("3 1764000000\n", encoding="ascii")
        site.watcher.until(lambda one: len(one.healers[0].breakers) == 2)
        (home / "cb" / "restart").write_text("", encoding="ascii")
        site.watcher.until(
            lambda one: any(isinstance(each.record, Corrupt) for each in one.healers[0].breakers)
        )


def test_markers_are_read_only_of_who_is_looked_at(site: Site) -> None:
    for name in ("one", "two"):
        (make_healer(site.root, name) / "keys" / ("a" * 64)).touch()
    with site.feed() as feed:
        snapshot = site.watcher.until(lambda one: len(one.healers) == 2)
        assert [healer.markers for healer in snapshot.healers] == [None, None]
        assert [healer.markers_total for healer in snapshot.healers] == [1, 1]
        feed.look_at("two")
        site.watcher.until(lambda one: bool(one.healers[1].markers) and not one.healers[0].markers)
        (site.root / "two" / "keys" / ("b" * 64)).touch()
        site.watcher.until(lambda one: len(one.healers[1].markers or ()) == 2)
        feed.look_at("one")
        site.watcher.until(lambda one: bool(one.healers[0].markers) and not one.healers[1].markers)


def test_a_word_every_second_though_nothing_changed(site: Site) -> None:
    make_healer(site.root, "one")
    with site.feed():
        count = len(site.watcher.seen)
        site.watcher.until(lambda _: len(site.watcher.seen) >= count + 2, timeout=4)
        first, last = site.watcher.seen[-2:]
        assert first == last
        assert first.taken_at < last.taken_at


def test_rotation_keeps_what_was_on_the_screen(site: Site) -> None:
    site.log(event("a", 1), event("a", 2))
    with site.feed():
        site.config.audit.rename(site.config.audit.with_suffix(".jsonl.1"))
        site.log(event("a", 3))
        snapshot = site.watcher.until(lambda one: one.audit.generation == 1)
        snapshot = site.watcher.until(lambda one: len(one.audit.lines) == 1)
    assert [one.intent for one in snapshot.audit.earlier if isinstance(one, AuditEvent)] == [
        "restart n=1",
        "restart n=2",
    ]
    assert [one.offset for one in snapshot.audit.lines] == [0]


def test_sources_that_are_missing_at_first(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(
        site.config,
        state_root=tmp_path / "later" / "heal",
        audit=tmp_path / "later" / "log" / "audit.jsonl",
    )
    site = Site(config)
    with site.feed(live=False):
        snapshot = site.watcher.until(lambda one: one.state_health.state is SourceState.MISSING)
        assert snapshot.audit_health.state is SourceState.MISSING
        assert "--state-root" in snapshot.state_health.detail
        config.audit.parent.mkdir(parents=True)
        make_healer(config.state_root, "worker")
        site.log(event("worker", 1))
        site.watcher.until(lambda one: is_live(one) and bool(one.audit.lines) and one.healers != ())
        told_only(monkeypatch)
        write_breaker(config.state_root / "worker", 3)
        site.watcher.until(lambda one: failures(one, "worker") == 3)


def test_a_root_that_was_replaced_is_watched_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_healer(site.root, "old")
    with site.feed():
        site.root.rename(site.root.with_name("moved"))
        make_healer(site.root, "new")
        site.watcher.until(lambda one: [each.name for each in one.healers] == ["new"])
        told_only(monkeypatch)
        for number in range(1, 100):  # the first may be written before it is watched
            write_breaker(site.root / "new", number)
            with suppress(AssertionError):
                site.watcher.until(lambda one: bool(failures(one, "new")), timeout=0.2)
                break
        assert failures(site.watcher.seen[-1], "new")


def test_an_unreadable_log_is_unknown(site: Site) -> None:
    site.config.audit.mkdir()
    with site.feed(live=False):
        snapshot = site.watcher.until(lambda one: one.audit_health.state is SourceState.UNKNOWN)
    assert "directory" in snapshot.audit_health.detail


def test_a_link_that_would_lead_the_watch_astray_means_polling(site: Site) -> None:
    home = make_healer(site.root, "worker")
    (home / "keys" / "link").symlink_to("/usr")
    with site.feed(live=False):
        snapshot = site.watcher.until(lambda one: one.state_health.state is SourceState.POLLING)
        assert "remove it" in snapshot.state_health.detail
        write_breaker(home, 2)
        site.watcher.until(lambda one: failures(one, "worker") == 2, timeout=3)


def test_looking_changes_nothing(site: Site) -> None:
    home = make_healer(site.root, "worker")
    (home / "keys" / ("a" * 64)).touch()
    (home / "hold").write_text("x", encoding="ascii")
    site.log(event("worker", 1))

    def facts() -> dict[str, tuple[int, int, int, bytes]]:
        return {
            str(path): (
                path.stat().st_mtime_ns,
                path.stat().st_ctime_ns,
                path.stat().st_ino,
                path.read_bytes() if path.is_file() else b"",
            )
            for path in [*site.root.rglob("*"), site.config.audit, site.config.audit.parent]
        }

    before = facts()
    with site.feed() as feed:
        feed.look_at("worker")
        site.watcher.until(lambda one: bool(one.healers[0].markers))
        feed.poke()
        count = len(site.watcher.seen)
        site.watcher.until(lambda _: len(site.watcher.seen) > count + 1)
    read_once(site.config, time.time, markers_for="worker")
    assert facts() == before


def test_a_clock_that_steps_is_said(site: Site) -> None:
    lead = 0.0
    feed = Feed(site.config, lambda: time.time() + lead, site.watcher)
    feed.start()
    try:
        site.watcher.until(is_live)
        lead = -3600.0
        snapshot = site.watcher.until(lambda one: bool(one.anomalies))
        assert "stepped back by 3600 s" in snapshot.anomalies[0]
    finally:
        feed.stop()


def test_stopping_leaves_no_thread_and_says_no_more(site: Site) -> None:
    before = set(threading.enumerate())
    with site.feed():
        pass
    count = len(site.watcher.seen)
    make_healer(site.root, "late")
    assert set(threading.enumerate()) <= before
    assert len(site.watcher.seen) == count


def test_quiet_healers_are_looked_for_before_the_tail(site: Site) -> None:
    make_healer(site.root, "chatty")
    make_healer(site.root, "quiet")
    site.log(event("quiet", 1), *(event("chatty", number) for number in range(5000)))
    with site.feed():
        snapshot = site.watcher.until(lambda one: one.healers[1].last is not None)
    assert snapshot.healers[1].intents == ("restart n=1",)
    chatty = snapshot.healers[0]
    assert chatty.last is not None
    assert chatty.last.intent == "restart n=4999"
    assert len(chatty.intents) == 50
    assert chatty.intents[0] == "restart n=4999"


def test_redis_comes_goes_and_hangs_and_files_never_wait(
    site: Site, redis_server: RedisServer
) -> None:
    make_healer(site.root, "worker")
    link = RedisLink(redis_server.url)
    link.acquire("broker", "web-08/h/1/u", 120_000)
    with plain_client(redis_server.url) as client:
        client.set("heal:halt", "1764000000 0 ana deploy")
    site.config = replace(site.config, redis=redis_server.url)

    def redis_is(state: SourceState) -> Callable[[Snapshot], bool]:
        return lambda one: one.redis_health.state is state

    with site.feed():
        snapshot = site.watcher.until(redis_is(SourceState.LIVE))
        (lock,) = snapshot.locks
        assert lock.owner == "web-08/h/1/u"
        assert lock.expires_at == pytest.approx(time.time() + 120, abs=3)
        assert snapshot.halt == HaltRecord(1_764_000_000, 0, "ana", "deploy")
        assert snapshot.redis_health.latency_ms is not None

        os.kill(redis_server.pid, signal.SIGSTOP)
        began = time.monotonic()
        write_breaker(site.root / "worker", 2)
        site.watcher.until(lambda one: failures(one, "worker") == 2)
        assert time.monotonic() - began < 1.8, "it waited for Redis"
        snapshot = site.watcher.until(redis_is(SourceState.UNKNOWN))
        assert time.monotonic() - began < 3.8
        assert "did not answer" in snapshot.redis_health.detail
        assert redis_server.password not in repr(snapshot)
        os.kill(redis_server.pid, signal.SIGCONT)
        snapshot = site.watcher.until(redis_is(SourceState.LIVE))
        # The end of the lock is the same to the last bit: nothing to redraw.
        assert snapshot.locks == (lock,)

        redis_server.stop()
        began = time.monotonic()
        snapshot = site.watcher.until(redis_is(SourceState.UNKNOWN))
        assert time.monotonic() - began < 3.8
        assert "cannot be reached" in snapshot.redis_health.detail
        assert snapshot.locks == (lock,)
        redis_server.start()
        assert site.watcher.until(redis_is(SourceState.LIVE)).locks == ()
    link.close()


def test_once_with_a_redis_that_hangs_takes_two_seconds_at_most(
    site: Site, redis_server: RedisServer
) -> None:
    make_healer(site.root, "worker")
    config = replace(site.config, redis=redis_server.url)
    assert read_once(config, time.time).redis_health.state is SourceState.LIVE
    os.kill(redis_server.pid, signal.SIGSTOP)
    began = time.monotonic()
    snapshot = read_once(config, time.time, markers_for="worker")
    assert time.monotonic() - began < 3.8, "it waited more than once"
    assert snapshot.redis_health.state is SourceState.UNKNOWN
    assert snapshot.healers[0].markers == ()


def test_once_has_as_many_lines_as_were_asked_for(site: Site) -> None:
    site.log(*(event("worker", number) for number in range(900)))
    lines = read_once(site.config, time.time, tail_lines=500).audit.lines
    intents = [one.intent for one in lines if isinstance(one, AuditEvent)]
    assert intents == [f"restart n={number}" for number in range(400, 900)]


def test_once_imports_neither_redis_nor_watchfiles_nor_textual() -> None:
    code = """
        import sys, time
        from pathlib import Path
        from healconsole.stores.config import Config
        from healconsole.stores.look import read_once
        read_once(Config(state_root=Path("/nowhere"), audit=Path("/nowhere/log")), time.time)
        print(*(name for name in ("redis", "watchfiles", "textual") if name in sys.modules))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_a_watch_limit_means_polling_and_says_so(tmp_path: Path) -> None:
    """In a user namespace of its own, whose limit is lowered for real."""
    code = """
        import sys, threading, time
        from pathlib import Path
        from healconsole.core.words import SourceState
        from healconsole.stores.config import Config
        from healconsole.stores.feed import Feed

        Path("/proc/sys/user/max_inotify_watches").write_text("12")
        base = Path(sys.argv[1])
        for number in range(20):
            (base / "state" / f"healer-{number:02}" / "cb").mkdir(parents=True)
        (base / "log").mkdir()
        news, polling = threading.Condition(), []

        def on_snapshot(snapshot):
            with news:
                polling.append(snapshot)
                news.notify_all()

        def until(holds):
            with news:
                assert news.wait_for(lambda: polling and holds(polling[-1]), 10), polling[-1:]
                return polling[-1]

        config = Config(state_root=base / "state", audit=base / "log" / "audit.jsonl")
        feed = Feed(config, time.time, on_snapshot)
        feed.start()
        found = until(lambda one: one.state_health.state is SourceState.POLLING)
        assert "max_user_watches" in found.state_health.detail, found.state_health
        (base / "state" / "healer-17" / "cb" / "x").write_text("2 1764000000\\n")
        began = time.monotonic()
        until(lambda one: one.healers[17].breakers)
        assert time.monotonic() - began < 1.5
        config.audit.write_text("x\\n")
        until(lambda one: one.audit.lines)
        feed.stop()
        print("fine")
    """
    unshare = shutil.which("unshare")
    able = unshare and subprocess.run(
        [unshare, "--user", "--map-root-user", "true"], capture_output=True, check=False
    )
    if not able or able.returncode:
        pytest.skip("no user namespace is to be had here, so no watch limit of our own")
    done = subprocess.run(
        [
            str(unshare),
            "--user",
            "--map-root-user",
            sys.executable,
            "-c",
            textwrap.dedent(code),
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")
