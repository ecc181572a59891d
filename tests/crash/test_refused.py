"""ENOSPC, EIO and EDQUOT at each call of a guarded cycle that changes the disk."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.crash.cycles import LANGUAGES, Running, run
from tests.crash.scenarios import Scenario, sample, what_came_after
from tests.crash.scene import INTENT, LONG, NOON, SCOPE, Scene
from tests.crash.shims import Shims, Started
from tests.crash.tracing import CHANGES, Call, attached, calls_in

pytestmark = [pytest.mark.usefixtures("strace"), pytest.mark.timeout(0 if LONG else 120)]

ERRORS = ("ENOSPC", "EIO", "EDQUOT")
CALLS = f"{CHANGES},?pread64" if LONG else CHANGES
PROBE, FAILURE = Scenario("probe"), Scenario("failure", fails=True)
"""Between them they write every file that a cycle can write."""

ONWARDS = "+"
"""The disk stays full; else it refuses once."""


@cache
def calls_of(language: str, scenario: Scenario, root: Path) -> tuple[Call, ...]:
    """The changing calls of a cycle that nothing happens to."""
    scene = Scene(root)
    scenario.prepare(scene)
    cycle = LANGUAGES[language](scene, scenario.environ(scene))
    with attached(cycle.pid, CALLS, log=root / "trace"):
        cycle.go()
        cycle.status()
    cycle.gone()
    return calls_in(root / "trace")


def refused(scene: Scene, before: dict[str, bytes], cycle: Running, where: str) -> bool:
    """Look at what a cycle left that was refused something; whether it did not act."""
    cycle.gone()
    here = f"{where}: {scene.root}\n{scene.said}"
    assert scene.acts() <= scene.count("started") <= 1, f"{here}: acted without an event"
    if not scene.count("started"):
        for folder in ("rate", "cb"):
            path = f"{folder}/{SCOPE}"
            assert scene.live_bytes()[path] == before[path], f"{here}: {path} is not as it was"
    return scene.acts() == 0


@pytest.mark.parametrize("stays", ["", ONWARDS], ids=["once", "from then on"])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_is_refused(language: str, error: str, stays: str, tmp_path: Path) -> None:
    not_acted = points = missed = 0
    turn, turns = 2 * ERRORS.index(error) + len(stays), 2 * len(ERRORS)
    for scenario in (PROBE, FAILURE):
        calls = calls_of(language, scenario, tmp_path / f"count-{scenario}")
        # Of the two scenarios one is hit in its first half, before it acts.
        at = turn if scenario is PROBE else (turn + turns // 2) % turns
        for number, call in sample(calls, 1, at, turns):
            scene = Scene(tmp_path / f"{scenario}-{number}")
            scenario.prepare(scene)
            before = scene.live_bytes()
            # A disk that stays full refuses whatever comes, each kind of call by its own count.
            later = calls[number:] if stays else (call,)
            first = {each.name: each for each in reversed(later)}
            inject = [each.inject(f"error={error}", stays) for each in first.values()]
            cycle = LANGUAGES[language](scene, scenario.environ(scene))
            trace = scene.root / "trace"
            with attached(cycle.pid, CALLS, *inject, log=trace):
                cycle.go()
                status = cycle.status()
            points += 1
            missed += b"(INJECTED)" not in trace.read_bytes()
            where = f"{language} got {error} at {call}{stays}, call {number} of {len(calls)}"
            assert status >= 0, f"{where}: died of it: {scene.said}"
            not_acted += refused(scene, before, cycle, where)
            what_came_after(scene, scenario, number, where, cycle)
    # All that is above holds also of cycles that were refused nothing; of many, a few may come to
    # their end with fewer calls.
    assert points
    assert missed * 20 <= points, f"{missed} of {points} cycles were refused nothing"
    if LONG or stays:
        # What is refused once may have another way, such as a message that is kept from nobody.
        assert not_acted, "none of the refusals came before the act"


def test_a_clock_that_is_not_there_for_once_ends_no_deadline(tmp_path: Path) -> None:
    """Else what ``decide`` was about to say is cut off, and half an intent is another intent."""
    calls_of("bash", PROBE, tmp_path / "count")
    looks = calls_in(tmp_path / "count" / "trace", about="/proc/uptime")
    # The second and the fourth set the deadlines of detect and decide.
    for call in looks if LONG else looks[1:4:2]:
        scene = Scene(tmp_path / str(call))
        PROBE.prepare(scene)
        cycle = LANGUAGES["bash"](scene, PROBE.environ(scene))
        with attached(cycle.pid, CALLS, call.inject("error=EIO")):
            cycle.go()
            assert cycle.status() == 0, scene.said
        cycle.gone()
        assert scene.said.count("/proc/uptime") <= 1
        assert [event.get("intent") for event in scene.events()][1:] == [INTENT, INTENT]
        assert scene.count("success") == 1


@cache
def commands(scenario: Scenario, root: Path) -> tuple[Started, ...]:
    """The commands of a bash cycle that nothing happens to."""
    scene = Scene(root)
    scenario.prepare(scene)
    shims = Shims(scene, CALLS)
    run(LANGUAGES["bash"], scene, shims.environ(scenario.environ(scene), "count"))
    return tuple(shims.started())


@pytest.mark.parametrize("error", ERRORS)
def test_a_call_of_a_command_is_refused(error: str, tmp_path: Path) -> None:
    for scenario in (PROBE, FAILURE):
        points = [
            (command, call)
            for command in commands(scenario, tmp_path / f"count-{scenario}")
            for call in command.calls
            if command.name in {"sync", "mv", "rm", "cat", "truncate"}
        ]
        for index, (command, call) in sample(points, 2, ERRORS.index(error), len(ERRORS)):
            scene = Scene(tmp_path / f"{scenario}-{index}")
            scenario.prepare(scene)
            before = scene.live_bytes()
            environ = Shims(scene, CALLS).environ(
                scenario.environ(scene), "refuse", command.number, call.inject(f"error={error}")
            )
            cycle = LANGUAGES["bash"](scene, environ)
            cycle.go()
            assert cycle.status() >= 0
            where = f"{command.name}, command {command.number}, got {error} at {call}"
            refused(scene, before, cycle, where)
            what_came_after(scene, scenario, index, where, cycle)


def test_the_clock_of_the_scene_is_the_clock_of_the_cycle(tmp_path: Path) -> None:
    """Otherwise none of the above would look at one bucket."""
    for name, language in LANGUAGES.items():
        scene = Scene(tmp_path / name)
        scene.prepare()
        assert run(language, scene, scene.environ(NOON)) == 0
        assert scene.live_bytes()["rate/fix"].startswith(b"%d " % NOON)
