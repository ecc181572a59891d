"""The fleet on the first screen: hosts before healers, groups, filters, and who is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from healconsole.core.snapshot import Snapshot
from healconsole.tui.screens.audit import AuditScreen
from healconsole.tui.widgets.healertable import HealerTable
from tests.tui import scenes
from tests.tui.conftest import Recording

pytestmark = pytest.mark.asyncio

SIZE = (120, 40)


def opened(snapshot: Snapshot | None = None) -> Recording:
    return Recording(snapshot or scenes.fleet(), fleet=True)


def table(recording: Recording) -> HealerTable:
    """The table of the home screen."""
    return recording.app.screen_stack[0].query_one(HealerTable)


async def test_the_worst_of_all_hosts_is_on_top_and_the_lost_are_not_well() -> None:
    recording = opened()
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        order = table(recording).order
        assert order[0] == "web-07/worker-queue-healer"
        assert order[1:3] == ("web-19/disk-reaper", "web-19/worker-queue-healer")
        text = recording.text()
        assert "fleet, 3 hosts" in text
        assert "8 healers, 1 host LOST" in text
        assert "✖ 2 lost" in text
        assert "LOST           4m" in text
        await pilot.press("down")
        await pilot.pause()
        assert "LOST: web-19 tells no more" in recording.text()


async def test_rows_group_by_host_and_by_healer_with_the_worst_group_first() -> None:
    recording = opened()
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("o")
        await pilot.pause()
        hosts = list(dict.fromkeys(name.split("/")[0] for name in table(recording).order))
        assert hosts == ["web-07", "web-19", "db-03"]
        assert "web-07  1 open, 1 stale, 2 ok" in recording.text()
        assert table(recording).selected == "web-07/worker-queue-healer"
        await pilot.press("o")
        await pilot.pause()
        first = [name.split("/")[1] for name in table(recording).order[:3]]
        assert first == ["worker-queue-healer"] * 3
        assert "worker-queue-healer  1 open, 1 lost, 1 ok" in recording.text()
        for _ in range(5):
            await pilot.press("down")
        await pilot.pause()
        selected = table(recording).selected
        assert selected == table(recording).order[5], "the cursor steps over the lines of groups"
        await pilot.press("o")
        await pilot.pause()
        assert "by he" not in recording.text()


async def test_a_click_on_a_row_below_a_group_selects_that_row() -> None:
    recording = opened()
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("o")
        await pilot.pause()
        await pilot.click(table(recording), offset=(10, 1))  # the line of the group
        assert table(recording).selected == "web-07/worker-queue-healer"
        await pilot.click(table(recording), offset=(10, 3))
        assert table(recording).selected == table(recording).order[1]


@pytest.mark.parametrize(
    ("typed", "hosts"),
    [
        ("host:web*", {"web-07", "web-19"}),
        ("host:web* state:lost", {"web-19"}),
        ("healer:disk-*", {"db-03", "web-07", "web-19"}),
        ("db-03/worker", {"db-03"}),
        ("mode:dry-run", {"web-07"}),
        ("host:web", set()),
    ],
)
async def test_a_filter_names_hosts_healers_and_states(typed: str, hosts: set[str]) -> None:
    recording = opened()
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("slash")
        recording.app.screen.query_one(Input).value = typed
        await pilot.press("enter")
        await pilot.pause()
        assert {name.split("/")[0] for name in table(recording).order} == hosts


async def test_one_healer_shows_the_events_of_its_host_only() -> None:
    recording = opened()
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.press("enter")
        await pilot.pause()
        text = recording.text()
        assert "web-07/worker-queue-healer" in text
        assert text.count("verify-failed") >= 3
        assert "pid=12012" in text
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(recording.app.screen, AuditScreen)
        assert "/healer:worker-queue-healer host:web-07" in recording.text()
        assert "db-03/worker-queue" not in recording.text()


async def test_a_healer_that_gets_lost_and_comes_back_says_so() -> None:
    recording = opened()
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        back = replace(
            scenes.fleet(),
            healers=tuple(replace(h, lost_since=None) for h in scenes.fleet().healers),
            hosts=tuple(replace(h, lost_since=None) for h in scenes.fleet().hosts),
        )
        recording.feed.give(back)
        await pilot.pause()
        assert "LOST" not in recording.text()


def somebody_waits() -> Snapshot:
    """The fleet, where an act on a host wants a second person."""
    (asked,) = scenes.asked().requests
    return replace(scenes.fleet(), requests=(replace(asked, host="web-07"),))


async def test_who_waits_for_a_second_person_is_seen_on_the_fleet() -> None:
    recording = opened(somebody_waits())
    async with recording.app.run_test(size=SIZE) as pilot:
        says = "1 request waits: reset web-07/worker-queue-healer by bo, 4m00s left"
        await recording.until(pilot, says)
        await pilot.press("enter")
        await recording.until(pilot, "! reset web-07/worker-queue-healer waits")
    looks = Recording(somebody_waits(), fleet=True, read_only=True)
    async with looks.app.run_test(size=SIZE) as pilot:
        await looks.until(pilot, f"{says}, healconsole approve there")
        await pilot.press("p")
        await looks.until(pilot, "READ-ONLY")


@pytest.mark.parametrize("snapshot", [somebody_waits(), scenes.asked()], ids=["fleet", "host"])
async def test_the_wall_counts_who_waits(snapshot: Snapshot) -> None:
    recording = Recording(snapshot, fleet=snapshot.fleet, wall=True)
    async with recording.app.run_test(size=SIZE) as pilot:
        await recording.until(pilot, "! 1 request waits for a second person")
        recording.now += 241
        recording.feed.give(replace(snapshot, taken_at=recording.now, locks=()))
        await recording.until(pilot, "14:36:08")
        assert "second person" not in recording.text()


async def test_an_empty_fleet_says_what_to_do() -> None:
    recording = opened(Snapshot(host="fleet, 0 hosts", fleet=True))
    async with recording.app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "healconsole publish" in recording.text()
