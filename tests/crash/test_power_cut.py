"""Power cuts: the disk as it is at one moment, while writers of both languages run, is whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from healconsole.core.breaker import parse_breaker
from healconsole.core.bucket import parse_bucket
from healconsole.core.claim import parse_claim
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.marker import parse_marker
from healconsole.core.records import MICRO, BreakerRecord, BucketRecord, ClaimRecord, MarkerRecord
from tests.crash.cycles import LIBRARY
from tests.crash.scene import LONG, NOON, SCOPE, Scene

CUTS = 200 if LONG else 12
BURST = 999_999
HERE = Path(__file__).parent


def tool(*argv: str) -> None:
    """Run a tool; skips, with what it says, where it cannot do its work."""
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{argv[0]} cannot do its work here: {done.stderr.strip()}")


@contextmanager
def mounted(image: Path, at: Path) -> Iterator[Path]:
    """The ext4 of an image, its journal played back."""
    at.mkdir(exist_ok=True)
    tool("mount", "-o", "loop", str(image), str(at))
    try:
        yield at
    finally:
        unmount(at)


def unmount(at: Path) -> None:
    """Unmount, once nobody has anything open there.

    An action runs in a session of its own, and ends a moment after a writer that was killed.
    """
    deadline = time.monotonic() + 20
    while True:
        done = subprocess.run(
            ["umount", str(at)], capture_output=True, text=True, check=False,
            env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        if not done.returncode:
            return
        assert "busy" in done.stderr, done.stderr
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.02)


@dataclass(frozen=True)
class Told:
    """What the writers tell outside the disk: intents whose act has begun, or is recorded."""

    root: Path

    def begun(self) -> set[str]:
        return self._lines("begun")

    def recorded(self) -> set[str]:
        return self._lines("recorded")

    def _lines(self, name: str) -> set[str]:
        file = self.root / name
        text = file.read_text(encoding="ascii") if file.exists() else ""
        return {
            line.removesuffix("\n") for line in text.splitlines(keepends=True) if line[-1:] == "\n"
        }


@contextmanager
def writers(scene: Scene, root: Path) -> Iterator[list[int]]:
    """Two writers in each language, each the leader of its process group."""
    environ = {
        **scene.environ(NOON),
        "HEAL_BURST": str(BURST),
        "HEAL_CB_MAX": str(BURST),
        "SCENE_LIBRARY": str(LIBRARY),
        "SCENE_BEGUN": str(root / "begun"),
        "SCENE_RECORDED": str(root / "recorded"),
        "PYTHONPATH": str(HERE.parents[1]),
    }
    with (root / "said").open("wb") as said:
        crew = [
            subprocess.Popen(argv, env=environ, stderr=said, start_new_session=True)
            for argv in (
                ["bash", str(HERE / "writer.sh")],
                [sys.executable, str(HERE / "writer.py")],
            )
        ]
    try:
        yield [writer.pid for writer in crew]
        assert all(writer.poll() is None for writer in crew), (root / "said").read_text()
    finally:
        for writer in crew:
            os.killpg(writer.pid, signal.SIGKILL)
            writer.wait()


def states(group: int) -> set[str]:
    """States of the processes of a group, such as ``R`` and ``T``."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(") ")[2].split()
        except OSError:
            continue
        if fields[2:3] == [str(group)]:
            found.add(fields[0])
    return found


@contextmanager
def stopped(groups: list[int]) -> Iterator[None]:
    """All of them stopped, each between two of its instructions."""
    for group in groups:
        os.killpg(group, signal.SIGSTOP)
    try:
        while not all(states(group) <= {"T", "Z"} for group in groups):
            time.sleep(0.001)  # nobody is told when a group that is not one's child has stopped
        yield
    finally:
        for group in groups:
            os.killpg(group, signal.SIGCONT)


def cut(image: Path) -> bytes:
    """The disk at one moment: what two looks in a row agree on. What is in memory is lost."""
    before, now = b"", image.read_bytes()
    while before != now:
        before, now = now, image.read_bytes()
    return now


def assert_whole(scene: Scene, begun: set[str], recorded: set[str]) -> None:
    """Of the acts in ``begun`` everything is there, and no file is torn."""
    events = list(scene.events())
    started = {event["intent"] for event in events if event["outcome"] == "started"}
    ended = {event["intent"]: event["outcome"] for event in events if event["outcome"] != "started"}
    assert begun <= started, "an act without its event"
    assert recorded <= ended.keys(), "an outcome without its event"
    for line in scene.audit.read_bytes().splitlines()[:-1]:
        json.loads(line)

    flying: dict[str, ClaimRecord] = {}
    for file in (scene.state / "claims").iterdir():
        claim = parse_claim(file.read_bytes(), int(file.name))
        assert claim is None or isinstance(claim, ClaimRecord), claim
        if claim is not None:
            flying[claim.intent] = claim
    unsettled = begun - ended.keys()
    assert unsettled <= flying.keys(), "an act that the next cycle will not tell as interrupted"

    for intent in begun:
        if ended.get(intent, "success") == "success":
            key = marker_key(intent, bucket_number(NOON, 300))
            marker = parse_marker((scene.state / "keys" / key).read_bytes(), key, 0)
            assert isinstance(marker, MarkerRecord), marker
            assert marker.intent == intent, "an empty marker"

    bucket = parse_bucket((scene.state / "rate" / SCOPE).read_bytes(), "rate/fix")
    assert isinstance(bucket, BucketRecord), bucket
    tokens = [bucket.tokens_micro, *(claim.tokens_micro for claim in flying.values())]
    assert min(tokens) <= (BURST - len(begun)) * MICRO, "a token came back"
    breaker = scene.state / "cb" / SCOPE
    if breaker.exists():
        assert isinstance(parse_breaker(breaker.read_bytes(), "cb/fix"), BreakerRecord)


@pytest.mark.timeout(0 if LONG else 120)
def test_a_disk_that_lost_its_power_is_whole(tmp_path: Path) -> None:
    image, told = tmp_path / "disk", Told(tmp_path)
    with image.open("wb") as file:
        file.truncate((256 if LONG else 32) << 20)
    tool("mkfs.ext4", "-q", "-F", "-b", "1024", "-J", "size=2", "-i", "2048", str(image))
    acts: set[str] = set()
    with mounted(image, tmp_path / "disk.mounted") as disk:
        scene = Scene(disk)
        scene.audit.parent.mkdir()
        with writers(scene, tmp_path) as groups:
            for _ in range(CUTS):
                while len(told.recorded() - acts) < 4:
                    time.sleep(
                        0.002
                    )  # the writers tell in a file, as they are no children to wait for
                acts, recorded = told.begun(), told.recorded()
                with stopped(groups):
                    lost = cut(image)
                (tmp_path / "cut").write_bytes(lost)
                with mounted(tmp_path / "cut", tmp_path / "cut.mounted") as found:
                    assert_whole(Scene(found), acts, recorded)
                acts = recorded
    assert {intent.split()[1] for intent in acts} == {"writer=bash", "writer=python"}
