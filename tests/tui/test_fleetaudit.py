"""The audit screen of the fleet, on a real stream: read back, jump, and a Redis that goes away."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from healconsole.core.auditline import AuditTail
from healconsole.stores.fleetfeed import FleetReader
from healconsole.stores.fleethistory import FleetHistory
from healconsole.stores.fleetkeys import AUDIT
from healconsole.stores.redislink import RedisLink, plain_client
from healconsole.stores.redisserver import RedisServer
from healconsole.tui.screens.audit import CHUNK
from healconsole.tui.widgets.auditview import AuditView
from tests.stores.test_fleethistory import BEGAN, NUMBER, tell
from tests.tui import scenes
from tests.tui.conftest import Recording

pytestmark = pytest.mark.asyncio


def seen(url: str) -> AuditTail:
    """What the feed of a fleet holds of the stream."""
    link = RedisLink(url)
    reader = FleetReader(link, lambda: BEGAN)
    reader.look()
    link.close()
    return reader.audit.tail()


def opened(url: str) -> Recording:
    tell(url, range(NUMBER))
    snapshot = replace(scenes.fleet(), audit=seen(url))
    recording = Recording(snapshot, log=FleetHistory(url), fleet=True)
    recording.now = BEGAN + NUMBER
    return recording


async def test_it_is_read_back_to_where_the_stream_begins(redis_url: str) -> None:
    recording = opened(redis_url)
    async with recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await recording.until(pilot, f"n={NUMBER - 1}\n")
        await pilot.press("pageup")
        await recording.until(pilot, "told since ")
        held = recording.app.screen.query_one(AuditView)
        while "the stream begins here" not in recording.text():
            await pilot.press("home")
            await pilot.pause(0.02)
        await pilot.press("home")
        await recording.until(pilot, "n=0\n")
        assert held.line_count() == NUMBER
        tell(redis_url, [NUMBER])
        recording.feed.give(replace(scenes.fleet(), audit=seen(redis_url)))
        await recording.until(pilot, "PAUSED, 1 new")
        assert "n=0\n" in recording.text(), "who reads stays where they read"
        await pilot.press("f")
        await recording.until(pilot, f"n={NUMBER}\n")


async def test_a_filter_and_a_jump_find_what_is_far_back(redis_url: str) -> None:
    recording = opened(redis_url)
    async with recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a", "slash")
        recording.app.screen.query_one(Input).value = "outcome:denied"
        await pilot.press("enter")
        await recording.until(pilot, "n=7\n")
        assert recording.app.screen.query_one(AuditView).line_count() == NUMBER // 100
        await pilot.press("escape", "j")
        recording.app.screen.query_one(Input).value = f"-{NUMBER - 300}s"
        await pilot.press("enter")
        await recording.until(pilot, "n=300\n")
        view = recording.app.screen.query_one(AuditView)
        assert view.current is not None
        assert b"n=300" in view.current.raw
        await pilot.press("enter")
        await recording.until(pilot, "One event")


async def test_it_is_read_on_past_a_thousand_entries_that_are_no_events(redis_url: str) -> None:
    tell(redis_url, range(300))
    with plain_client(redis_url) as client, client.pipeline(transaction=False) as pipe:
        for _ in range(3 * CHUNK):
            pipe.xadd(AUDIT, {"host": "web-07"}, id=f"{BEGAN * 1000 + 299_700}-*")
        pipe.execute()
    tell(redis_url, range(300, NUMBER))
    snapshot = replace(scenes.fleet(), audit=seen(redis_url))
    recording = Recording(snapshot, log=FleetHistory(redis_url), fleet=True)
    recording.now = BEGAN + NUMBER
    async with recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a", "j")
        recording.app.screen.query_one(Input).value = f"-{NUMBER - 100}s"
        await pilot.press("enter")
        await recording.until(pilot, "n=100\n")
        await pilot.press("end")
        view = recording.app.screen.query_one(AuditView)
        while view.line_count() == 300:  # the test's own time limit ends a vain wait
            await pilot.pause(0.02)
        await pilot.press("down")
        await recording.until(pilot, "n=300\n")


async def test_what_was_read_stays_true_while_redis_is_away(redis_server: RedisServer) -> None:
    recording = opened(redis_server.url)
    async with recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a")
        await recording.until(pilot, f"n={NUMBER - 1}\n")
        redis_server.stop()
        await pilot.press("home")
        await recording.until(pilot, "NOT READ ON: ")
        assert "cannot be reached" in recording.text()
        assert f"n={NUMBER - 500}\n" in recording.text()
        assert "the stream begins here" not in recording.text()
