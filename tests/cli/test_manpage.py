"""The man pages: complete, and printed by the real man without a complaint."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from healconsole.cli.manpage import man_pages
from healconsole.cli.parser import build_parser, split_command_line

PAGES = man_pages(build_parser(), "0.1.0")


def subparsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command."""
    (action,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def test_there_is_a_page_for_the_program_and_each_command() -> None:
    assert set(PAGES) == {"healconsole.1", *(f"healconsole-{name}.1" for name in subparsers())}


@pytest.mark.parametrize("name", ["", *subparsers()])
def test_a_page_has_every_argument_and_all_of_the_help(name: str) -> None:
    parser = subparsers()[name] if name else build_parser()
    page = PAGES[f"healconsole-{name}.1" if name else "healconsole.1"].replace("\\-", "-")
    for action in parser._actions:
        for flag in action.option_strings:
            assert f"\\fB{flag}\\fP" in page
    for word in " ".join((parser.description or "", parser.epilog or "")).split():
        if word.isalpha() and word not in {"examples", "files"}:
            assert word in page, word
    assert (".SH EXAMPLES" in page) is ("examples:\n" in (parser.epilog or ""))


@pytest.mark.skipif(not shutil.which("man"), reason="needs man")
def test_man_prints_them_without_a_complaint(tmp_path: Path) -> None:
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["man", "--warnings=w", "-P", "cat", "-l", *sorted(map(str, tmp_path.iterdir()))],
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "MANWIDTH": "120"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "healconsole trip worker-queue-healer --for 30m --reason 'deploy 5121'" in done.stdout


def examples() -> list[str]:
    """Every call of the program that a help page shows, without what the shell does with it."""
    pages = [parser.epilog or "" for parser in (build_parser(), *subparsers().values())]
    lines = re.findall(r"^ +(?:\S+ )*?(healconsole .*)$", "\n".join(pages), re.MULTILINE)
    return [re.split(r" {2,}| [|>] ", line)[0] for line in lines]


def test_every_example_can_be_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "worker-queue.toml").touch()
    assert len(examples()) > 30
    for example in examples():
        arguments, _ = split_command_line(shlex.split(example)[1:])
        build_parser().parse_args([word for word in arguments if word != "$ARG1$"])
