"""Root works on a state directory whose owner swaps links under it: nothing outside is touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from itertools import count
from pathlib import Path

import pytest

from healconsole.core.acts import plan_reset, plan_trip
from healconsole.core.plan import ActRefused
from healconsole.core.records import BreakerRecord, Corrupt
from healconsole.core.snapshot import HealerState
from healconsole.stores.apply import ChangedUnderneath, NotApplied, apply_plan
from healconsole.stores.auditlog import AuditWriter
from healconsole.stores.layout import prepare
from healconsole.stores.statedir import read_healer
from tests.stores.children import NOBODY, fork

LONG = os.environ.get("HEALCONSOLE_LONG") == "1"
ROUNDS = 10_000 if LONG else 400
NOW = 1_764_000_000
SECRET = 77_777
"""Failures in the breaker that only root can read; no healer of the attacker's has as many."""
SWAPPED = (
    "h", "h/cb", "h/cb/fix", "h/rate", "h/rate/fix", "h/claims", "h/keys", "h/hold", "h/.guard",
    "h/.scratch", "h/aside", "h/cycle.json",
)  # fmt: skip

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be attacked as root")


def fill(folder: Path, failures: int) -> None:
    """A healer's directory whose breaker has failed ``failures`` times."""
    prepare(folder / "h", NOW)
    state = f"{failures} {NOW - 100} 3 600 open {NOW + 500}\n"
    (folder / "h/cb/fix").write_text(state)
    (folder / "h/rate/fix").write_text(f"{NOW} 1.000000 0.016700 {failures}\n")
    (folder / "h/hold").write_text(f"on {NOW} 0 user-{failures}\n")
    (folder / "h/.guard").touch()
    (folder / "h/aside").mkdir(exist_ok=True)
    (folder / "h/cycle.json").write_text("{}\n")


def give(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def swap_for_ever(root: Path, victim: Path) -> None:
    """Put a link to the victim's in the place of each, and take it back, as nobody."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.chdir(root)
    away = Path("away")
    while True:
        for name in SWAPPED:
            mine = Path(name)
            with contextlib.suppress(OSError):
                mine.rename(away)
            with contextlib.suppress(OSError):
                mine.symlink_to(victim / name)
            with contextlib.suppress(OSError):
                mine.unlink()
            if os.path.lexists(away):
                if mine.is_dir() and not mine.is_symlink():
                    shutil.rmtree(mine, ignore_errors=True)  # root has made it anew meanwhile
                with contextlib.suppress(OSError):
                    away.rename(mine)
        time.sleep(0.003)  # so that root finds it whole now and then, and acts


def pictured(folder: Path) -> dict[str, tuple[int, int, int, int, bytes]]:
    """Names, owners, modes, times of change and bytes of everything below ``folder``."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        info = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (info.st_uid, info.st_gid, info.st_mode, info.st_ctime_ns, data)
    return found


def saw_the_secret(healer: HealerState) -> bool:
    breakers = [each.record for each in healer.breakers]
    buckets = [each.record for each in healer.buckets]
    hold = healer.hold
    return (
        any(isinstance(each, BreakerRecord) and each.failures == SECRET for each in breakers)
        or any(not isinstance(each, Corrupt) and each.burst == SECRET for each in buckets)
        or (hold is not None and not isinstance(hold, Corrupt) and str(SECRET) in hold.operator)
    )


def test_an_owner_that_swaps_links_reaches_nothing_of_roots(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    root, victim = tmp_path / "state", tmp_path / "victim"
    root.mkdir()
    victim.mkdir()
    fill(root, 3)
    fill(victim, SECRET)
    victim.chmod(0o700)
    give(root)
    for parent in tmp_path.parents:
        if not (mode := parent.stat().st_mode) & 0o001:
            parent.chmod(mode | 0o011)
    before = pictured(victim)
    audit = AuditWriter(tmp_path / "audit.jsonl", lambda: float(NOW), "web1")
    attacker = fork(lambda: swap_for_ever(root, victim))
    sound = applied = 0
    try:
        deadline = time.monotonic() + 120 * (10 if LONG else 1)
        for number in count():
            if number >= ROUNDS and applied and 0 < sound < number:
                break
            assert time.monotonic() < deadline, "one of the two never had a chance"
            healer = read_healer(root, "h", with_markers=True)
            assert not saw_the_secret(healer)
            sound += bool(healer.breakers)
            try:
                plan = (
                    plan_trip(healer, None, None, "ada", NOW)
                    if number % 2
                    else plan_reset(healer, None, "closed", NOW)
                )
                apply_plan(
                    root, plan, audit=audit, operator={"user": "ada"}, reason="race",
                    incident="", now=NOW,
                )  # fmt: skip
                applied += 1
            except (ActRefused, ChangedUnderneath, NotApplied):
                continue
    finally:
        os.kill(attacker, signal.SIGKILL)
        os.waitpid(attacker, 0)
    assert pictured(victim) == before
