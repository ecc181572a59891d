"""Completion in the real shells, by the key that asks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import Site
from tests.terminal import Terminal

OFFERS = (
    ("healconsole re", {"reset", "release", "report"}),
    ("healconsole reset --to ", {"half-open", "closed"}),
    ("healconsole trip wor", {"worker-queue-healer"}),
    ("healconsole completion ", {"bash", "zsh", "fish"}),
)


def script(site: Site, shell: str, path: Path) -> Path:
    """The completion script in a file; there is a healer whose name would like to be run."""
    (site.state / "wor$(touch canary)").mkdir()
    path.parent.mkdir(exist_ok=True)
    path.write_text(site.run("completion", shell, options=False).stdout, encoding="utf-8")
    return path


def environment(site: Site) -> dict[str, str]:
    """Of a shell on the site; the program itself is not needed to complete it."""
    return {**site.environment, "HEAL_STATE_ROOT": str(site.state), "PATH": os.environ["PATH"]}


def ask(site: Site, argv: list[str], setup: str) -> None:
    """Type each line and the key in an interactive shell, and see what it offers."""
    with Terminal(argv, environment(site), columns=100, rows=30, cwd=str(site.root)) as terminal:
        terminal.send(f"{setup}; PS1='rea''dy> '\n")
        terminal.wait_for("\nready>")
        for line, offered in OFFERS:
            terminal.send(f"\x15{line}\t\t")

            def shown(text: str, offered: set[str] = offered) -> bool:
                return offered <= set(text.split())

            terminal.wait_for(shown)
            terminal.send("\x15clear\n")
            terminal.wait_for(lambda text: text.strip() == "ready>")
    assert not (site.root / "canary").exists()


def test_bash_offers(site: Site) -> None:
    file = script(site, "bash", site.root / "completion.bash")
    ask(site, ["bash", "--norc", "--noprofile", "-i"], f"source {file}")


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
def test_zsh_offers(site: Site) -> None:
    file = script(site, "zsh", site.root / "functions" / "_healconsole")
    setup = f"fpath=({file.parent} $fpath); autoload -Uz compinit; compinit -D -u"
    ask(site, ["zsh", "-f", "-i"], setup)


@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish")
def test_fish_offers(site: Site) -> None:
    file = script(site, "fish", site.root / "healconsole.fish")
    for line, offered in OFFERS:
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {file}; complete -C '{line}'"],
            env=environment(site), cwd=site.root, capture_output=True, text=True, check=False,
            timeout=30,
        )  # fmt: skip
        assert done.stderr == ""
        assert {row.split("\t")[0] for row in done.stdout.splitlines()} >= offered
    assert not (site.root / "canary").exists()
