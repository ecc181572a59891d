"""What a cycle is in the middle of when it dies, and what must hold once the next ones have run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.crash.cycles import LANGUAGES, Running, run
from tests.crash.scene import BURST, LONG, NOON, OTHER, Scene

Point = TypeVar("Point")

LATER = 1_000
"""Seconds after which marker, cooldown and lease are over: a healthy healer acts again."""


@dataclass(frozen=True)
class Scenario:
    """A state, and a cycle on it that acts."""

    name: str
    fails: bool = False

    def __str__(self) -> str:
        return self.name

    def prepare(self, scene: Scene) -> None:
        """Make the state."""
        scene.prepare()
        if self.name == "probe":
            scene.half_open()
        if self.name == "recovery":
            scene.interrupted()

    def environ(self, scene: Scene, path: str = "") -> Mapping[str, str]:
        """The environment of the cycle."""
        return scene.environ(NOON, "false" if self.fails else "true", path)


SCENARIOS = (
    Scenario("success"),
    Scenario("failure", fails=True),
    Scenario("probe"),
    Scenario("recovery"),
)


def sample(
    points: Sequence[Point], share: int, turn: int = 0, turns: int = 1
) -> Iterator[tuple[int, Point]]:
    """``share`` of the points, spread evenly, with their numbers; all of them in the long run.

    Each of ``turns`` tests that go through the same points takes others than the rest.
    """
    step = 1 if LONG else max(1, len(points) // share)
    # From the middle of a step: the first and the last points are the least telling.
    for number in range(step * (2 * turn + 1) // (2 * turns), len(points), step):
        yield number, points[number]


def what_came_after(
    scene: Scene, scenario: Scenario, number: int, what: str, dead: Running
) -> None:
    """Run the next cycles, in either language, and look whether every promise was kept."""
    here = f"{what}: {scene.root}"
    left_open = scene.unrecorded()
    failed = scene.count("verify-failed") + scene.count("action-failed")
    other_open = scenario.name == "recovery" and not scene.count("interrupted")

    # Alternately: whoever comes next must understand what the dead one left.
    following = list(LANGUAGES.values())[number % 2]
    assert run(following, scene, scene.environ(NOON + 1)) == 0, f"{here}\n{scene.said}"
    dead.gone()

    assert scene.acts() <= 1 + failed, f"{here}: acted twice in the bucket"
    assert scene.count("started") >= scene.acts(), f"{here}: acted without an event"
    settled = [event["intent"] for event in scene.events() if event["outcome"] == "interrupted"]
    if left_open:
        assert scene.environ(NOON)["SCENE_INTENT"] in settled, f"{here}: not told as interrupted"
    if other_open:
        assert OTHER in settled, f"{here}: an older act is not told as interrupted"
    spent = scene.count("started") - scene.taken_back() + (scenario.name == "recovery")
    assert scene.tokens() <= BURST - spent, f"{here}: a token came back"
    assert scene.torn() <= 1, f"{here}: more than the one line that the dead one wrote is torn"
    scene.assert_whole()

    # And it is not held up for ever.
    before, left = scene.acts(), scene.tokens()
    assert left >= BURST - spent - scene.unannounced(), f"{here}: a token is lost"
    assert run(following, scene, scene.environ(NOON + LATER)) == 0, f"{here}\n{scene.said}"
    if left >= 1:
        assert scene.acts() == before + 1, f"{here}: does not act any more\n{scene.said}"
    scene.assert_whole()
