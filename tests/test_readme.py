"""Every command of the README is run, on a site of its own."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.files import event, write_healers
from tests.terminal import Terminal

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
HEALER = "worker-queue-healer"

ON_A_TERMINAL = {"healconsole", "healconsole --read-only", "healconsole --wall"}
CODES = {f"healconsole run {HEALER} --reason 'try the repaired queue'": 0}


def blocks(language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """The commands of the operator's guide, in order, without their comments."""
    guide = README.partition("# The operator's guide")[2]
    lines = re.findall(r"^```sh\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    return [
        re.sub(r"\s+#.*$", "", line)
        for block in lines
        for line in block.splitlines()
        if line.startswith("healconsole")
    ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One healer with a catalog entry, on which the guide's commands make sense."""
    path = tmp_path_factory.mktemp("readme")
    made = write_healers(path / "state", 1)[0].rename(path / "state" / HEALER)
    (made / "cb" / "restart_worker").write_text(f"3 {2**31 // 2} 3 600 open {2**31}\n")
    (path / "audit.jsonl").write_bytes(event(1_764_000_000.0, 1, HEALER))
    script = path / "healer.sh"
    script.write_text(
        '#!/usr/bin/env bash\nsource "$(healconsole heal-sh)"\n'
        "detect() { printf 'queue_depth=1'; }\ndecide() { :; }\nact() { :; }\ncheck() { :; }\n"
        'heal_main detect decide act check "$@"\n'
    )
    (path / "catalog").mkdir(mode=0o700)
    (path / "catalog" / f"{HEALER}.toml").write_text(
        f'command = ["/bin/bash", "{script}", "--once"]\n'
        f'environment = {{ NAME = "{HEALER}", PATH = "{BIN}:/usr/bin:/bin" }}\n'
    )
    return path


@pytest.fixture(scope="module")
def environment(site: Path) -> dict[str, str]:
    """The options of the guide's table, by their environment variables."""
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(site),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "HEAL_STATE_ROOT": str(site / "state"),
        "HEAL_AUDIT_FILE": str(site / "audit.jsonl"),
        "HEALCONSOLE_CATALOG": str(site / "catalog"),
    }


def test_the_guide_has_its_commands() -> None:
    assert len(commands()) >= 15
    assert set(commands()) >= ON_A_TERMINAL | set(CODES)


def test_every_command_without_a_screen_works_in_order(
    site: Path, environment: dict[str, str]
) -> None:
    for command in commands():
        if command in ON_A_TERMINAL:
            continue
        done = subprocess.run(
            ["bash", "-c", command],
            env=environment, cwd=site, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == CODES.get(command, 0), f"{command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", sorted(ON_A_TERMINAL))
def test_every_command_with_a_screen_opens_and_quits(
    command: str, environment: dict[str, str]
) -> None:
    with Terminal(command.split(), environment, columns=120, rows=40) as terminal:
        terminal.wait_for(HEALER)
        terminal.send("q")
        assert terminal.wait_end() == 0


def test_the_demo_command_is_the_one_that_installs_the_demo() -> None:
    assert ".[demo]" in blocks("sh")[0]
    assert "healconsole demo" in blocks("sh")[0]


def test_the_snippets_are_code() -> None:
    for snippet in blocks("python"):
        ast.parse(snippet)
    for snippet in blocks("bash"):
        subprocess.run(["bash", "-n", "-c", snippet], check=True)


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)
