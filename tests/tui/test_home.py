"""The first screen: order, cursor, marks, keys that work and keys that say why not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual.command import CommandPalette
from textual.keys import Keys
from textual.keys import _character_to_key as textual_name
from textual.widgets import Input

from healconsole.core import keymap, keynames
from healconsole.core.snapshot import CatalogEntry, Snapshot
from healconsole.core.words import Circuit
from healconsole.tui import keys
from healconsole.tui.dialogs.trip import TripDialog
from healconsole.tui.palette import VerbProvider
from healconsole.tui.screens.base import ConsoleScreen
from healconsole.tui.screens.home import HomeScreen
from healconsole.tui.widgets.healertable import HealerTable
from healconsole.tui.widgets.keybar import KeyBar
from tests.tui import sceneparts, scenes
from tests.tui.conftest import Recording

pytestmark = pytest.mark.asyncio

SIZE = (80, 24)


def table(recording: Recording) -> HealerTable:
    """The table of the home screen."""
    return recording.app.screen_stack[0].query_one(HealerTable)


def reopened(snapshot: Snapshot, name: str) -> Snapshot:
    """The snapshot with the circuit of another healer open."""
    return replace(
        snapshot,
        healers=tuple(
            replace(
                h, breakers=(sceneparts.breaker("x", Circuit.OPEN, 3, 9, int(sceneparts.NOW + 90)),)
            )
            if h.name == name
            else h
            for h in snapshot.healers
        ),
    )


async def test_the_worst_healer_is_on_top_and_explained_without_a_key() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert table(recording).order[0] == table(recording).selected == "worker-queue-healer"
        assert "would NOT act: circuit open until 14:39:39, in 7m32s" in recording.text()


async def test_a_healer_whose_loop_is_gone_would_act_only_if_it_ran() -> None:
    recording = Recording(scenes.stale())
    async with recording.app.run_test(size=SIZE) as pilot:
        await recording.until(pilot, "would act, but no heartbeat for 6m: does it run?")


async def test_until_the_cursor_is_moved_it_stays_on_the_worst() -> None:
    recording = Recording(scenes.healthy())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        recording.feed.give(reopened(scenes.healthy(), "legacy-mailq"))
        await pilot.pause()
        assert table(recording).order[0] == table(recording).selected == "legacy-mailq"


async def test_once_moved_the_cursor_and_the_rows_stay_with_their_healers() -> None:
    recording = Recording(scenes.healthy())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("down")
        before, selected = table(recording).order, table(recording).selected
        recording.feed.give(reopened(scenes.healthy(), "legacy-mailq"))
        await pilot.pause()
        assert (table(recording).order, table(recording).selected) == (before, selected)
        await pilot.press("s")
        await pilot.pause()
        assert table(recording).order[0] == "legacy-mailq"


async def test_time_alone_opens_the_circuit_into_half_open() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("down", "up")
        recording.now += 453
        recording.app._tick()
        await pilot.pause()
        assert "half-open probe" in recording.text().replace("  ", " ")
        assert "would act once" in recording.text()


async def test_a_filter_shows_the_healers_that_match_and_escape_takes_it_away() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("slash", *"mail")
        await pilot.pause()
        assert table(recording).order == ("legacy-mailq",)
        await pilot.press("enter")
        assert not recording.app.screen.query_one("#prompt").display
        await pilot.press("escape")
        await pilot.pause()
        assert len(table(recording).order) == 4


async def test_a_filter_that_matches_nothing_says_so_and_what_takes_it_away() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("slash", *"zz")
        await recording.until(pilot, "no healer matches /zz; esc takes the filter away")
        assert "--state-root" not in recording.text()
        await pilot.press("enter", "escape")
        await recording.until(pilot, "would NOT act")
        assert "no healer matches" not in recording.text()


async def test_a_healers_name_is_whole_where_its_description_is_cut() -> None:
    scene = scenes.one_open()
    says = "restarts a worker " + "that does not answer " * 9
    about = CatalogEntry("worker-queue-healer", "/h.toml", description=says)
    described = tuple(replace(healer, catalog=about) for healer in scene.healers)
    recording = Recording(replace(scene, healers=described))
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("enter")
        await recording.until(pilot, " ─ worker-queue-healer ─ restarts a worker that does")
        assert all(len(line) <= SIZE[0] for line in recording.text().splitlines())


async def test_marks_stay_with_their_healers_and_escape_takes_them_away() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("space", "space")
        assert table(recording).marked == {"worker-queue-healer", "broker-restarter"}
        await recording.until(pilot, "2 marked")
        await pilot.press("escape")
        assert not table(recording).marked


async def test_the_healer_under_the_cursor_is_looked_at() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("down")
        while recording.feed.looked_at[-1:] != ["broker-restarter"]:
            await pilot.pause(0.02)
    assert recording.feed.stopped


async def test_a_key_that_does_not_work_says_why() -> None:
    recording = Recording(scenes.one_open(), read_only=True)
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        for key in ("t", "r", "d", "x", "u"):
            await pilot.press(key)
            await pilot.pause()
            assert len(recording.app.screen_stack) == 1
        said = [note.message for note in recording.app._notifications]
        assert len(said) == 5
        assert all("READ-ONLY" in message for message in said)


async def test_with_no_healer_the_screen_says_what_to_do() -> None:
    recording = Recording(scenes.empty())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "--state-root" in recording.text()
        await pilot.press("t")
        await pilot.pause()
        assert "no healer" in next(note.message for note in recording.app._notifications)


async def test_every_key_in_sight_has_something_to_do() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        for opening in ("", "enter", "a", "l"):
            if opening:
                await pilot.press(opening)
                await pilot.pause()
            screen = recording.app.screen
            assert isinstance(screen, ConsoleScreen)
            for key in screen.SHOWN_KEYS:
                name = f"action_{key.action}"
                assert hasattr(screen, name) or hasattr(recording.app, name), key
            if opening:
                await pilot.press("escape")
                await pilot.pause()


async def test_keys_are_remapped_and_the_key_bar_shows_it() -> None:
    recording = Recording(scenes.one_open(), keymap={"audit": "f5"})
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        bar = recording.app.screen.query_one(KeyBar)
        assert "f5 audit" in " ".join("".join(piece.text for piece in line) for line in bar.lines)
        await pilot.press("f5")
        await pilot.pause()
        assert recording.app.screen.query("AuditView")


async def test_a_name_that_yields_its_key_has_another_and_quit_may_have_that_of_textual() -> None:
    wanted = keymap.whole_keymap({"trip": "F", "quit": "ctrl+q"})
    recording = Recording(scenes.one_open(), keymap=wanted, repair=lambda: "rolled back")
    async with recording.app.run_test(size=SIZE) as pilot:
        await recording.until(pilot, "f12 fix the cause")
        await pilot.press("q", "F")
        assert isinstance(recording.app.screen, TripDialog)
        await pilot.press("escape", "f12")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert [note.message for note in recording.app._notifications] == ["rolled back"]
        assert recording.app.is_running
        await pilot.press("ctrl+q")
        assert recording.app._exit


async def test_the_key_of_the_demo_is_in_sight_in_the_demo_only() -> None:
    for repair in (None, lambda: "rolled back"):
        recording = Recording(scenes.one_open(), repair=repair)
        async with recording.app.run_test(size=SIZE, notifications=True) as pilot:
            await pilot.pause()
            assert ("F fix the cause" in recording.text()) is (repair is not None)
            await pilot.press("F")
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()
            said = [note.message for note in recording.app._notifications]
            assert said == (["rolled back"] if repair else [])
            if repair:
                keys = recording.app.screen.query_one(KeyBar).region
                toast = recording.app.screen.query_one("Toast").region
                assert not keys.overlaps(toast)


async def test_every_key_of_the_help_can_be_read_on_a_low_terminal() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("question_mark")
        await pilot.pause()
        assert recording.text().rstrip().endswith("╯")
        seen = recording.text()
        for _ in range(4):
            await pilot.press("pagedown")
            await pilot.pause()
            seen += recording.text()
        wanted = [key.help for key in keys.ALL if key not in {keys.REPAIR, keys.GROUP}]
        assert [line for line in wanted if line[:50] not in seen] == []


@pytest.mark.parametrize("key", [*"trdxe", "slash"])
async def test_no_cursor_blinks_over_a_slow_link(key: str) -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause()
        fields = recording.app.screen.query(Input)
        assert len(fields) > 0
        assert not any(field.cursor_blink for field in fields)


async def test_the_verbs_are_in_the_command_palette() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+p", *"lock")
        while "the fleet locks in Redis" not in recording.text():
            await pilot.pause(0.05)
        await pilot.press("enter")
        while isinstance(recording.app.screen, CommandPalette):
            await pilot.pause(0.05)
        await pilot.pause()
        assert "Fleet locks" in recording.text()


async def test_the_palette_opens_again_while_it_still_closes() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        app = recording.app
        app.action_command_palette()
        await pilot.pause()
        app.pop_screen()
        app.action_command_palette()
        await pilot.pause()
        assert isinstance(app.screen, CommandPalette)
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_the_verb_that_is_typed_is_the_first_of_the_palette() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        verbs = VerbProvider(recording.app.screen)
        for key in HomeScreen.SHOWN_KEYS:
            scores = {hit.text: hit.score async for hit in verbs.search(key.does) if hit.text}
            others = [score for verb, score in scores.items() if verb != key.does]
            assert scores[key.does] > max(others, default=0), key.does


async def test_explain_answers_for_any_intent_while_it_is_typed() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("e")
        await pilot.pause()
        recording.app.screen.query_one(Input).value = "flush_cache all"
        await recording.until(pilot, "would act: all guardrails pass")


async def test_a_feed_that_falls_silent_is_noticed() -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        recording.now += 60
        recording.app._tick()
        await pilot.pause()
        assert "no news for 1m" in recording.text()


@pytest.mark.parametrize(
    ("window", "cut", "last"), [("", "a audit", "q quit"), ("question_mark", "esc back", "scroll")]
)
async def test_the_keys_take_a_third_of_the_terminal_whatever_its_height_becomes(
    window: str, cut: str, last: str
) -> None:
    recording = Recording(scenes.one_open())
    async with recording.app.run_test(size=(20, 24)) as pilot:
        await pilot.press(*filter(None, [window]))
        await pilot.pause()
        bar = recording.app.screen.query_one(KeyBar)
        whole = len(bar.lines)
        assert whole >= 2
        for height in (24, 5, 40, 5, 24):
            await pilot.resize_terminal(20, height)
            await pilot.pause()
            shown = "\n".join("".join(piece.text for piece in line) for line in bar.lines)
            assert len(bar.lines) == min(height // 3, whole)
            assert bar.styles.height is not None
            assert bar.styles.height.value == len(bar.lines)
            assert (cut in shown) is (height >= 24)
            assert last in shown


async def test_every_key_has_its_own_name() -> None:
    names = [key.id for key in keys.ALL]
    assert len(names) == len(set(names))


async def test_keys_are_spelled_as_textual_spells_them() -> None:
    named = {*FUNCTIONAL_KEYS.values(), *(key.value for key in Keys)}
    assert keynames._NAMED - {"space"} <= named
    signs = [chr(number) for number in range(0x21, 0x7F) if chr(number) != ","]
    for sign in (*signs, "§", "é"):
        name = textual_name(sign)
        assert keynames.key_names(sign) == keynames.key_names(name) == (name,)
        assert keynames.wrong_key(sign) is keynames.wrong_key(name) is None


async def test_the_keymap_knows_each_key_and_the_screens_that_it_works_on() -> None:
    assert {key.id: key.keys for key in keys.ALL}.items() <= keymap.DEFAULT_KEYS.items()
    assert keymap.whole_keymap({}) == {}
    recording = Recording(scenes.one_open())
    openings = {"home": "", "healer": "enter", "audit": "a", "locks": "l"}
    assert openings.keys() == keymap.SCREENS.keys()
    async with recording.app.run_test(size=SIZE) as pilot:
        for screen, opening in openings.items():
            await pilot.press(*filter(None, [opening]))
            await pilot.pause()
            bound: dict[str, set[str]] = {}
            for _, bindings in recording.app.screen._binding_chain:
                for key, each in bindings.key_to_bindings.items():
                    for name in filter(None, (one.id for one in each)):
                        bound.setdefault(name, set()).add(key)
            assert bound.keys() == keymap.SCREENS[screen]
            for name in bound.keys() - {"down"}:
                assert bound[name] == set(keymap.DEFAULT_KEYS[name].split(",")), (screen, name)
            await pilot.press(*filter(None, [opening and "escape"]))
