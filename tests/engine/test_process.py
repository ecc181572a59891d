"""What a healer runs is bounded in time and output, and ends whole."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path

import pytest

from healconsole.engine.process import OUTPUT_LIMIT, describe, run_command, run_function


def gone(pid: int) -> bool:
    """Whether ``pid`` is no process any more, or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return True
    return stat.rpartition(") ")[2].startswith("Z")


def wait_gone(pid: int, within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if gone(pid):
            return True
        time.sleep(0.01)
    return False


def test_a_command_gives_its_two_outputs_and_its_code() -> None:
    ended = run_command(["sh", "-c", "echo out; echo err >&2; exit 3"], 10)
    assert (ended.output, ended.errors, ended.exit_code) == (b"out\n", b"err\n", 3)
    assert ended.error == "exit code 3"
    assert not ended.ok


def test_a_command_that_cannot_be_started_is_an_answer_and_no_exception() -> None:
    assert run_command(["/no/such/program"], 1).exit_code == 127
    assert run_command(["/etc/passwd"], 1).exit_code == 126
    assert run_command(["a\0b"], 1).exit_code == 126
    assert run_command([], 1).exit_code == 126


def test_a_command_sees_no_input() -> None:
    assert run_command(["cat"], 10).ok


def test_output_beyond_the_limit_is_read_and_counted() -> None:
    ended = run_command(["head", "-c", str(OUTPUT_LIMIT * 5), "/dev/zero"], 10)
    assert ended.ok
    assert len(ended.output) == OUTPUT_LIMIT
    assert ended.dropped == OUTPUT_LIMIT * 4


def test_a_hung_command_is_ended_with_its_children_and_their_groups(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = (
        "set -m; trap '' TERM; "  # job control puts each child in a group of its own
        f"sleep 300 & echo $! >> {pids}; sleep 300 & echo $! >> {pids}; wait; sleep 300"
    )
    ended = run_command(["bash", "-c", script], 0.4)
    assert ended.timed_out
    assert ended.ended == "timed out after 0.4 s"
    assert 0.4 <= ended.duration < 5
    for pid in pids.read_text().split():
        assert wait_gone(int(pid))


def test_a_child_that_detaches_neither_hangs_the_command_nor_is_ended(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    ended = run_command(["bash", "-c", f"setsid sleep 60 & echo $! > {mark}; exit 0"], 30)
    pid = int(mark.read_text())
    try:
        assert ended.ok
        assert ended.duration < 5
        assert not gone(pid)
    finally:
        os.kill(pid, 9)


def test_a_process_with_thousands_of_open_files_can_end_a_command() -> None:
    """``select`` refuses descriptors from 1,024 on; a healer with many sockets has them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4_096), hard), hard))
    opened = [os.open("/dev/null", os.O_RDONLY)]
    try:
        while opened[-1] < 1_100:
            opened.append(os.dup(opened[0]))
        ended = run_command(["sleep", "60"], 0.1)
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert ended.timed_out


def test_a_tick_that_gives_a_reason_ends_the_command() -> None:
    seen: list[int] = []

    def tick() -> str:
        seen.append(1)
        return "the lease was lost" if len(seen) == 3 else ""

    ended = run_command(["sleep", "60"], 30, tick=tick, tick_every=0.02)
    assert ended.ended == "the lease was lost"
    assert not ended.timed_out
    assert len(seen) == 3


def test_a_function_gives_its_value_or_its_error() -> None:
    assert run_function(lambda: True, 10).value is True
    assert run_function(lambda: None, 10).ok

    def broken() -> None:
        raise ConnectionRefusedError("no\nluck")

    ended = run_function(broken, 10)
    assert ended.error == "ConnectionRefusedError: no luck"
    assert not ended.ok


def test_an_async_function_is_awaited() -> None:
    async def act() -> str:
        await asyncio.sleep(0)
        return "done"

    assert run_function(act, 10).value == "done"


@pytest.mark.parametrize(
    ("leave", "ok"),
    [(lambda: sys.exit(0), True), (lambda: sys.exit(3), False), (lambda: os._exit(0), False)],
)
def test_a_function_that_leaves_the_process_is_judged_by_how(leave: object, ok: bool) -> None:
    assert callable(leave)
    assert run_function(leave, 10).ok is ok


def test_a_function_that_hangs_and_ignores_term_is_ended_with_what_it_started(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "pid"

    def hang() -> None:
        import signal
        import subprocess

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "300"], process_group=0)
        mark.write_text(str(child.pid))
        child.wait()

    ended = run_function(hang, 0.3)
    assert ended.timed_out
    assert wait_gone(int(mark.read_text()))


def test_a_function_changes_nothing_in_the_process_that_asked() -> None:
    seen: list[int] = []
    assert run_function(lambda: seen.append(1), 10).ok
    assert seen == []


def test_describe_is_one_bounded_line() -> None:
    assert describe(ValueError("a\n" * 1000)).count("\n") == 0
    assert len(describe(ValueError("a" * 10_000))) == 500
