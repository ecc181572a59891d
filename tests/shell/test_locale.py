"""A locale in which fractions have a comma: flock(1) reads its seconds by it."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.shell.bashes import ShellSite

SOURCE = Path("/usr/share/i18n/locales/de_DE")


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory with ``de_DE.UTF-8``, for LOCPATH."""
    localedef = shutil.which("localedef")
    if localedef is None or not SOURCE.exists():
        pytest.skip("there is no localedef, or no source of de_DE, to make a locale with a comma")
    folder = tmp_path_factory.mktemp("locales")
    made = folder / "de_DE.UTF-8"
    subprocess.run([localedef, "-i", "de_DE", "-f", "UTF-8", made], check=True, capture_output=True)
    return str(folder)


@pytest.mark.parametrize("variable", ["LANG", "LC_NUMERIC", "LC_ALL"])
def test_an_act_and_its_events_need_no_point(site: ShellSite, locales: str, variable: str) -> None:
    comma = {"LOCPATH": locales, variable: "de_DE.UTF-8"}
    said = site.run("printf '%.1f' 0", **comma)
    assert said.stdout == "0,0", "the locale is not had, so this would prove nothing"
    assert site.act("fix 1", HEAL_SETTLE="0.01", **comma) == "success"
    assert site.act("fix 2", check="bad", **comma) == "verify-failed"
    done = site.run(
        "heal_audit 'fix 3' note; heal_cb_record x failure; heal_rate_check x 1 1", **comma
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert site.outcomes() == ["started", "success", "started", "verify-failed", "note"]


def test_a_second_instance_waits_in_any_locale(site: ShellSite, locales: str) -> None:
    """A lock that no living process is named for is asked for again, with a fraction to wait."""
    site.state.mkdir()
    lock = (site.state / ".singleton").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    loop = site.start(
        "detect() { echo x=1; }; decide() { :; }\n"
        'flock() { mark asked; command flock "$@"; }\n'
        "heal_main detect decide act good --once",
        LOCPATH=locales,
        LANG="de_DE.UTF-8",
    )
    site.await_count("asked", 2)
    lock.close()
    _, err = loop.communicate(timeout=60)
    assert (loop.returncode, err) == (0, "")


@pytest.mark.parametrize("code", [64, 71])
def test_a_lock_that_cannot_be_asked_for_is_not_one_that_is_held(
    site: ShellSite, tmp_path: Path, code: int
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    flock = tools / "flock"
    flock.write_text(f"#!/bin/sh\nexit {code}\n")
    flock.chmod(0o755)
    done = site.run(
        "PATH=$TEST_ROOT/tools:$PATH\n"
        'heal_act_with_guardrails "fix 1" act good; echo "$? $_heal_v_reason"\n'
        "heal_audit note note || echo unsaid\n"
        "detect() { echo x=1; }; decide() { :; }\n"
        "heal_main detect decide act good --once || echo not run"
    )
    ended = f"cannot be locked: flock ended with exit code {code}"
    assert done.stdout == f"1 {site.state}/.guard {ended}\nunsaid\nnot run\n"
    assert f"{site.audit} {ended}" in done.stderr
    assert f"{site.state}/.singleton {ended}" in done.stderr
    assert site.acts() == 0
