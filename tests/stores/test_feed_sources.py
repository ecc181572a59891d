"""Sources that come, go, hang or cannot be watched, and what the feed says of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core.auditline import AuditEvent
from healconsole.core.halt import HaltRecord
from healconsole.core.snapshot import Snapshot
from healconsole.core.words import SourceState
from healconsole.stores.feed import Feed
from healconsole.stores.look import read_once
from healconsole.stores.redislink import RedisLink, plain_client
from healconsole.stores.redisserver import RedisServer
from tests.stores.feedsites import (
    Site,
    event,
    failures,
    is_live,
    make_healer,
    make_site,
    told_only,
    write_breaker,
)


@pytest.fixture
def site(tmp_path: Path, state_root: Path) -> Site:
    return make_site(tmp_path, state_root)


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
