"""The feed on a real site: what is seen, how soon, and what it costs."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from healconsole.core.records import Corrupt
from healconsole.core.snapshot import HealerState, Heartbeat
from healconsole.core.words import SourceState
from healconsole.stores.feed import Feed
from healconsole.stores.healerdir import read_healer
from healconsole.stores.look import read_once
from healconsole.stores.picture import Picture
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
