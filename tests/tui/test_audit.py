"""The audit screen on a real log: follow, pause, read back, filter, jump, one event, copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from healconsole.core.ages import iso
from healconsole.core.auditline import AuditTail
from healconsole.core.auditparse import format_event
from healconsole.core.snapshot import Snapshot
from healconsole.stores.auditlog import AuditWriter
from healconsole.stores.history import History
from healconsole.tui.app import ConsoleApp
from healconsole.tui.jump import JumpError, parse_jump
from healconsole.tui.screens.audit import AuditScreen
from healconsole.tui.widgets.auditview import AuditView
from healconsole.tui.widgets.rule import Rule
from tests.tui import scenes
from tests.tui.conftest import Recording
from tests.tui.sceneparts import NOW

LINES = 4000
"""Lines of the log, ten seconds apart; more than a window's first load by far."""


def line(index: int, outcome: str = "success") -> bytes:
    """The line ``index`` from the beginning."""
    at = NOW - 10 * (LINES - index)
    return format_event(
        ts_text=iso(at, millis=True),
        host="web-07",
        healer="worker-queue-healer",
        intent=f"restart_worker pid={index}",
        outcome="verify-failed" if index % 1000 == 7 else outcome,
        fact=f"queue_depth={index}",
        before="a open 3/3 until 1764000060",
    )


class Site:
    """A log on disk, and the console that reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(b"".join(line(index) for index in range(LINES)))
        self.recording = Recording(self.snapshot(), log=History(path))

    def snapshot(self) -> Snapshot:
        """The site now."""
        history = History(self.path)
        size = history.size()
        lines = history.lines_before(size, 300)
        return replace(scenes.healthy(), audit=AuditTail(str(self.path), 0, size, lines))

    def append(self, count: int) -> None:
        """More lines come, and the feed tells."""
        with self.path.open("ab") as log:
            for index in range(count):
                log.write(line(LINES + index, "action-failed"))
        self.recording.feed.give(self.snapshot())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "audit.jsonl")


async def until(pilot: Pilot[int], condition: Callable[[], bool]) -> None:
    """Wait until something is so; the test's own time limit ends a vain wait."""
    while not condition():
        await pilot.pause(0.02)


def view(site: Site) -> AuditView:
    """The list of the audit screen."""
    return site.recording.app.screen.query_one(AuditView)


@pytest.mark.asyncio
async def test_it_follows_and_counts_what_is_new_while_somebody_reads(site: Site) -> None:
    async with site.recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await pilot.pause()
        assert f"pid={LINES - 1} " in site.recording.text()
        site.append(3)
        await pilot.pause()
        assert f"pid={LINES + 2} " in site.recording.text()
        await pilot.press("up", "up")
        reading = view(site).current
        site.append(12)
        await pilot.pause()
        assert "PAUSED, 12 new" in site.recording.text()
        assert view(site).current == reading
        await pilot.press("f")
        await pilot.pause()
        assert "following" in site.recording.text()
        assert view(site).marked_line == view(site).line_count() - 1


@pytest.mark.asyncio
async def test_reading_back_comes_to_the_first_line(site: Site) -> None:
    async with site.recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await pilot.pause()
        screen = site.recording.app.screen
        assert isinstance(screen, AuditScreen)
        while not screen.at_start:
            await pilot.press("home")
            await pilot.pause(0.02)
        await pilot.press("home")
        await pilot.pause()
        assert "pid=0 " in site.recording.text()


@pytest.mark.asyncio
async def test_a_filter_finds_what_is_far_back_in_the_log(site: Site) -> None:
    async with site.recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await pilot.pause()
        await pilot.press("slash", *"outcome:verify*")
        await until(pilot, lambda: view(site).line_count() == LINES // 1000)
        await pilot.press("enter")
        await pilot.pause()
        assert "pid=7 " in site.recording.text()
        await pilot.press("escape")
        await pilot.pause()
        assert view(site).line_count() > 100


@pytest.mark.asyncio
async def test_a_filter_that_cannot_be_read_says_what_would_be_one(site: Site) -> None:
    async with site.recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await pilot.press("slash", *"since:never")
        await pilot.pause()
        assert "is not a time" in site.recording.text()


@pytest.mark.asyncio
async def test_it_jumps_to_a_time(site: Site) -> None:
    async with site.recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await pilot.pause()
        await pilot.press("j", *"-10h", "enter")
        await until(pilot, lambda: "PAUSED" in site.recording.text())
        await until(pilot, lambda: f"pid={LINES - 3600} " in site.recording.text())
        current = view(site).current
        assert current is not None
        assert current.offset == History(site.path).find_time(NOW - 36_000)
        await pilot.press("end")
        await pilot.press("f")
        await pilot.pause()
        assert f"pid={LINES - 1} " in site.recording.text()


@pytest.mark.asyncio
async def test_a_time_that_cannot_be_read_stays_to_be_mended(site: Site) -> None:
    async with site.recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await pilot.pause()
        await pilot.press("j", *"-10x", "enter")
        await until(pilot, lambda: "is not a span" in site.recording.text())
        assert "not a time (14:30, -2h, " in site.recording.text()
        await pilot.press("backspace", "h", "enter")
        await until(pilot, lambda: f"pid={LINES - 3600} " in site.recording.text())
        assert "is not a span" not in site.recording.text()


@pytest.mark.asyncio
async def test_one_event_is_shown_in_full_and_copied_exactly(site: Site) -> None:
    app = site.recording.app
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        text = site.recording.text()
        assert "One event" in text
        assert f"queue_depth={LINES - 1}" in text
        assert "a open 3/3 until 16:01:00" in text
        await pilot.press("c")
        assert app.clipboard == line(LINES - 1).decode().rstrip("\n")


@pytest.mark.asyncio
async def test_the_log_of_one_healer_is_a_key_away_from_the_healer(site: Site) -> None:
    async with site.recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("enter", "a")
        await pilot.pause()
        assert "/healer:" in site.recording.text()


def test_typed_times() -> None:
    half_past_two = NOW - 127  # NOW is 14:32:07
    assert parse_jump("14:30", NOW, 0) == half_past_two
    assert parse_jump("14:30", NOW, 3600) == half_past_two - 3600
    assert parse_jump("14:40", NOW, 0) == half_past_two + 600 - 86_400
    assert parse_jump("-2h", NOW, 0) == NOW - 7200
    assert parse_jump("2026-11-23 14:30", NOW, 0) == half_past_two
    assert parse_jump("2026-11-23T14:30:00+00:00", NOW, 3600) == half_past_two
    for wrong in ("", "25:00", "soon", "-2", "14:3"):
        with pytest.raises(JumpError):
            parse_jump(wrong, NOW, 0)


@pytest.mark.asyncio
async def test_an_act_that_was_cut_off_is_marked_once_no_result_is_to_be_expected(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.jsonl"
    writer = AuditWriter(path, lambda: NOW - 5, "web-07")
    ada = {"user": "ada", "uid": 0}
    for outcome, scope in (("trip", "a"), ("done", "a"), ("reset", "b")):
        writer.append(
            healer="h", outcome=f"operator-{outcome}", scope=scope, operator=ada, reason="x", pid=7
        )
    history = History(path)
    lines = history.lines_before(history.size(), 10)
    snapshot = replace(scenes.healthy(), audit=AuditTail(str(path), 0, history.size(), lines))
    recording = Recording(snapshot, log=history)
    async with recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await recording.until(pilot, "following")
        assert "UNFINISHED" not in recording.text(), "its result may still come"
        recording.now += 60
        recording.feed.give(replace(snapshot, locks=()))
        await recording.until(pilot, "UNFINISHED")
        assert recording.text().count("UNFINISHED") == 1
        await pilot.press("enter")
        await recording.until(pilot, "no result followed")
        await pilot.press("escape", "slash", *"operator-")
        await recording.until(pilot, "/operator-")
        assert "UNFINISHED" not in recording.text(), "the filter may have left its result out"
        await pilot.press("escape", "escape")
        await recording.until(pilot, "UNFINISHED")
        writer.append(healer="h", outcome="operator-done", scope="b", operator=ada, pid=7)
        lines = history.lines_before(history.size(), 10)
        audit = AuditTail(str(path), 0, history.size(), lines)
        recording.feed.give(replace(snapshot, audit=audit))
        await recording.until(pilot, "done")
        await until(pilot, lambda: "UNFINISHED" not in recording.text())


@pytest.mark.asyncio
async def test_an_operators_event_that_a_healer_forged_is_marked(tmp_path: Path) -> None:
    """In the list, and with the reason where it is opened; a real one is not."""
    path = tmp_path / "audit.jsonl"
    writer = AuditWriter(path, lambda: NOW, "web-07")
    ada = {"user": "ada", "uid": 0}
    writer.append(healer="h", outcome="operator-reset", operator=ada, reason="real")
    writer.append(healer="h", outcome="success")
    with path.open("ab") as log:
        log.write(path.read_bytes().splitlines(keepends=True)[0])
    history = History(path)
    lines = history.lines_before(history.size(), 10)
    audit = AuditTail(str(path), 0, history.size(), lines)
    recording = Recording(replace(scenes.healthy(), audit=audit), log=history)
    async with recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await until(pilot, lambda: "following" in recording.text())
        assert recording.text().count("UNVERIFIED") == 1
        await pilot.press("enter")
        await until(pilot, lambda: "does not follow the event before it" in recording.text())
        await pilot.press("escape", "home", "enter")
        await until(pilot, lambda: "holds" in recording.text())


@pytest.mark.asyncio
async def test_a_key_quicker_than_the_first_frame_opens_a_screen_that_has_its_styles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConsoleApp, "_shown", lambda _: None)
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("a")
        await pilot.pause()
        assert recording.app.screen.query_one(AuditView).size.height > 12


@pytest.mark.asyncio
async def test_a_time_that_cannot_be_read_is_told_until_it_is_left_and_the_filters_fault_stays(
    site: Site,
) -> None:
    async with site.recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a", "slash", *"since:x", "enter")
        await pilot.pause()
        rule = site.recording.app.screen.query_one("#audit-rule", Rule)
        of_filter = rule._label[1]
        assert "since" in of_filter
        await pilot.press("j", *"25:99", "enter")
        await pilot.pause()
        assert rule._label[1].startswith("a time is 14:30")
        await pilot.press("escape")
        await pilot.pause()
        assert rule._label[1] == of_filter
        await pilot.press("j", *"25:99", "enter", *["backspace"] * 5, *"-1h", "enter")
        await pilot.pause()
        assert "a time is" not in rule._label[1]
