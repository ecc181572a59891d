"""Files that a healer may not read: mode 000, or somebody else's. Both deny, in the same words.

Root reads everything, so as root the acts run as nobody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from healconsole import Guard
from healconsole.core.intent import marker_key
from healconsole.stores.layout import prepare
from tests.engine.sites import OPEN_POLICY, Site, forked
from tests.shell.bashes import NOON, SHELL, ShellSite

NOBODY = 65_534
KEY = marker_key("fix", NOON // 300)
PATHS = ("hold", "rate/fix", "cb/fix", "claims/0", f"keys/{KEY}")

ACT = """
source "$TEST_ROOT/shell/heal.sh"
_heal_clock() { _heal_now=$TEST_NOW _heal_ms=0; }
act() { printf . >>"$TEST_ROOT/acted"; }
good() { :; }
heal_act_with_guardrails fix act good
printf '%s|%s' "$_heal_outcome" "$_heal_v_reason"
"""


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that nobody can go into; pytest's own are root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="heal-"))
    try:
        shutil.copytree(SHELL, folder / "shell")
        prepare(folder / "h", NOON)
        (folder / "audit.jsonl").touch()
        for path in (folder, *folder.rglob("*")):
            if os.geteuid() == 0:
                os.chown(path, NOBODY, NOBODY)
        yield folder
    finally:
        shutil.rmtree(folder)


def unprivileged() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def bash(root: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", ACT],
        env=ShellSite(root).environ,
        cwd=root,
        preexec_fn=unprivileged,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout


def python(root: Path) -> str:
    site = Site(root)

    def work() -> None:
        unprivileged()
        guard = Guard("h", OPEN_POLICY, state_dir=site.state, audit=site.audit, clock=lambda: NOON)
        result = guard.run("fix", site.act, lambda: True)
        (root / "told").write_text(f"{result.outcome}|{result.reason}")

    assert forked(work) == 0
    return (root / "told").read_text()


@pytest.mark.parametrize("whose", ["mode 000", "of another user"])
def test_what_cannot_be_read_is_corrupt_and_denies_both(root: Path, whose: str) -> None:
    if whose == "of another user" and os.geteuid() != 0:
        pytest.skip("only root can make a file of another user")
    for path in PATHS:
        file = root / "h" / path
        file.touch(mode=0o000 if whose == "mode 000" else 0o600)
        if os.geteuid() == 0 and whose == "mode 000":
            os.chown(file, NOBODY, NOBODY)
        ours, theirs = bash(root), python(root)
        assert ours == theirs
        assert ours.startswith(f"denied|{path} is corrupt: not readable"), path
        file.unlink()
    for folder in ("keys", "rate", "cb", "claims", ""):
        place = root / "h" / folder
        place.chmod(0o000)
        if os.geteuid() == 0 and whose != "mode 000":
            os.chown(place, 0, 0)
        ours, theirs = bash(root), python(root)
        assert ours == theirs, folder
        assert ours.startswith("denied|"), folder
        assert "is corrupt: not readable" in ours, folder
        place.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(place, NOBODY, NOBODY)
    assert not (root / "acted").exists()
    assert Site(root).events("denied")
    assert bash(root) == "success|all guardrails pass"
