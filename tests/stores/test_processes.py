"""One process is never taken for another, nor a dead one for one that lives."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from pathlib import Path

from healconsole.stores.processes import boot_id, identity, is_alive, lock_holder, own_identity
from tests.stores.children import fork


def test_this_process_lives() -> None:
    pid, start, boot = own_identity()
    assert pid == os.getpid()
    assert is_alive(pid, start, boot)
    assert not is_alive(pid, start + 1, boot)
    assert not is_alive(pid, start, "00000000")
    assert len(boot_id()) == 8


def test_a_killed_child_is_dead_before_it_is_reaped() -> None:
    child = fork(signal.pause)
    start = identity(child)
    assert start is not None
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert identity(child) is None
    os.waitpid(child, 0)
    assert identity(child) is None


def test_a_command_with_brackets_and_blanks_in_its_name(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "30"]) as child:
        try:
            start = identity(child.pid)
            own = own_identity()[1]
            assert start is not None
            assert own <= start < own + 1_000_000
        finally:
            child.kill()


def test_pids_that_are_none() -> None:
    assert identity(0) is None
    assert identity(-1) is None
    assert identity(2**31) is None


def test_the_holder_of_a_lock_is_told_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    info = os.fstat(fd)
    assert lock_holder(info.st_dev, info.st_ino) is None
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert lock_holder(info.st_dev, info.st_ino) == os.getpid()
    os.close(fd)
    assert lock_holder(info.st_dev, info.st_ino) is None
