"""Pictures of every screen in every state that matters, at the three sizes.

``pytest tests/tui/test_pictures.py --snapshot-update`` records them again; look at each before it
is committed. ``screenshots/`` holds copies of some of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from textual.pilot import Pilot

from healconsole.core.snapshot import Snapshot
from healconsole.stores.apply import UndoRecord
from healconsole.tui.dialogs.session import Done
from tests.tui import sceneparts, scenes
from tests.tui.conftest import Recording

SIZES = [
    pytest.param((80, 24), id="80x24"),
    pytest.param((120, 40), id="120x40"),
    pytest.param((200, 50), id="200x50"),
]
SMALL_AND_NORMAL = SIZES[:2]

SnapCompare = Callable[..., bool]


@pytest.fixture
def picture(snap_compare: SnapCompare) -> Callable[..., None]:
    """Compare a screen with its picture: after these keys, and once ``until`` is seen."""

    def compare(
        snapshot: Snapshot,
        size: tuple[int, int],
        *press: str,
        until: str = "",
        done: Sequence[Done] = (),
        **view: Any,  # noqa: ANN401 - fields of View
    ) -> None:
        recording = Recording(snapshot, **view)
        recording.app.session.done.extend(done)

        async def ready(pilot: Pilot[int]) -> None:
            await pilot.pause()
            for key in press:
                await pilot.press(key)
                await pilot.pause()
            while until not in recording.text():
                await pilot.pause(0.02)
            await pilot.pause()

        assert snap_compare(recording.app, terminal_size=size, run_before=ready)

    return compare


Picture = Callable[..., None]


@pytest.mark.parametrize("size", SIZES)
def test_home_healthy(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.healthy(), size)


@pytest.mark.parametrize("size", SIZES)
def test_home_one_open(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size)


@pytest.mark.parametrize("size", SIZES)
def test_home_stale(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.stale(), size)


@pytest.mark.parametrize("size", SIZES)
def test_home_corrupt_file(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.corrupt_file(), size)


@pytest.mark.parametrize("size", SIZES)
def test_home_redis_unknown(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.redis_unknown(), size)


@pytest.mark.parametrize("size", SIZES)
def test_home_empty(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.empty(), size)


@pytest.mark.parametrize("size", SIZES)
def test_home_dry_run(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.dry_run(), size)


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_home_many(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.many(60), size, "down", "space", "space")


@pytest.mark.parametrize("size", SIZES)
def test_home_light(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, theme="healconsole-light")


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_home_sixteen_colours(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, theme="ansi-dark")


@pytest.mark.parametrize("size", SIZES)
def test_home_no_color(
    picture: Picture, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    picture(scenes.one_open(), size)


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_home_read_only(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, read_only=True)


@pytest.mark.parametrize("size", SIZES)
def test_healer(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "enter")


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_audit(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "a", "up", "up")


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_audit_event(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "a", "up", "up", "enter", until="chain")


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_audit_filter(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "a", "slash", *"outcome:verify*")


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_locks(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "l")


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_explain(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "e")


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_help(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "question_mark")


@pytest.mark.parametrize("size", SIZES)
def test_wall(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, wall=True, read_only=True)


@pytest.mark.parametrize("size", SIZES)
def test_dialog_trip(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "t")


@pytest.mark.parametrize("size", SIZES)
def test_dialog_reset(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "r")


@pytest.mark.parametrize("size", SIZES)
def test_dialog_dry_run(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "d")


@pytest.mark.parametrize("size", SIZES)
def test_dialog_run(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "x")


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_dialog_approve(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.asked(), size, "p", *"seen")


def test_home_with_a_request(picture: Picture) -> None:
    picture(scenes.asked(), (80, 24))


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_fleet_home(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.fleet(), size, fleet=True)


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_fleet_by_host(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.fleet(), size, "o", fleet=True)


def test_fleet_wall(picture: Picture) -> None:
    picture(scenes.fleet(), (120, 40), fleet=True, wall=True, operator="", incident="")


@pytest.mark.parametrize("size", SIZES)
def test_dialog_undo(picture: Picture, size: tuple[int, int]) -> None:
    was = f"restart_worker open 3/3 until {int(sceneparts.NOW + 452)}"
    undo = UndoRecord("worker-queue-healer", "reset", None, (), was, "restart_worker half-open")
    picture(scenes.one_open(), size, "u", done=[Done(undo.verb, undo.healer, was, undo)])


@pytest.mark.parametrize("size", SMALL_AND_NORMAL)
def test_dialog_trip_of_several(picture: Picture, size: tuple[int, int]) -> None:
    picture(scenes.one_open(), size, "space", "space", "t")
