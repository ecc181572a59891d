"""Whose lock it is, and whether that holder is still there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from healconsole.core.holding import ghosts
from healconsole.core.records import ClaimRecord
from healconsole.core.snapshot import Host, Lock, Snapshot
from tests.tui import scenes
from tests.tui.sceneparts import NOW

DEAD, WELL = "broker-restarter", "worker-queue-healer"


def held_by(owner: str, snapshot: Snapshot | None = None) -> Snapshot:
    return replace(snapshot or scenes.one_open(), locks=(Lock("k", owner, NOW + 60),))


@pytest.mark.parametrize(
    ("owner", "why"),
    [
        (f"web-07/{DEAD}/7/u", f"no heartbeat of {DEAD} for 6m"),
        (f"web-07/{WELL}/7/u", ""),
        (f"web-08/{DEAD}/7/u", ""),
        ("web-07/unheard-of/7/u", ""),
        ("9f1b0c52-6d1e-4e3c-9a50-0d5a4b6f2f11", ""),
        ("//7/", ""),
    ],
)
def test_a_holder_is_dead_if_its_healers_heartbeat_is(owner: str, why: str) -> None:
    assert ghosts(held_by(owner), NOW) == ({"k": why} if why else {})


def test_a_holder_is_dead_if_its_host_tells_no_more() -> None:
    hosts = (Host("web-19", NOW - 240), Host("web-20"))
    snapshot = replace(scenes.one_open(), hosts=hosts)
    assert ghosts(held_by("web-19/x/7/u", snapshot), NOW) == {"k": "web-19 tells no more, for 4m"}
    assert ghosts(held_by("web-20/x/7/u", snapshot), NOW) == {}


def test_on_a_fleet_it_is_the_healer_of_that_host() -> None:
    fleet = scenes.fleet()
    assert set(ghosts(held_by(f"web-07/{DEAD}/7/u", fleet), NOW)) == {"k"}
    assert set(ghosts(held_by(f"web-19/{WELL}/7/u", fleet), NOW)) == {"k"}
    assert not ghosts(held_by(f"db-03/{WELL}/7/u", fleet), NOW)


def test_a_holder_whose_action_is_under_way_is_no_ghost() -> None:
    claim = ClaimRecord(
        0, 7, 1, "0badcafe", int(NOW), "ab" * 32, "x", probe=False, last_refill=0, tokens_micro=0,
        intent="x", alive=True,
    )  # fmt: skip
    site = scenes.one_open()
    busy = tuple(replace(h, claims=(claim,)) if h.name == DEAD else h for h in site.healers)
    assert not ghosts(held_by(f"web-07/{DEAD}/7/u", replace(site, healers=busy)), NOW)
