"""What a healer tells systemd, on a real notify socket that asks the kernel who speaks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healconsole.core.cycle import parse_cycle, status_line
from healconsole.core.records import CycleRecord
from tests.engine.healers import Program, ended
from tests.engine.sites import Site
from tests.ops.managers import Manager, manager
from tests.shell.bashes import DRIVER, SHELL, ShellSite

USEC = 2_400_000
"""What the watchdog allows, in microseconds; half of it is the longest silence."""
HALF = USEC / 2_000_000

BASH = """
detect() { sleep "${SLOW_DETECT:-0}"; echo depth=1; }
decide() { printf '%s\\n' "${INTENT-fix}"; }
slow() { [[ -z ${NOTIFY_SOCKET-}${WATCHDOG_USEC-} ]] || mark leaked; mark acting; sleep "$SLOW"; }
heal_main detect decide slow good $OPTIONS
"""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Manager]:
    with manager(tmp_path / "notify") as found:
        yield found


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    found = Program(Site(tmp_path))
    yield found
    found.end()


@pytest.fixture
def shell(tmp_path: Path) -> ShellSite:
    if not shutil.which("systemd-notify"):
        pytest.skip("systemd-notify is not installed")
    return ShellSite(tmp_path, now=None)


def watched(systemd: Manager, usec: int = USEC) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": str(usec)}


def assert_alive_through(systemd: Manager, settle: float) -> None:
    """Ready first; then no silence over half of WatchdogSec until the cycle has its verdict."""
    ready = systemd.until("READY=1")
    assert systemd.heard == [ready]
    status = systemd.until("STATUS=")
    assert status.at - ready.at > settle > HALF  # silence through it would have been noticed
    assert max(systemd.gaps(ready.at, status.at)) <= HALF
    assert status.text == "STATUS=allowed: all guardrails pass, success: fix"


def test_python_gives_signs_of_life_while_it_acts_and_settles(
    systemd: Manager, program: Program
) -> None:
    program.says(
        intent="fix",
        detect="time.sleep(1.4)",
        act="time.sleep(1.4); mark('leaked') if os.environ.get('NOTIFY_SOCKET') else None",
    )
    child = program.start("--interval", "3600", HEAL_SETTLE="1.4", **watched(systemd))
    assert_alive_through(systemd, 4.2)
    child.send_signal(signal.SIGTERM)
    systemd.until("STOPPING=1")
    assert ended(child)[0] == 0
    # NotifyAccess=main is enough: nobody but the main process has said a word.
    assert {one.pid for one in systemd.heard} == {child.pid}
    assert program.site.count("leaked") == 0


def test_bash_gives_signs_of_life_while_it_acts_and_settles(
    systemd: Manager, shell: ShellSite
) -> None:
    environ = {"SLOW": "1.4", "SLOW_DETECT": "1.4", "HEAL_SETTLE": "1.4"}
    child = shell.start(BASH, OPTIONS="--interval 3600", **environ, **watched(systemd))
    try:
        assert_alive_through(systemd, 4.2)
        child.terminate()
        systemd.until("STOPPING=1")
        assert child.wait(20) == 0
    finally:
        child.kill()
        child.communicate()
    assert shell.count("leaked") == 0
    if os.geteuid() == 0:  # root may speak for the main process
        assert {one.pid for one in systemd.heard} == {child.pid}


def test_bash_without_privileges_speaks_through_a_child() -> None:
    """Why its unit has NotifyAccess=all: the kernel lets nobody else speak for another process."""
    if os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("systemd-notify"):
        pytest.skip("needs root, setpriv and systemd-notify")
    nobody = 65_534
    # Nobody can look into a directory of pytest's, or maybe of this checkout.
    with tempfile.TemporaryDirectory() as folder, manager(Path(folder) / "notify") as systemd:
        root = Path(folder)
        shutil.copytree(SHELL, root / "healconsole" / "shell")
        (root / "tests" / "shell").mkdir(parents=True)
        driver = shutil.copy(DRIVER, root / "tests" / "shell")
        site = ShellSite(root, now=None)
        site.state.mkdir()
        for path in (root, site.state):
            os.chown(path, nobody, nobody)
        as_nobody = ("setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", "--")
        environ = {**site.environ, "OPTIONS": "--interval 3600", "INTENT": "", **watched(systemd)}
        child = subprocess.Popen(
            [*as_nobody, "bash", driver, BASH], env=environ, stdin=subprocess.DEVNULL, cwd="/"
        )
        try:
            ready = systemd.until("READY=1")
            assert (ready.uid, ready.pid != child.pid) == (nobody, True)
            assert systemd.until("WATCHDOG=1").uid == nobody
            assert systemd.until("STATUS=").text == "STATUS=nothing to do"
        finally:
            child.terminate()
            child.wait(20)


def test_a_watchdog_that_is_no_number_is_no_code(shell: ShellSite, systemd: Manager) -> None:
    hostile = {"WATCHDOG_USEC": 'a[$(touch "$TEST_ROOT/canary")]', "WATCHDOG_PID": ""}
    child = shell.start(
        BASH, OPTIONS="--interval 3600", INTENT="", SLOW="0", **{**watched(systemd), **hostile}
    )
    systemd.until("STATUS=nothing to do")
    child.terminate()
    child.communicate(timeout=20)
    assert not (shell.root / "canary").exists()
    assert "WATCHDOG=1" not in {one.text for one in systemd.heard}


@pytest.mark.parametrize("other", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"}])
def test_no_sign_of_life_where_nobody_waits_for_it(
    systemd: Manager, shell: ShellSite, program: Program, other: dict[str, str]
) -> None:
    environ = {**watched(systemd, 30_000), **other}
    program.says(intent="")
    for bash in (False, True):
        if bash:
            child = shell.start(BASH, OPTIONS="--interval 3600", INTENT="", **environ)
        else:
            child = program.start("--interval", "3600", **environ)
        systemd.until("STATUS=nothing to do")
        quiet = time.monotonic() + 0.3
        while (left := quiet - time.monotonic()) > 0:
            assert systemd.hear(left) is None
        child.terminate()
        systemd.until("STOPPING=1")
        child.communicate(timeout=20)
    assert "WATCHDOG=1" not in {one.text for one in systemd.heard}


HOSTILE = (
    ("fix", "denied by idempotency: acted on"),
    ("a\x1bb\nSTOPPING=1", "denied by intent: intent holds the control character U+001B"),
    ("größe " + "ü" * 400, "allowed: all guardrails pass, success: größe ü"),
)


def test_both_say_the_last_verdict_in_one_line(
    systemd: Manager, shell: ShellSite, program: Program
) -> None:
    for intent, _ in HOSTILE:
        quoted = "".join(f"\\x{byte:02x}" for byte in intent.encode())
        script = BASH.replace("'%s\\n' \"${INTENT-fix}\"", f"'{quoted}\\n'")
        for _ in range(2 if intent == "fix" else 1):
            shell.run(script, OPTIONS="--once", SLOW="0", **watched(systemd))
        record = parse_cycle((shell.state / "cycle.json").read_bytes(), "cycle.json")
        assert isinstance(record, CycleRecord)
        while (found := systemd.hear(0.2)) is not None:
            last = found
        assert last.text == f"STATUS={status_line(record)}"
        assert "\n" not in last.text
        assert len(last.text.encode()) <= 257
        assert last.text.startswith(f"STATUS={dict(HOSTILE)[intent]}")


def test_without_systemd_notify_bash_says_so_and_runs(shell: ShellSite, tmp_path: Path) -> None:
    """A PATH with all but it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "flock", "sha256sum", "sync", "mv", "rm", "mkdir", "cat", "tail", "sleep"):
        (tools / name).symlink_to(str(shutil.which(name)))
    environ = {"PATH": str(tools), "NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000000"}
    child = shell.start(BASH, OPTIONS="--interval 3600", SLOW="0", **environ)
    shell.await_count("acting", 1)
    child.terminate()
    _, said = child.communicate(timeout=20)
    assert child.returncode == 0
    assert said.count("there is no systemd-notify") == 1


def test_a_timeout_still_ends_what_is_watched(systemd: Manager, program: Program) -> None:
    program.says(intent="", detect="time.sleep(60)")
    child = program.start(
        "--interval", "3600", HEAL_CHECK_TIMEOUT="0.5", **watched(systemd, 90_000)
    )
    systemd.until("STATUS=")
    child.terminate()
    assert ended(child)[0] == 0
    raw = (program.site.state / "cycle.json").read_bytes()
    assert b"detect timed out after 0.5 s" in raw
