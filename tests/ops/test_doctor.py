"""``healconsole doctor``: nothing on a good host, and on each bad one the one thing that is bad."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from healconsole.core.findings import IDS, examine
from healconsole.stores.hostfacts import gather
from healconsole.stores.look import read_once
from healconsole.stores.redisclock import redis_skew
from tests.cli.program import finished
from tests.ops.hosts import Host, good_host
from tests.ops.spoiled import BAD, BASH, DETECT_ZERO, OWN_BASH, bash


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host on which nothing is to be found."""
    return good_host(tmp_path)


def test_nothing_is_found_on_a_good_host(host: Host) -> None:
    assert host.findings() == []
    assert host.facts().unexamined == ()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_host_has_its_one_finding(host: Host, name: str) -> None:
    expected, spoil, where = BAD[name]
    spoil(host)
    found = host.findings()
    assert {finding.id for finding in found} == {expected}, found
    assert any(where in finding.where for finding in found), found
    for finding in found:
        assert all((finding.what, finding.why, finding.mend))


def test_a_glob_in_a_line_that_takes_none(host: Host) -> None:
    """It ages nothing, and so two things are to be said."""
    host.replace("tmpfiles.d/heal.conf", "e ", "d ")
    assert {found.id for found in host.findings()} == {"tmpfiles-glob", "markers-not-aged"}


def test_a_catalog_that_others_can_write_does_not_count(host: Host) -> None:
    (host.root / "healers.d/queue.toml").chmod(0o666)
    found = [finding for finding in host.findings() if finding.id == "catalog"]
    assert [finding.healer for finding in found] == ["queue"]
    assert "can be written by others" in found[0].why


def test_all_that_a_healer_of_its_own_lacks(host: Host) -> None:
    host.program("queue.sh", OWN_BASH)
    assert {found.id for found in host.findings()} == {
        "no-idempotency", "no-rate-limit", "no-breaker", "no-verification",
    }  # fmt: skip


@pytest.fixture
def running(host: Host) -> Iterator[Callable[[], int]]:
    """Start the healer ``queue`` as a process that runs until the test ends."""
    # It waits without a child: the test ends what it started, and nothing else.
    script = BASH.format(body="read -r _ <> <(:)\nheal_main detect decide restart drains")
    path = host.program("queue.sh", script.replace("source /usr/share/heal.sh\n", "", 1))
    host.replace("sbin/queue.sh", "heal_main", ". heal.sh; heal_main")
    started: list[subprocess.Popen[bytes]] = []

    def start() -> int:
        child = subprocess.Popen(["bash", str(path)], stdin=subprocess.DEVNULL)
        started.append(child)
        deadline = time.monotonic() + 10
        while not Path(f"/proc/{child.pid}/cmdline").read_bytes().startswith(b"bash\0"):
            assert time.monotonic() < deadline
        return child.pid

    yield start
    for child in started:
        child.kill()
        child.wait()


def test_two_processes_of_one_healer(host: Host, running: Callable[[], int]) -> None:
    first = running()
    assert host.findings() == []
    second = running()
    (found,) = host.findings()
    assert (found.id, found.healer) == ("two-instances", "queue")
    assert str(first) in found.where
    assert str(second) in found.where


def test_an_editor_is_no_second_instance(host: Host, running: Callable[[], int]) -> None:
    running()
    script = host.root / "sbin" / "queue.sh"
    with subprocess.Popen(["tail", "-f", str(script)], stdout=subprocess.DEVNULL) as reader:
        assert host.findings() == []
        reader.kill()


def test_the_clock_of_redis(host: Host, redis_url: str) -> None:
    host.redis = redis_url
    assert host.findings() == []
    assert abs(redis_skew(redis_url, time.time)) < 1
    host.clock = lambda: time.time() - 10
    (found,) = host.findings()
    assert found.id == "clock-skew"
    assert "10.0 s ahead of" in found.what


def test_a_redis_that_does_not_answer_and_its_password(host: Host) -> None:
    host.redis = "redis://:topsecret@127.0.0.1:1/0"
    (found,) = host.findings()
    assert found.id == "redis-unknown"
    assert "topsecret" not in str(found)


def test_a_disk_without_the_room_that_is_asked_for(host: Host) -> None:
    host.least_free = 100
    assert {found.id for found in host.findings()} == {"disk-full"}


@pytest.mark.parametrize("how", ["cron", "unit"])
def test_a_nightly_gc_ages_markers_as_well(host: Host, how: str) -> None:
    (host.root / "tmpfiles.d/heal.conf").unlink()
    if how == "cron":
        host.write("cron.d/heal", "17 4 * * * root healconsole --config /x gc --age 2d\n")
    else:
        host.write("systemd/lib/gc.service", "[Service]\nExecStart=/usr/bin/healconsole gc\n")
    assert host.findings() == []


def test_a_timer_or_a_crontab_needs_no_watchdog(host: Host) -> None:
    host.replace("systemd/etc/queue.service", "Type=notify", "Type=oneshot")
    host.replace("systemd/etc/queue.service", "WatchdogSec=3min\n", "")
    (host.root / "systemd/etc/worker.service").unlink()
    host.write("cron.d/worker", f"* * * * * heal python3 {host.root}/sbin/worker.py --once\n")
    assert host.findings() == []


def test_what_cannot_be_examined_is_said(host: Host) -> None:
    host.write("sbin/queue.sh", "\x7fELF\0\1", 0o755)
    (host.root / "sbin" / "worker.py").unlink()
    (host.root / "sbin" / "reaper.toml").unlink()
    os.mkfifo(host.root / "sbin" / "reaper.toml")
    assert host.findings() == []
    assert dict(host.facts().unexamined) == {
        f"{host.root}/sbin/queue.sh": "it is neither bash, Python nor a declaration in TOML",
        f"{host.root}/sbin/worker.py": "it is not there",
        f"{host.root}/sbin/reaper.toml": "a FIFO, not a regular file",
    }


def doctor(host: Host, *words: str) -> subprocess.CompletedProcess[str]:
    around = {"PATH": os.environ["PATH"], "HOME": str(host.root), "LANG": "C.UTF-8"}
    return finished(["doctor", *words, *host.options], around)


def test_the_command_and_its_exit_codes(host: Host) -> None:
    done = doctor(host)
    assert (done.returncode, done.stdout) == (0, "3 healers examined, no findings\n"), done.stderr
    bash(host, DETECT_ZERO)
    done = doctor(host)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "✖ error-as-zero  queue: turns a failed measurement into a zero"
    assert [line.split()[0] for line in lines[1:4]] == ["where", "why", "mend"]
    assert f"{host.root}/sbin/queue.sh:6" in lines[1]
    assert lines[4] == "3 healers examined, 1 finding"
    assert doctor(host, "worker").returncode == 0
    assert doctor(host, "--skip", "error-as-zero").returncode == 0
    assert doctor(host, "--skip", "nonsense").returncode == 2


def test_the_object_for_programs(host: Host) -> None:
    bash(host, DETECT_ZERO)
    done = doctor(host, "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert answer["healers"] == ["queue", "reaper", "worker"]
    assert answer["unexamined"] == []
    (found,) = answer["findings"]
    assert sorted(found) == ["healer", "id", "mend", "what", "where", "why"]
    assert (found["id"], found["healer"]) == ("error-as-zero", "queue")


WATCHED = """
import os, sys
RUNS = {"os.exec", "os.posix_spawn", "os.system", "os.fork", "subprocess.Popen", "pty.spawn"}
CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.utime"}
CHANGES |= {"os.truncate", "os.link", "os.symlink"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
seen = []
def hook(event, args):
    if event in RUNS | CHANGES or (event == "open" and (args[2] or 0) & WRITING):
        seen.append((event, args))
from healconsole.cli.main import main
import healconsole.cli.doctor
sys.dont_write_bytecode = True
sys.addaudithook(hook)
code = main(sys.argv[1:])
assert not seen, seen
sys.exit(code)
"""


def test_nothing_that_is_found_is_run_and_nothing_is_changed(host: Host) -> None:
    canary = host.root / "canary"
    touch = f"touch {canary}"
    host.program("queue.sh", f"#!/bin/bash\n{touch}\n$({touch})\n(( a[$({touch})] ))\n")
    host.program("worker.py", f"import os\nos.system({touch!r})\n")
    host.write("systemd/etc/evil.service", f"[Service]\nExecStart=/bin/sh -c '{touch}'\n")
    host.write("tmpfiles.d/evil.conf", f"f $({touch}) - - - - `{touch}`\n")
    host.write("logrotate.d/evil", f"/x {{\n prerotate\n {touch}\n endscript\n}}\n")
    host.write("cron.d/evil", f"* * * * * root {touch}\n")
    host.write("state/queue/cb/x", f"a[$({touch})] 1\n")
    before = {path: path.stat().st_mtime_ns for path in host.root.rglob("*")}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, "doctor", *host.options],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "AssertionError" not in done.stderr
    assert not canary.exists()
    assert {path: path.stat().st_mtime_ns for path in host.root.rglob("*")} == before


def test_every_finding_has_a_host_and_stands_in_the_manual(host: Host) -> None:
    from healconsole.cli.manualhost import DOCTOR

    others = {"tmpfiles-glob", "catalog", "clock-skew", "redis-unknown", "disk-full"}
    assert {bad.finding for bad in BAD.values()} | others == set(IDS)
    assert all(finding in DOCTOR.split() for finding in IDS)


def test_a_finding_is_skipped_by_its_name(host: Host) -> None:
    host.program("queue.sh", OWN_BASH)
    facts = gather(host.config, read_once(host.config, time.time), host.places, time.time)
    assert "no-breaker" in {found.id for found in examine(facts)}
    assert "no-breaker" not in {found.id for found in examine(facts, {"no-breaker"})}
