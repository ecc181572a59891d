"""One at a time, in turn, never for ever; and a lock ends with its holder."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healconsole.stores.files import open_dir
from healconsole.stores.locks import LockTimeout, locked
from tests.stores.children import end, fork, lock_holder, until_open, wait


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = open_dir(tmp_path)
    yield opened
    os.close(opened)


def test_one_at_a_time_across_processes(tmp_path: Path, fd: int) -> None:
    counter = tmp_path / "n"
    counter.write_text("0")

    def add() -> None:
        for _ in range(50):
            with locked(fd):
                counter.write_text(str(int(counter.read_text()) + 1))

    for child in [fork(add) for _ in range(16)]:
        wait(child)
    assert counter.read_text() == "800"


def test_a_lock_that_is_held_is_not_waited_for_forever(fd: int) -> None:
    with locked(fd):
        began = time.monotonic()
        with pytest.raises(LockTimeout, match="held by another"), locked(fd, timeout=0.1):
            pass
        assert time.monotonic() - began < 5


def test_a_killed_holder_lets_go(tmp_path: Path, fd: int) -> None:
    with lock_holder(tmp_path / ".guard") as holder:
        end(holder)
        with locked(fd, timeout=1):
            pass


def test_a_child_does_not_inherit_the_lock(fd: int) -> None:
    with locked(fd):
        orphan = subprocess.Popen(["sleep", "30"], close_fds=False)
        bystander = fork(signal.pause)  # forked, and never execs
    try:
        with locked(fd, timeout=0.1):
            pass
    finally:
        orphan.kill()
        orphan.wait()
        end(bystander)


def test_a_lock_file_that_was_replaced_while_waiting_does_not_count(
    tmp_path: Path, fd: int
) -> None:
    path = tmp_path / ".guard"

    def wait_and_hold() -> None:
        with locked(fd, timeout=60) as lock:
            assert os.path.samestat(os.fstat(lock), path.stat())

    with lock_holder(path) as holder:
        child = fork(wait_and_hold)
        until_open(child, path)
        path.rename(tmp_path / "old")
        path.touch()
        end(holder)
        wait(child)


@pytest.mark.parametrize("kind", ["fifo", "directory", "link"])
def test_a_lock_that_is_no_file_is_refused_at_once(tmp_path: Path, fd: int, kind: str) -> None:
    path = tmp_path / ".guard"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    began = time.monotonic()
    with pytest.raises(OSError, match=r".guard"), locked(fd):
        pass
    assert time.monotonic() - began < 5
    assert not (tmp_path / "elsewhere").exists()


def test_a_writer_that_queues_gets_its_turn_among_others_that_queue(
    tmp_path: Path, fd: int
) -> None:
    stop = tmp_path / "stop"

    def hog() -> None:
        while not stop.exists():
            with (tmp_path / ".guard").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                os.sched_yield()

    hogs = [fork(hog) for _ in range(4)]
    try:
        for _ in range(50):
            with locked(fd, timeout=60):
                pass
    finally:
        stop.touch()
        for child in hogs:
            wait(child)


def test_a_wait_that_was_given_up_leaves_no_lock(tmp_path: Path, fd: int) -> None:
    with lock_holder(tmp_path / ".guard") as holder:
        with pytest.raises(LockTimeout), locked(fd, timeout=0.01):
            pass
        end(holder)
    with locked(fd, timeout=60):
        pass
    for thread in threading.enumerate():
        if thread.name == "flock":
            thread.join(60)
    assert not any(thread.name == "flock" for thread in threading.enumerate())


def test_a_wait_that_an_exception_ends_leaves_no_lock(tmp_path: Path, fd: int) -> None:
    class StopError(Exception):
        pass

    def interrupt(_number: int, _frame: object) -> None:
        raise StopError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with lock_holder(tmp_path / ".guard"):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(StopError), locked(fd, timeout=60):
                pass
    finally:
        signal.signal(signal.SIGALRM, before)
    with locked(fd, timeout=60):
        pass
