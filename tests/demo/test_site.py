"""The demo's site: it leaves nothing behind, however it ends, and compares what it promises to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from healconsole.demo.cast import services
from healconsole.demo.launch import DemoError, running_site, tell
from healconsole.demo.layout import BAD_RELEASE, GOOD_RELEASE
from healconsole.demo.repair import Repaired, repair, words
from tests.terminal import Terminal

CONSOLE = (sys.executable, "-m", "healconsole")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The site's directory and its pointer below a directory of the test's own."""
    return {**os.environ, "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}


def processes_of(root: Path) -> list[str]:
    """Command lines of the live processes that were started for a site below ``root``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"{root}/healconsole-demo-".encode() in words and state != "Z":
            found.append(words[:120].replace(b"\0", b" ").decode(errors="replace"))
    return found


def wait_gone(root: Path, seconds: float = 15.0) -> None:
    """Until no process and no file of the site is left."""
    deadline = time.monotonic() + seconds
    while left := [*processes_of(root), *map(str, root.glob("healconsole-demo-*"))]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.mark.timeout(90)
def test_kill_9_of_the_console_leaves_nothing_behind(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with Terminal((*CONSOLE, "demo"), {**environment, "TERM": "xterm-256color"}) as terminal:
        terminal.wait_for_bytes(b'demo env)"')
        terminal.wait_for("worker-queue-healer", 60)
        assert len(processes_of(tmp_path)) >= 8
        fixed = subprocess.run((*CONSOLE, "demo", "fix"), env=environment, check=False)
        assert fixed.returncode == 0
        os.kill(terminal.pid, signal.SIGKILL)
        assert terminal.wait_end() == -signal.SIGKILL
    wait_gone(tmp_path)


@pytest.mark.timeout(120)
@pytest.mark.skipif(
    os.environ.get("HEALCONSOLE_LONG") != "1", reason="a minute long: HEALCONSOLE_LONG=1 runs it"
)
def test_without_guardrails_more_is_restarted_and_the_site_is_down_longer(
    environment: dict[str, str],
) -> None:
    done = subprocess.run(
        (*CONSOLE, "demo", "--bad"),
        env=environment, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {line[:20].strip(): line[20:].split() for line in done.stdout.splitlines()[-3:]}
    guarded, unguarded = rows["restarts"]
    assert int(unguarded) > 5 * int(guarded)
    down = [float(word) for word in rows["site down"] if word != "s"]
    assert down[0] < down[1]


def test_a_package_of_the_same_name_where_it_is_started_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "healconsole").mkdir()
    (tmp_path / "healconsole" / "__init__.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    with running_site("--no-story", announce=False) as site:
        roles = services(site)
        assert all(role.argv[1] == "-P" for role in roles)


def test_a_repair_tells_what_it_did_and_what_is_left() -> None:
    with running_site("--no-story", announce=False) as site:
        assert words(repair(site)).startswith("nothing was broken")
        tell(site, f"deploy {BAD_RELEASE}")
        tell(site, "kill-healer disk-reaper")
        told, bad = Repaired(), set[str]()
        deadline = time.monotonic() + 20
        while told.started != ("disk-reaper",):  # until the site has seen it die
            assert time.monotonic() < deadline
            told = repair(site)
            bad.add(told.rolled_back)
        assert bad >= {BAD_RELEASE}
        scopes = site.state / "disk-reaper" / "cb"
        scopes.mkdir(parents=True, exist_ok=True)
        now = int(time.time())
        (scopes / "reap").write_text(f"3 {now} 3 600 open {now + 600}\n")
        assert words(repair(site)) == "nothing else was broken; now reset disk-reaper"
        assert site.release() == GOOD_RELEASE
        assert not list(site.run.glob("repaired-*"))


def test_a_site_that_ends_without_a_word_is_told_with_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with (
        pytest.raises(DemoError, match="it ended with exit code 3, and wrote nothing"),
        running_site(announce=False),
    ):
        pass


def test_fix_without_a_demo_is_refused_in_one_line(environment: dict[str, str]) -> None:
    done = subprocess.run(
        (*CONSOLE, "demo", "fix"), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no demo of yours is running" in done.stderr
