"""kill -9 of the healer at each of its calls that touch the file system."""

from __future__ import annotations

import signal
from functools import cache
from pathlib import Path

import pytest

from tests.crash.cycles import LANGUAGES, run
from tests.crash.scenarios import SCENARIOS, Scenario, sample, what_came_after
from tests.crash.scene import LONG, NOON, Scene
from tests.crash.tracing import CHANGES, FILES, Call, attached, calls_in

pytestmark = [pytest.mark.usefixtures("strace"), pytest.mark.timeout(0 if LONG else 120)]

CALLS = FILES if LONG else f"{CHANGES},?flock,?clone,?clone3,?vfork,?wait4,?waitid"
"""Between two of the calls that are taken by default the disk does not change."""

SHARE = {"success": 10, "failure": 6, "probe": 6, "recovery": 6}
"""Indices that are taken of each scenario by default; one of them while it acts."""


@cache
def calls_of(language: str, scenario: Scenario, root: Path) -> tuple[Call, ...]:
    """The calls of a cycle that nothing happens to."""
    scene = Scene(root)
    scenario.prepare(scene)
    cycle = LANGUAGES[language](scene, scenario.environ(scene))
    with attached(cycle.pid, CALLS, log=root / "trace"):
        cycle.go()
        status = cycle.status()
    cycle.gone()
    assert status == (1 if scenario.fails else 0), scene.said
    return calls_in(root / "trace")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
@pytest.mark.parametrize("language", LANGUAGES)
def test_kill_at_each_call(language: str, scenario: Scenario, tmp_path: Path) -> None:
    calls = calls_of(language, scenario, tmp_path / "count")
    points = list(sample(calls, SHARE[scenario.name]))
    died = began = 0
    for number, call in points:
        scene = Scene(tmp_path / str(number))
        scenario.prepare(scene)
        cycle = LANGUAGES[language](scene, scenario.environ(scene))
        with attached(cycle.pid, CALLS, call.inject("signal=KILL")):
            cycle.go()
            status = cycle.status()
        died += status == -signal.SIGKILL
        began += scene.unrecorded()
        # The next cycle does not wait for what the dead one left running.
        where = f"{language} killed at {call}, call {number} of {len(calls)}"
        what_came_after(scene, scenario, number, where, cycle)
    # The number of calls is not the same each time: a signal may come a call sooner.
    assert died > 0.9 * len(points)
    assert began, "none of the kills came between the start and the outcome"


@pytest.mark.parametrize("after", LANGUAGES)
@pytest.mark.parametrize("before", LANGUAGES)
def test_either_library_settles_what_the_other_left(
    before: str, after: str, tmp_path: Path
) -> None:
    """The healer was rewritten in the other language while an act was interrupted."""
    scene = Scene(tmp_path)
    scene.prepare()
    scene.interrupted()
    assert run(LANGUAGES[before], scene, scene.environ(NOON)) == 0
    assert run(LANGUAGES[after], scene, scene.environ(NOON + 1)) == 0
    assert (scene.count("interrupted"), scene.acts()) == (1, 1)
    scene.assert_whole()
