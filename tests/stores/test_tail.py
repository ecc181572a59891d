"""The tail on real files that are rotated, truncated, torn and absent."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healconsole.core.auditline import AuditEvent, AuditLine, UnparsableLine
from healconsole.core.auditparse import READ_MAX, format_event
from healconsole.stores.tail import CATCH_UP, STEP, WINDOW, Tail, TailStep


def line(number: int, fact: str = "queue_depth=1") -> bytes:
    return format_event(
        ts_text=f"2026-11-23T14:{number // 60 % 60:02}:{number % 60:02}.000+00:00",
        host="web-07",
        healer="worker",
        outcome="success",
        intent=f"restart n={number}",
        fact=fact,
    )


def append(path: Path, *parts: bytes) -> None:
    with path.open("ab") as file:
        file.writelines(parts)


def intents(lines: tuple[AuditLine, ...]) -> list[str]:
    return [one.intent if isinstance(one, AuditEvent) else "?" for one in lines]


def numbers(step: TailStep) -> list[int]:
    return [int(intent.partition("=")[2]) for intent in intents(step.lines)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def tail(log: Path) -> Iterator[Tail]:
    opened = Tail(log)
    yield opened
    opened.close()


def test_follows_appends(log: Path, tail: Tail) -> None:
    append(log, line(1), line(2))
    first = tail.poll()
    assert numbers(first) == [1, 2]
    assert [one.offset for one in first.lines] == [0, len(line(1))]
    append(log, line(3))
    second = tail.poll()
    assert numbers(second) == [3]
    assert second.lines[0].offset == len(line(1) + line(2))
    assert second.size == log.stat().st_size
    assert (second.generation, second.gap, second.more) == (0, "", False)
    assert tail.poll().lines == ()


def test_a_partial_line_waits_for_its_newline(log: Path, tail: Tail) -> None:
    whole = line(1, fact="ünïcode=✔")
    log.touch()
    assert tail.poll().lines == ()
    for index in range(len(whole) - 1):
        append(log, whole[index : index + 1])
        step = tail.poll()
        assert step.lines == ()
        assert step.unfinished == index + 1
    append(log, b"\n" + line(2))
    step = tail.poll()
    assert numbers(step) == [1, 2]
    assert step.lines[0].offset == 0
    assert step.unfinished == 0


def test_opening_reads_only_the_end(log: Path, tail: Tail) -> None:
    block = b"".join(line(number) for number in range(1000))
    with log.open("wb") as file:
        file.writelines(block for _ in range(40))
    step = tail.poll()
    assert len(block) * 40 > 5 * WINDOW
    assert sum(one.length for one in step.lines) <= WINDOW
    assert step.lines[0].offset >= log.stat().st_size - WINDOW
    assert numbers(step)[-1] == 999
    assert not step.more
    assert step.unparsable == 0


def test_a_sparse_terabyte_opens_like_an_empty_log(log: Path, tail: Tail) -> None:
    with log.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line(7))
    step = tail.poll()
    assert step.lines[-1].offset == (1 << 40) + 1
    assert numbers(TailStep(lines=step.lines[-1:])) == [7]


def test_a_window_that_begins_with_a_line_keeps_it(log: Path, tail: Tail) -> None:
    log.write_bytes(b"x" * 99 + b"\n" + b"".join([b"{}" + b" " * 61 + b"\n"] * (WINDOW // 64)))
    assert tail.poll().lines[0].offset == 100


def test_rename_and_create(log: Path, tail: Tail) -> None:
    append(log, line(1))
    tail.poll()
    append(log, line(2))
    log.rename(log.with_suffix(".1"))
    append(log, line(3), line(4))
    step = tail.poll()
    assert numbers(step) == [2, 3, 4]
    assert step.former == 1
    assert step.lines[1].offset == 0
    assert (step.generation, step.gap) == (1, "")


def test_rename_with_a_torn_tail_is_said(log: Path, tail: Tail) -> None:
    append(log, line(1), line(2)[:40])
    tail.poll()
    log.rename(log.with_suffix(".1"))
    append(log, line(3))
    step = tail.poll()
    torn = step.lines[0]
    assert isinstance(torn, UnparsableLine)
    assert torn.raw == line(2)[:40]
    assert torn.offset == len(line(1))
    assert step.unparsable == 1
    assert intents(step.lines[1:]) == ["restart n=3"]


def test_a_writer_that_goes_on_in_the_rotated_file_is_said(log: Path, tail: Tail) -> None:
    append(log, line(1))
    tail.poll()
    rotated = log.with_suffix(".1")
    log.rename(rotated)
    append(log, line(2))
    assert tail.poll().gap == ""
    append(rotated, line(3))
    assert "rotated" in tail.poll().gap


def test_a_deleted_rotated_file_is_let_go(log: Path, tail: Tail) -> None:
    append(log, line(1))
    tail.poll()
    rotated = log.with_suffix(".1")
    log.rename(rotated)
    append(log, line(2))
    tail.poll()
    rotated.unlink()
    tail.poll()
    held = [
        str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()
    ]
    assert not [target for target in held if target.startswith(str(rotated))]


def test_gone_for_a_while_between_rotation_and_creation(log: Path, tail: Tail) -> None:
    append(log, line(1))
    tail.poll()
    append(log, line(2))
    log.rename(log.with_suffix(".1"))
    step = tail.poll()
    assert step.missing
    assert numbers(step) == [2]
    append(log, line(3))
    step = tail.poll()
    assert not step.missing
    assert numbers(step) == [3]
    assert step.generation == 1


def test_two_rotations_between_two_looks_are_said(log: Path, tail: Tail) -> None:
    append(log, line(1))
    tail.poll()
    log.rename(f"{log}.2")
    append(log, line(2))
    log.rename(f"{log}.1")
    append(log, line(3))
    step = tail.poll()
    assert numbers(step) == [3]
    assert "more than once" in step.gap
    log.rename(f"{log}.1")
    append(log, line(4))
    step = tail.poll()
    assert (numbers(step), step.gap) == ([4], "")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=120).map(lambda data: data.replace(b"\0", b"\n")),
            st.sampled_from(["poll", "rotate", "rotate-late"]),
        ),
        max_size=40,
    )
)
def test_whatever_is_written_and_rotated_is_seen_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, moves: list[bytes | str]
) -> None:
    """Against a model: each file's bytes, cut at its newlines, with its torn end."""
    log = tmp_path_factory.mktemp("model") / "log"
    tail = Tail(log)
    tail.poll()
    files = [b""]
    seen: list[bytes] = []
    generations: list[int] = []

    def poll() -> None:
        step = tail.poll()
        seen.extend(raw_of(one) for one in step.lines)
        generations.append(step.generation)
        assert step.gap == ""
        assert step.unfinished == len(files[-1]) - (files[-1].rfind(b"\n") + 1)

    for move in moves:
        if isinstance(move, bytes):
            append(log, move)
            files[-1] += move
        elif move == "poll" and log.exists():
            poll()
        elif log.exists():
            # One look between two rotations: what comes and goes unseen is another test's.
            poll()
            log.rename(f"{log}.1")
            files.append(b"")
            if move == "rotate":
                log.touch()
    log.touch()
    poll()
    tail.close()
    assert seen == [part for data in files[:-1] for part in cut(data)] + [
        part for part in cut(files[-1]) if part.endswith(b"\n")
    ]
    assert generations == sorted(generations)


def cut(data: bytes) -> list[bytes]:
    return [part for part in re.split(rb"(?<=\n)", data) if part]


def raw_of(one: AuditLine) -> bytes:
    assert one.length == len(one.raw)
    return one.raw


def test_copytruncate(log: Path, tail: Tail) -> None:
    append(log, line(1), line(2))
    tail.poll()
    shutil.copyfile(log, log.with_suffix(".1"))
    os.truncate(log, 0)
    step = tail.poll()
    assert (step.lines, step.generation, step.size) == ((), 1, 0)
    assert "truncated" in step.gap
    append(log, line(3))
    step = tail.poll()
    assert numbers(step) == [3]
    assert step.lines[0].offset == 0


@pytest.mark.parametrize("regrown", [2, 3, 50])
def test_truncated_and_regrown_past_the_old_offset(log: Path, tail: Tail, regrown: int) -> None:
    append(log, line(1), line(2))
    tail.poll()
    os.truncate(log, 0)
    append(log, *(line(number) for number in range(10, 10 + regrown)))
    assert log.stat().st_size >= len(line(1) + line(2))
    step = tail.poll()
    assert numbers(step) == list(range(10, 10 + regrown))
    assert step.generation == 1
    assert step.size == log.stat().st_size
    assert "truncated" in step.gap
    append(log, line(99))
    assert numbers(tail.poll()) == [99]


def test_a_writer_with_an_old_position_leaves_a_hole(log: Path, tail: Tail) -> None:
    with log.open("wb") as writer:
        writer.write(line(1) * 50)
        writer.flush()
        tail.poll()
        os.truncate(log, 0)
        writer.write(line(2))
        writer.flush()
        step = tail.poll()
    assert step.generation == 1
    assert isinstance(step.lines[0], UnparsableLine)
    assert "NUL" in step.lines[0].why


def test_missing_at_first(log: Path, tail: Tail) -> None:
    assert tail.poll().missing
    append(log, *(line(number) for number in range(2000)))
    assert numbers(tail.poll()) == list(range(2000))


def test_unparsable_lines_are_shown_and_counted(log: Path, tail: Tail) -> None:
    append(log, line(1), b"not json\n", b"\xff\xfe\n", b"[1]\n", line(2))
    step = tail.poll()
    assert intents(step.lines) == ["restart n=1", "?", "?", "?", "restart n=2"]
    assert step.unparsable == 3
    append(log, b"{\n")
    assert tail.poll().unparsable == 4


def test_a_line_of_a_megabyte_appended(log: Path, tail: Tail) -> None:
    append(log, line(1))
    tail.poll()
    long = b'{"healer":"' + b"x" * 1_048_576 + b'"}\n'
    append(log, long, line(2))
    seen: list[AuditLine] = []
    while True:
        step = tail.poll()
        seen += step.lines
        if not step.more:
            break
    assert isinstance(seen[0], UnparsableLine)
    assert seen[0].length == len(long)
    assert len(seen[0].raw) <= 4096
    assert intents(tuple(seen[1:])) == ["restart n=2"]
    assert seen[1].offset == len(line(1)) + len(long)


def test_a_line_of_a_megabyte_at_the_end_when_opened(log: Path, tail: Tail) -> None:
    append(log, line(1), b"x" * 1_048_576 + b"\n")
    step = tail.poll()
    (only,) = step.lines
    assert isinstance(only, UnparsableLine)
    assert "beginning was not read" in only.why
    append(log, line(2))
    assert numbers(tail.poll()) == [2]


def test_a_line_longer_than_the_window_is_whole_when_it_can_be_parsed(
    log: Path, tail: Tail
) -> None:
    long = b'{"healer":"w","intent":"a n=5","fact":"' + b"x" * 200_000 + b'"}\n'
    assert WINDOW < len(long) < READ_MAX
    append(log, line(1) * 2000, long)
    step = tail.poll()
    assert numbers(step)[-1] == 5
    assert step.unparsable == 0


def test_a_burst_is_read_in_steps_and_a_flood_is_skipped_aloud(log: Path, tail: Tail) -> None:
    append(log, line(1))
    tail.poll()
    burst = b"".join(line(number) for number in range(3000)) * 5
    assert STEP < len(burst) < CATCH_UP
    append(log, burst)
    steps = [tail.poll()]
    while steps[-1].more:
        steps.append(tail.poll())
    assert len(steps) > 1
    assert sum(len(step.lines) for step in steps) == 15_000
    assert steps[-1].gap == ""
    append(log, burst * 12)
    skipped = tail.poll()
    assert "not read" in skipped.gap
    assert numbers(skipped)[-1] == 2999
    assert skipped.generation == 0


@pytest.mark.parametrize("kind", ["fifo", "directory", "link", "dangling"])
def test_what_is_no_log_is_refused_at_once(log: Path, tail: Tail, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(log)
    elif kind == "directory":
        log.mkdir()
    else:
        log.symlink_to("/etc/passwd" if kind == "link" else "nowhere")
    step = tail.poll()
    assert step.problem
    assert step.lines == ()


def test_reading_changes_nothing(log: Path, tail: Tail) -> None:
    append(log, line(1))
    os.utime(log, ns=(1, 1))
    before = log.stat()
    tail.poll()
    after = log.stat()
    assert (after.st_atime_ns, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_atime_ns,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
