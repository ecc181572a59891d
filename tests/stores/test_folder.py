"""Files that are read again only when they may have changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from healconsole.core.records import Corrupt
from healconsole.stores.folder import Folder, settled, tick


class Site:
    """A directory, a folder on it, and how often a file of it was parsed."""

    def __init__(self, root: Path, *, remember: bool = True) -> None:
        self.root = root
        self.reads = 0
        self.folder = Folder(os.open(root, os.O_RDONLY | os.O_DIRECTORY), "keys", remember=remember)

    def parse(self, raw: bytes, info: os.stat_result, folder: str, name: str) -> str:
        self.reads += 1
        assert info.st_size == len(raw)
        return f"{folder}/{name} {raw.decode()}"

    def read(self, name: str = "a") -> str | Corrupt | None:
        return self.folder.read(name, self.parse)

    def settle(self, *names: str) -> None:
        """Until what changed last is long enough ago to be remembered."""
        for path in (self.root, *(self.root / name for name in names)):
            while path.stat().st_ctime_ns >= tick():
                time.sleep(0.001)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    os.close(site.folder.fd)


def test_a_file_is_parsed_once_for_as_long_as_it_is_the_same(site: Site) -> None:
    (site.root / "a").write_text("one")
    site.settle("a")
    assert [site.read() for _ in range(3)] == ["keys/a one"] * 3
    assert site.reads == 1


def test_a_write_in_place_of_the_same_length_is_seen(site: Site) -> None:
    (site.root / "a").write_text("started")
    site.settle("a")
    site.read()
    with (site.root / "a").open("r+") as file:
        file.write("success")
    assert [site.read(), site.read()] == ["keys/a success"] * 2


def test_writes_within_one_tick_of_the_kernel_are_seen(site: Site) -> None:
    """Their stamps may be the same, so nothing is remembered of what is that young."""
    path = site.root / "a"
    for number in range(200):
        path.write_text(f"{number:03}")
        assert site.read() == f"keys/a {number:03}"


def test_another_file_in_its_place_is_seen(site: Site) -> None:
    (site.root / "a").write_text("one")
    (site.root / "b").write_text("two")
    site.settle("a", "b")
    site.read()
    (site.root / "b").rename(site.root / "a")
    assert site.read() == "keys/a two"
    (site.root / "a").unlink()
    assert site.read() is None


def test_a_name_that_was_absent_is_seen_when_it_comes(site: Site) -> None:
    site.settle()
    assert [site.read(), site.read()] == [None, None]
    (site.root / "a").write_text("one")
    assert site.read() == "keys/a one"


def test_what_cannot_be_read_is_asked_for_again(site: Site) -> None:
    (site.root / "a").mkdir()
    site.settle("a")
    assert site.read() == Corrupt("keys/a", "not a regular file")
    (site.root / "a").rmdir()
    (site.root / "b").symlink_to("c")
    assert site.read() is None
    assert isinstance(site.read("b"), Corrupt)


def test_a_link_in_its_place_is_not_followed(site: Site) -> None:
    (site.root / "a").write_text("one")
    site.settle("a")
    site.read()
    (site.root / "a").rename(site.root / "b")
    (site.root / "a").symlink_to("b")
    assert isinstance(site.read(), Corrupt)


def test_whoever_holds_the_lock_remembers_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path, remember=False)
    (site.root / "a").write_text("one")
    site.settle("a")
    assert [site.read(), site.read("none"), site.read()] == ["keys/a one", None, "keys/a one"]
    assert site.reads == 2
    os.close(site.folder.fd)


def test_what_is_remembered_has_a_bound(site: Site) -> None:
    for number in range(300):
        (site.root / f"{number}").write_text("x")
    site.settle(*(f"{number}" for number in range(300)))
    for number in range(300):
        assert site.read(f"{number}") == f"keys/{number} x"
        assert site.read(f"no-{number}") is None
    assert len(site.folder._known) <= 256
    assert len(site.folder._absent) <= 256


@pytest.mark.parametrize(
    ("changed", "began", "whether"),
    [
        (5_000_000_001, 5_000_000_001, False),
        (5_000_000_001, 5_000_000_002, True),
        (5_000_000_000, 6_999_999_999, False),
        (5_000_000_000, 7_000_000_000, False),
        (5_000_000_000, 7_000_000_001, True),
    ],
)
def test_a_stamp_of_whole_seconds_is_relied_on_two_seconds_later(
    changed: int, began: int, *, whether: bool
) -> None:
    assert settled(changed, began) is whether
