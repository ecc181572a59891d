"""Disks that are full, out of inodes or read-only, and a limit on the size of files."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.cycles import LANGUAGES, run
from tests.crash.scenarios import SCENARIOS, what_came_after
from tests.crash.scene import LONG, SCOPE, Scene

SUCCESS = SCENARIOS[0]
PAGE = resource.getpagesize()


@contextmanager
def tmpfs(at: Path, options: str) -> Iterator[None]:
    """A file system of its own on ``at``; skips where none can be mounted."""
    at.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def fill(folder: Path, size: int, leave: int) -> list[Path]:
    """Make files of ``size`` bytes until there is no room, then remove ``leave`` of them."""
    made: list[Path] = []
    with contextlib.suppress(OSError):
        for number in range(10_000):
            made.append(folder / f".fill{number}")
            made[-1].write_bytes(b"x" * size)
    if size:
        made[-1].unlink(missing_ok=True)
    made = [file for file in made if file.exists()]
    assert len(made) > leave
    for _ in range(leave):
        made.pop().unlink()
    return made


@pytest.mark.parametrize("what", ["pages", "inodes"])
@pytest.mark.parametrize("where", ["h", "log"], ids=["state", "log"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_room(language: str, where: str, what: str, tmp_path: Path) -> None:
    """With each number of pages or inodes that are left, the cycle stops somewhere else."""
    acted: list[int] = []
    few = (0, 2, 4) if what == "pages" else (0, 1, 3, 5)
    for left in range(16) if LONG else few if where == "h" else (0, 3):
        scene = Scene(tmp_path / str(left))
        folder = scene.root / where
        with tmpfs(folder, "size=256k,nr_inodes=1k" if what == "pages" else "nr_inodes=64"):
            scene.prepare()
            before = scene.live_bytes()
            filler = fill(folder, PAGE if what == "pages" else 0, left)
            cycle = LANGUAGES[language](scene, SUCCESS.environ(scene))
            cycle.go()
            status = cycle.status()
            here = f"{left} {what} left for the {where}: {scene.root}\n{scene.said}"
            assert status >= 0, here
            assert scene.acts() <= scene.count("started") <= 1, here
            if not scene.count("started"):
                now = scene.live_bytes()
                assert all(
                    now[f"{kind}/{SCOPE}"] == before[f"{kind}/{SCOPE}"] for kind in ("rate", "cb")
                )
            acted.append(scene.acts())
            for file in filler:
                file.unlink()
            what_came_after(scene, SUCCESS, left, here, cycle)
    assert acted[0] == 0 or where == "log"


@pytest.mark.parametrize("where", ["h", "log"], ids=["state", "log"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_read_only_mount(language: str, where: str, tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    folder = scene.root / where
    with tmpfs(folder, "size=1m"):
        scene.prepare()
        before = scene.live_bytes()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        cycle = LANGUAGES[language](scene, SUCCESS.environ(scene))
        cycle.go()
        assert cycle.status() >= 0, scene.said
        assert (scene.acts(), scene.count("started")) == (0, 0)
        assert scene.said, "it has to say why it does nothing"
        assert {path: raw for path, raw in scene.live_bytes().items() if raw} == before
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        cycle.gone()
        assert run(LANGUAGES[language], scene, SUCCESS.environ(scene)) == 0
        assert scene.acts() == 1
        scene.assert_whole()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_limit_on_the_size_of_files(language: str, tmp_path: Path) -> None:
    for limit in (0, 10, 25, 40, 100, 150, 350, 500, 800) if LONG else (10, 100, 350, 500):
        scene = Scene(tmp_path / str(limit))
        scene.prepare()
        before = scene.live_bytes()
        cycle = LANGUAGES[language](scene, SUCCESS.environ(scene))
        resource.prlimit(cycle.pid, resource.RLIMIT_FSIZE, (limit, limit))
        cycle.go()
        status = cycle.status()
        here = f"at most {limit} bytes: {scene.root}\n{scene.said}"
        assert status != -signal.SIGXFSZ, f"{here}: a limit is an error and no death"
        assert scene.acts() <= scene.count("started") <= 1, here
        if not scene.count("started"):
            assert {path: raw for path, raw in scene.live_bytes().items() if raw} == before, here
        what_came_after(scene, SUCCESS, limit, here, cycle)
