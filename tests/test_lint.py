"""The rules of the house that tools can check: types, lint, and the shell's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def tool(name: str) -> str:
    """The tool of this environment, else of the machine."""
    found = shutil.which(name, path=str(BIN)) or shutil.which(name)
    assert found, f"{name} comes with the extra 'test'; install it again"
    return found


def run(*argv: str) -> None:
    """Run a checker; what it prints is the failure."""
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def shell_files() -> list[str]:
    """Every shell file: by its name, or by its first line."""
    found = [
        path
        for folder in ("healconsole", "tests", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and (path.suffix == ".sh" or _is_bash(path))
    ]
    assert len(found) > 5
    return sorted(str(path.relative_to(ROOT)) for path in found)


def _is_bash(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == "" and file.readline(32).startswith(b"#!/usr/bin/env bash")


@pytest.mark.timeout(300)
def test_types_are_strict() -> None:
    run(tool("mypy"))


def test_ruff_has_nothing_to_say() -> None:
    run(tool("ruff"), "check", ".")


def test_ruff_would_format_nothing() -> None:
    run(tool("ruff"), "format", "--check", ".")


def test_shellcheck_has_nothing_to_say() -> None:
    run(tool("shellcheck"), "-x", "-P", "SCRIPTDIR", *shell_files())


def test_shfmt_would_change_nothing() -> None:
    run(tool("shfmt"), "-i", "2", "-ci", "-d", *shell_files())
