"""What the kit's files do to a host: directories made, markers aged, the log rotated in use."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from healconsole.core.auditline import AuditEvent
from healconsole.stores.kitfiles import write_kit
from healconsole.stores.layout import prepare
from healconsole.stores.logspan import read_logs
from healconsole.stores.rotated import rotations
from healconsole.stores.tail import Tail
from tests.engine.sites import many
from tests.ops.kits import NAME, Made, made, passes, tool
from tests.shell.bashes import ShellSite

CONF = f"tmpfiles.d/heal-{NAME}.conf"


@pytest.fixture
def kit(tmp_path: Path) -> Made:
    return made(tmp_path, "bash")


@pytest.fixture
def root(kit: Made, tmp_path: Path) -> Path:
    """Another root, in which the kit is installed and its user is made."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    found = tmp_path / "root"
    (found / "etc").mkdir(parents=True)
    (found / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    (found / "etc" / "group").write_text("root:x:0:\n")
    kit.install(str(found))
    return found


def state_of(root: Path, kit: Made) -> Path:
    return root / kit.kit.state_root.lstrip("/") / NAME


def tmpfiles(root: Path, *words: str) -> str:
    # Only the kit's own file: the sandbox has no other packages.
    return passes(tool("systemd-tmpfiles"), f"--root={root}", *words)


def test_the_users_and_the_directories_are_made(tmp_path: Path) -> None:
    """With the user that the command really writes: heal."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    base = made(tmp_path, "bash")
    folder = tmp_path / "real"
    write_kit(replace(base.kit, user="heal", state_root="/var/lib/heal"), folder)
    kit = Made(replace(base.kit, user="heal", state_root="/var/lib/heal"), folder, base.host)
    root = tmp_path / "root"
    kit.install(str(root))
    passes(tool("systemd-sysusers"), f"--root={root}")
    users = (root / "etc" / "passwd").read_text()
    uid = int(next(line for line in users.splitlines() if line.startswith("heal:")).split(":")[2])
    assert "heal:x:" in users
    assert "nologin" in users
    assert "heal-operators:" in (root / "etc" / "group").read_text()
    tmpfiles(root, "--create")
    state = root / "var" / "lib" / "heal" / NAME
    found = state.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (uid, 0o750)
    textfiles = (root / kit.kit.textfile_dir.lstrip("/")).stat()
    assert (textfiles.st_uid, stat.S_IMODE(textfiles.st_mode)) == (0, 0o2775)


def test_markers_age_and_nothing_else_does(root: Path, kit: Made) -> None:
    tmpfiles(root, "--create")
    state = state_of(root, kit)
    prepare(state, time.time())
    kept = ["rate/s", "cb/s", "claims/0", "dry/rate/s", "hold", "dry-run", "cycle.json"]
    markers = ["keys/" + "a" * 64, "dry/keys/" + "b" * 64]
    for name in kept + markers:
        (state / name).write_text("x\n")
    tmpfiles(root, "--clean")
    assert all((state / name).exists() for name in kept + markers)  # none is a day old

    # The kernel lets nobody set the time of a file's last change, so the day becomes a second.
    conf = root / "etc" / "tmpfiles.d" / f"heal-{NAME}.conf"
    text = conf.read_text()
    assert text.count("- - - 1d\n") == 2
    conf.write_text(text.replace("- - - 1d\n", "- - - 1s\n"))
    deadline = time.monotonic() + 20
    while any((state / name).exists() for name in markers):
        assert time.monotonic() < deadline, "the markers do not age"
        tmpfiles(root, "--clean")
        time.sleep(0.1)
    assert all((state / name).exists() for name in kept)
    assert (state / "keys").is_dir()


@pytest.mark.parametrize(("kind", "ages"), [("e", True), ("d", False), ("D", False)])
def test_only_a_line_of_type_e_takes_a_glob(root: Path, kit: Made, kind: str, ages: bool) -> None:
    """What doctor's finding tmpfiles-glob says, shown on systemd-tmpfiles itself."""
    state = state_of(root, kit)
    prepare(state, time.time())
    (state / "keys" / ("a" * 64)).touch()
    conf = root / "etc" / "tmpfiles.d" / f"heal-{NAME}.conf"
    conf.write_text(f"{kind} {kit.kit.state_root}/*/keys - - - 1s\n")
    deadline = time.monotonic() + (20 if ages else 1.5)
    while (state / "keys" / ("a" * 64)).exists() and time.monotonic() < deadline:
        tmpfiles(root, "--create", "--clean")
        time.sleep(0.1)
    assert (state / "keys" / ("a" * 64)).exists() is not ages


def test_a_d_line_with_an_age_ages_what_is_inside(root: Path, kit: Made) -> None:
    state = state_of(root, kit)
    prepare(state, time.time())
    (state / "keys" / ("a" * 64)).touch()
    conf = root / "etc" / "tmpfiles.d" / f"heal-{NAME}.conf"
    conf.write_text(f"d {state_of(Path('/'), kit)}/keys 0750 - - 1s\n")
    deadline = time.monotonic() + 20
    while (state / "keys" / ("a" * 64)).exists():
        assert time.monotonic() < deadline
        tmpfiles(root, "--clean")
        time.sleep(0.1)


def test_logrotate_takes_the_stanza(kit: Made) -> None:
    Path(kit.kit.audit).parent.mkdir(parents=True)
    said = passes(
        tool("logrotate"), "-d", "-s", str(kit.folder / "s"), kit.path("logrotate.d/heal")
    )
    assert "error" not in said
    assert "create 0640" in kit.text("logrotate.d/heal")


def test_no_event_is_lost_by_a_real_rotation(kit: Made, tmp_path: Path) -> None:
    """Writers in bash and Python, a tail that follows, and logrotate between them."""
    audit = Path(kit.kit.audit)
    audit.parent.mkdir(parents=True, mode=0o750)
    audit.touch()
    count = many(80, 2_000)
    shell = ShellSite(tmp_path, now=None)
    bash = shell.start(
        f'for ((i = 0; i < {count}; i++)); do heal_audit "bash n=$i" success || exit 1; done',
        HEAL_AUDIT_FILE=str(audit),
    )
    writer = (
        "import time\nfrom healconsole.stores.auditlog import AuditWriter\n"
        f"log = AuditWriter({str(audit)!r}, time.time, 'host')\n"
        f"for i in range({count}):\n"
        "    log.append(healer='h', outcome='success', intent=f'python n={i}', reason='')\n"
        "    time.sleep(0.005)\n"
    )
    python = subprocess.Popen([sys.executable, "-c", writer])
    tail = Tail(audit)
    seen: list[str] = []
    rotated = late = 0
    deadline = time.monotonic() + 100
    try:
        while True:
            over = bash.poll() is not None and python.poll() is not None
            step = tail.poll()
            assert step.problem == ""
            # A writer that had opened the log before it was renamed may be that slow: it is told.
            assert step.gap == "" or "goes on in the rotated file" in step.gap
            late += bool(step.gap)
            seen += [one.intent for one in step.lines if isinstance(one, AuditEvent)]
            if len(seen) >= (rotated + 1) * count // 3 and audit.stat().st_size:
                passes(
                    tool("logrotate"), "-f", "-s", str(tmp_path / "state"),
                    kit.path("logrotate.d/heal"),
                )  # fmt: skip
                rotated += 1
            elif over and not step.lines and not step.more:
                break
            assert time.monotonic() < deadline
    finally:
        tail.close()
        bash.kill()
        python.kill()
        _, said = bash.communicate()
        python.wait()
    assert (bash.returncode, python.returncode) == (0, 0), said
    wanted = {f"{who} n={number}" for who in ("bash", "python") for number in range(count)}
    assert rotated >= 3
    assert len(seen) == len(set(seen) & wanted)
    assert len(wanted) - len(seen) <= 2 * late, "one of each writer at most"
    names = {path.name for path in audit.parent.iterdir()}
    assert {"audit.jsonl.1", "audit.jsonl.2.gz"} <= names
    told: list[str] = []
    logs = (*reversed(rotations(audit)), audit)
    for source in read_logs(
        logs, lambda line, _: told.append(line.intent) if isinstance(line, AuditEvent) else None
    ):
        assert source.problem == ""
    assert sorted(told) == sorted(wanted)
    assert stat.S_IMODE(audit.stat().st_mode) == 0o640
