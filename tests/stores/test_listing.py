"""Healers are listed anew where they may be others, and only there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from healconsole.stores import listing
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.healerdir import list_healers
from healconsole.stores.listing import Listing
from tests.stores.children import NOBODY, as_nobody


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """One entry for each time that the directory was really listed."""
    done: list[Path] = []

    def counted(root: Path) -> list[str]:
        done.append(root)
        return list_healers(root)

    monkeypatch.setattr(listing, "list_healers", counted)
    return done


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every directory for one that has been as it is for long."""
    monkeypatch.setattr(listing, "SETTLED_S", 0.0)


@pytest.mark.usefixtures("settled")
def test_a_directory_that_does_not_change_is_listed_once(
    tmp_path: Path, listed: list[Path]
) -> None:
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path, (1, 1))  # what follows bears another time, however soon it comes
    asked = Listing(tmp_path)
    names = asked.names()
    assert names == ("a", "b")
    (tmp_path / "a" / "cycle.json").touch()  # of that the names know nothing
    assert asked.names() is names
    assert len(listed) == 1
    (tmp_path / "c").mkdir()
    assert asked.names() == ("a", "b", "c")
    os.utime(tmp_path, (1, 1))
    asked.names()
    (tmp_path / "a").rename(tmp_path / "z")
    assert asked.names() == ("b", "c", "z")


def test_what_came_in_the_same_instant_is_seen(tmp_path: Path, listed: list[Path]) -> None:
    asked = Listing(tmp_path)
    assert asked.names() == ()
    before = tmp_path.stat().st_mtime_ns
    for number in range(20):  # as fast as a file system's clock may be slow
        (tmp_path / f"h{number:02}").mkdir()
        os.utime(tmp_path, ns=(before, before))
        assert len(asked.names()) == number + 1
    assert len(listed) == 21


@pytest.mark.usefixtures("settled")
def test_no_listing_is_believed_for_long(
    tmp_path: Path, listed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Listing(tmp_path)
    asked.names()
    monkeypatch.setattr(listing, "AFRESH_S", 0.0)
    asked.names()
    assert len(listed) == 2


@pytest.mark.usefixtures("settled")
def test_a_directory_that_is_gone_or_closed_is_not_remembered(tmp_path: Path) -> None:
    root = tmp_path / "state"
    (root / "a").mkdir(parents=True)

    def look_while_it_is_closed() -> None:
        asked = Listing(root)
        assert asked.names() == ("a",)
        root.chmod(0)
        with pytest.raises(Unreadable):
            asked.names()
        root.chmod(0o755)
        assert asked.names() == ("a",)

    if os.geteuid() == 0:
        os.chown(root, NOBODY, NOBODY)
    as_nobody(root, look_while_it_is_closed)
    asked = Listing(root)
    assert asked.names() == ("a",)
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(Missing):
        asked.names()
