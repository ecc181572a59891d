"""The commands that a bash healer starts die at each of their calls, with it or without."""

from __future__ import annotations

import signal
from functools import cache
from pathlib import Path

import pytest

from tests.crash.cycles import LANGUAGES, run
from tests.crash.scenarios import SCENARIOS, Scenario, sample, what_came_after
from tests.crash.scene import LONG, NOON, Scene
from tests.crash.shims import Shims, Started
from tests.crash.tracing import CHANGES

pytestmark = [pytest.mark.usefixtures("strace"), pytest.mark.timeout(0 if LONG else 120)]

BASH = LANGUAGES["bash"]
CALLS = f"{CHANGES},?flock,?exit_group"


@cache
def commands(scenario: Scenario, root: Path) -> tuple[Started, ...]:
    """What a cycle starts that nothing happens to."""
    scene = Scene(root)
    scenario.prepare(scene)
    shims = Shims(scene, CALLS)
    environ = shims.environ(scenario.environ(scene), "count")
    assert run(BASH, scene, environ) == (1 if scenario.fails else 0), scene.said
    return tuple(shims.started())


@pytest.mark.parametrize("with_it", [False, True], ids=["alone", "with the healer"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_kill_a_command(scenario: Scenario, with_it: bool, tmp_path: Path) -> None:
    points = [
        (command, call)
        for command in commands(scenario, tmp_path / "count")
        for call in command.calls
    ]
    assert {"mv", "sync", "flock"} <= {command.name for command, _ in points}
    began = 0
    for index, (command, call) in sample(points, 3, int(with_it), 2):
        scene = Scene(tmp_path / str(index))
        scenario.prepare(scene)
        mode = "kill" if with_it else "refuse"
        inject = call.inject("signal=KILL")
        environ = Shims(scene, CALLS).environ(scenario.environ(scene), mode, command.number, inject)
        cycle = BASH(scene, environ)
        cycle.go()
        status = cycle.status()
        assert status == -signal.SIGKILL if with_it else status >= 0
        began += scene.unrecorded()
        where = f"{command.name}, command {command.number}, killed at {call}"
        what_came_after(scene, scenario, index, where, cycle)
    assert began or not LONG


@pytest.mark.parametrize("scenario", SCENARIOS[:2], ids=str)
def test_a_command_outlives_its_healer(scenario: Scenario, tmp_path: Path) -> None:
    """It goes on in the middle of the next cycle, which must not be undone by it."""
    found = commands(scenario, tmp_path / "count")
    for index, command in sample(found, 4):
        scene = Scene(tmp_path / str(index))
        scenario.prepare(scene)
        shims = Shims(scene, CALLS)
        environ = shims.environ(scenario.environ(scene), "orphan", command.number)
        dead = BASH(scene, environ)
        dead.go()
        assert dead.status() == -signal.SIGKILL
        left_open = scene.unrecorded()
        following = list(LANGUAGES.values())[index % 2](scene, scene.environ(NOON + 1))
        following.go()
        # Whoever needs the lock that the orphan inherited waits; nobody else does.
        waited = not following.ended_within(0.3)
        shims.release()
        assert following.status() == 0, scene.said
        following.gone()
        dead.gone()
        where = f"{command.name}, command {command.number}, went on ({waited=}): {scene.root}"
        assert scene.acts() <= 1 + scene.count("verify-failed"), where
        assert scene.count("interrupted") >= left_open, where
        scene.assert_whole()
