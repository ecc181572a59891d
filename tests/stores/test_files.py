"""Whatever lies in a state directory is read at once, bounded, and never through a link."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from healconsole.stores.files import (
    Missing,
    Unreadable,
    components,
    list_and_count,
    list_below,
    open_below_dir,
    open_dir,
    read_below,
)
from tests.stores.children import as_nobody


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    opened = open_dir(tmp_path)
    yield opened
    os.close(opened)


def _open_descriptors() -> list[str]:
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())


def _directory(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    # A path of a socket is short: bound from inside the directory.
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def _link(path: Path) -> None:
    target = path.with_name("target")
    target.write_bytes(b"1 2\n")
    path.symlink_to(target)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o020_644, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


def _large(path: Path) -> None:
    path.write_bytes(b"1" * (10 << 20))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_directory, "a directory"),
        (_fifo, "a FIFO"),
        (_socket, "a socket"),
        (_link, "a symbolic link"),
        (_dangling, "a symbolic link"),
        (_device, "a device"),
        (_large, "larger than 4096 bytes (10,485,760)"),
    ],
)
def test_what_is_no_small_regular_file_is_refused_at_once(
    tmp_path: Path, fd: int, make: Callable[[Path], None], why: str
) -> None:
    make(tmp_path / "x")
    began = time.monotonic()
    with pytest.raises(Unreadable) as refused:
        read_below(fd, "x")
    assert refused.value.why.startswith(why)
    assert time.monotonic() - began < 5


def test_a_fifo_with_a_writer_is_refused_unread(tmp_path: Path, fd: int) -> None:
    _fifo(tmp_path / "x")
    writer = os.open(tmp_path / "x", os.O_RDWR)
    try:
        os.write(writer, b"1 2\n")
        with pytest.raises(Unreadable, match="a FIFO"):
            read_below(fd, "x")
        assert os.read(writer, 10) == b"1 2\n"
    finally:
        os.close(writer)


def test_a_sample_of_a_large_file_is_kept(tmp_path: Path, fd: int) -> None:
    _large(tmp_path / "x")
    with pytest.raises(Unreadable) as refused:
        read_below(fd, "x")
    assert refused.value.sample == b"1" * 64


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path, fd: int) -> None:
    (tmp_path / "x").write_bytes(b"a" * 100)
    assert read_below(fd, "x", 100) == b"a" * 100


def test_missing_at_every_level(fd: int, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for path in ("x", "a/x", "b/x", "b/c/x"):
        with pytest.raises(Missing):
            read_below(fd, path)


def test_a_link_on_the_way_is_not_followed(tmp_path: Path, fd: int) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_bytes(b"1")
    (tmp_path / "linked").symlink_to("real")
    assert read_below(fd, "real/x") == b"1"
    with pytest.raises(Unreadable, match="a symbolic link, not a directory"):
        read_below(fd, "linked/x")
    with pytest.raises(Unreadable):
        list_below(fd, "linked", 10)


def test_a_file_on_the_way(tmp_path: Path, fd: int) -> None:
    (tmp_path / "keys").write_bytes(b"")
    with pytest.raises(Unreadable, match="a regular file, not a directory"):
        read_below(fd, "keys/x")


@pytest.mark.parametrize("path", ["", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a\0b", "a/"])
def test_a_path_that_could_leave_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="not a path below"):
        components(path)


def test_a_name_longer_than_a_name_can_be(fd: int) -> None:
    with pytest.raises(Unreadable, match="too long"):
        read_below(fd, "x" * 300)


def test_what_this_user_may_not_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "x").chmod(0)
    (tmp_path / "d").mkdir(mode=0)

    def look() -> None:
        fd = open_dir(tmp_path)
        for refused in (lambda: read_below(fd, "x"), lambda: open_below_dir(fd, "d")):
            with pytest.raises(Unreadable, match="permission denied"):
                refused()
        os.close(fd)

    as_nobody(tmp_path, look)


def test_names_are_bounded_and_counted(tmp_path: Path, fd: int) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}").touch()
    names, total = list_and_count(fd, "keys", 10)
    assert (len(names), total) == (10, 30)
    assert len(list_below(fd, "keys", 100)) == 30


def test_no_descriptor_is_left_open(tmp_path: Path, fd: int) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_bytes(b"1")
    _fifo(tmp_path / "a" / "fifo")
    before = _open_descriptors()
    for path in ("a/x", "a/y", "a/fifo", "a/x/y", "q/r"):
        try:
            read_below(fd, path)
        except (Missing, Unreadable):
            continue
    assert _open_descriptors() == before
