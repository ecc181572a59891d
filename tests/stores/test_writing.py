"""A file is replaced whole or not at all, stays its owner's, and locks end with their holder."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healconsole.stores.files import open_dir
from healconsole.stores.locks import locked
from healconsole.stores.writing import (
    Dirs,
    Draft,
    create_new,
    ensure_dir,
    overwrite,
    remove_below,
    replace_below,
    sweep_scratch,
)
from tests.stores.children import NOBODY, as_nobody, fork, wait

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = open_dir(tmp_path)
    yield opened
    os.close(opened)


def test_replace_makes_its_directories_and_leaves_no_scratch(tmp_path: Path, fd: int) -> None:
    replace_below(fd, "dry/rate/x", b"1 2\n")
    replace_below(fd, "dry/rate/x", b"3 4\n")
    assert (tmp_path / "dry/rate/x").read_bytes() == b"3 4\n"
    assert list((tmp_path / ".scratch").iterdir()) == []


def test_what_is_as_long_and_one_file_is_written_over_and_nothing_else(
    tmp_path: Path, fd: int
) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"started\n")
    before = file.stat().st_ino
    assert overwrite(fd, "x", b"success\n")
    assert (file.read_bytes(), file.stat().st_ino) == (b"success\n", before)
    (tmp_path / "twice").hardlink_to(file)
    (tmp_path / "link").symlink_to(file)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("x", "twice", "link", "folder", "fifo", "missing"):
        assert not overwrite(fd, name, b"changed\n")
    (tmp_path / "twice").unlink()
    for data in (b"shorter", b"longer than it is\n"):
        assert not overwrite(fd, "x", data)
    assert file.read_bytes() == b"success\n"


@root_only
def test_owner_group_and_mode_are_kept(tmp_path: Path, fd: int) -> None:
    replace_below(fd, "x", b"1\n")
    os.chown(tmp_path / "x", NOBODY, NOBODY)
    (tmp_path / "x").chmod(0o640)
    replace_below(fd, "x", b"2\n")
    info = (tmp_path / "x").stat()
    assert (info.st_uid, info.st_gid, info.st_mode & 0o7777) == (NOBODY, NOBODY, 0o640)


@root_only
def test_what_root_makes_belongs_to_the_directorys_owner(tmp_path: Path) -> None:
    home = tmp_path / "healer"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    fd = open_dir(home)
    try:
        replace_below(fd, "cb/x", b"1\n")
        with locked(fd):
            pass
        os.close(create_new(fd, "new"))
    finally:
        os.close(fd)
    for name in ("cb", "cb/x", ".scratch", ".guard", "new"):
        info = (home / name).stat()
        assert (info.st_uid, info.st_gid) == (NOBODY, NOBODY), name


@root_only
def test_a_private_file_is_not_taken_from_its_owner(tmp_path: Path, fd: int) -> None:
    (tmp_path / "x").write_bytes(b"1\n")
    (tmp_path / "x").chmod(0o600)
    tmp_path.chmod(0o777)

    def replace() -> None:
        inner = open_dir(tmp_path)
        with pytest.raises(PermissionError):
            replace_below(inner, "x", b"2\n")

    as_nobody(tmp_path, replace)
    assert (tmp_path / "x").read_bytes() == b"1\n"
    assert list((tmp_path / ".scratch").iterdir()) == []


def test_a_directory_in_place_of_the_file_stays(tmp_path: Path, fd: int) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_below(fd, "x", b"1\n")
    assert (tmp_path / "x").is_dir()
    assert list((tmp_path / ".scratch").iterdir()) == []


def test_a_link_is_replaced_and_not_followed(tmp_path: Path, fd: int) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"keep\n")
    (tmp_path / "x").symlink_to(victim)
    replace_below(fd, "x", b"new\n")
    assert victim.read_bytes() == b"keep\n"
    assert not (tmp_path / "x").is_symlink()


def test_linked_directories_are_refused(tmp_path: Path, fd: int) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cb").symlink_to("elsewhere")
    (tmp_path / ".scratch").symlink_to("elsewhere")
    with pytest.raises(OSError, match="symbolic link") as refused:
        replace_below(fd, "x", b"1\n")
    assert refused.value.errno == errno.ENOTDIR
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_size_limit_leaves_the_old_state_whole(tmp_path: Path, fd: int) -> None:
    import resource

    replace_below(fd, "x", b"old\n")

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
        with pytest.raises(OSError, match="too large") as refused:
            replace_below(fd, "x", b"new" * 100)
        assert refused.value.errno == errno.EFBIG

    wait(fork(limited))
    assert (tmp_path / "x").read_bytes() == b"old\n"
    assert list((tmp_path / ".scratch").iterdir()) == []


def test_a_full_disk_leaves_the_old_state_whole(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        fd = open_dir(disk)
        try:
            replace_below(fd, "x", b"old\n")
            with pytest.raises(OSError, match="No space") as refused:
                replace_below(fd, "x", b"n" * 65_536)
            assert refused.value.errno == errno.ENOSPC
        finally:
            os.close(fd)
        assert (disk / "x").read_bytes() == b"old\n"
        assert list((disk / ".scratch").iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_draft_of_a_dead_process_with_our_pid_is_in_nobodys_way(tmp_path: Path, fd: int) -> None:
    scratch = tmp_path / ".scratch"
    scratch.mkdir()
    probe = Draft(Dirs(fd), "x", b"")
    (name,) = (entry.name for entry in scratch.iterdir())
    probe.discard()
    serial = int(name.rpartition(".")[2]) + 1
    (scratch / f"{os.getpid()}.{serial}").write_bytes(b"old draft")
    replace_below(fd, "x", b"1\n")
    assert (tmp_path / "x").read_bytes() == b"1\n"


def test_a_reader_never_sees_a_torn_or_missing_file(tmp_path: Path, fd: int) -> None:
    replace_below(fd, "x", b"0" * 2000)

    def write() -> None:
        for number in range(300):
            replace_below(fd, "x", str(number % 10).encode() * 2000)

    writer = fork(write)
    seen = 0
    while os.waitpid(writer, os.WNOHANG)[0] == 0:
        content = (tmp_path / "x").read_bytes()
        assert len(content) == 2000
        assert len(set(content)) == 1
        seen += 1
    assert seen > 10


def test_remove_is_content_with_nothing(tmp_path: Path, fd: int) -> None:
    remove_below(fd, "cb/x")
    replace_below(fd, "cb/x", b"1\n")
    remove_below(fd, "cb/x")
    assert not (tmp_path / "cb/x").exists()


def test_sweep_takes_only_what_is_old(tmp_path: Path, fd: int) -> None:
    os.close(ensure_dir(fd, ".scratch"))
    for name, age in (("old", 7200), ("new", 10)):
        (tmp_path / ".scratch" / name).touch()
        os.utime(tmp_path / ".scratch" / name, (time.time() - age,) * 2)
    sweep_scratch(fd, time.time() - 3600)
    assert [entry.name for entry in (tmp_path / ".scratch").iterdir()] == ["new"]


def test_sweep_beside_writers_whose_temporaries_come_and_go(tmp_path: Path, fd: int) -> None:
    def write() -> None:
        for number in range(300):
            replace_below(fd, f"x{number % 7}", b"1\n")

    os.close(ensure_dir(fd, ".scratch"))
    writers = [fork(write) for _ in range(3)]
    for _ in range(3_000):
        sweep_scratch(fd, 0)
    for writer in writers:
        wait(writer)
    assert {file.read_bytes() for file in tmp_path.glob("x*")} == {b"1\n"}


def test_ensure_dir_by_many_at_once(tmp_path: Path, fd: int) -> None:
    def make() -> None:
        for number in range(20):
            os.close(ensure_dir(fd, f"a{number}/b/c"))

    for child in [fork(make) for _ in range(8)]:
        wait(child)
    assert len(list(tmp_path.glob("a*/b/c"))) == 20
