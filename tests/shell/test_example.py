"""The worker-queue healer of the README: decide on synthetic facts, as a user would test it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.shell.bashes import SHELL, ShellSite

EXAMPLE = SHELL / "examples" / "worker-queue-healer.sh"
RESTART = "restart_workers queue=jobs"


def bash(script: str, **environ: str) -> str:
    done = subprocess.run(
        ["bash", "-c", f"source {EXAMPLE}\n{script}"],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("fact", "intent"),
    [
        ("queue_depth=10001,workers_alive=8", RESTART),
        ("queue_depth=10000,workers_alive=8", ""),
        ("queue_depth=12450,workers_alive=0", ""),
        ("queue_depth=0,workers_alive=8", ""),
        ("queue_depth=ERROR,workers_alive=8", ""),
        ("queue_depth=12450,workers_alive=ERROR", ""),
        ("queue_depth=08,workers_alive=1", ""),
        ("queue_depth=a[$(touch canary)]1,workers_alive=1", ""),
        ("", ""),
    ],
)
def test_decide(fact: str, intent: str) -> None:
    assert bash('decide "$FACT"', FACT=fact) == intent


def command(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/bash\n{script}\n")
    file.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A machine whose queue is long, and where a restart helps."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command(folder, "redis-cli", f"[[ -e {tmp_path}/restarted ]] && echo 12 || echo 12450")
    command(folder, "pgrep", "[[ $1 == -c ]] && echo 8; exit 0")
    command(folder, "systemctl", f'echo "$*" >>{tmp_path}/restarted')
    return folder


def run(site: ShellSite, tools: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(EXAMPLE), *options],
        env={
            **site.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "NAME": "worker-queue-healer",
            "HEAL_SETTLE": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_cycle_restarts_the_workers_and_sees_that_it_helped(
    site: ShellSite, tools: Path
) -> None:
    assert run(site, tools, "--detect").stdout == "queue_depth=12450,workers_alive=8\n"
    plan = json.loads(run(site, tools, "--plan").stdout)
    assert plan["intent"] == RESTART
    assert plan["verdict"]["allow"] is True
    assert not site.state.exists()
    assert run(site, tools, "--once").returncode == 0
    assert (site.root / "restarted").read_text() == "restart queue-worker.service\n"
    assert site.outcomes() == ["started", "success"]
    assert site.events("success")[0]["fact"] == "queue_depth=12450,workers_alive=8"


def test_a_redis_that_is_down_is_a_fact(site: ShellSite, tools: Path) -> None:
    command(tools, "redis-cli", "echo 'Could not connect' >&2; exit 1")
    assert run(site, tools, "--detect").stdout == "queue_depth=ERROR,workers_alive=8\n"
    assert run(site, tools, "--once").returncode == 0
    cycle = json.loads((site.state / "cycle.json").read_text())
    assert (cycle["fact"], cycle["intent"]) == ("queue_depth=ERROR,workers_alive=8", "")
