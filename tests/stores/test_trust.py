"""A catalog's command is run only where nobody but root or the caller could have written it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from healconsole.stores.trust import Untrusted, check_program
from tests.stores.children import NOBODY


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A program two directories deep."""
    made = tmp_path / "a" / "b" / "healer"
    made.parent.mkdir(parents=True)
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    return made


def test_what_only_we_could_have_written_is_run(script: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(script)
    for argv in ([str(script)], [str(link), "--once"], ["/bin/sh", str(script)], ["true"]):
        check_program(argv, "/usr/bin:/bin")
    check_program([str(tmp_path / "missing")], "/bin")


@pytest.mark.parametrize("part", ["healer", "b", "a"])
def test_what_others_can_write_is_not(script: Path, tmp_path: Path, part: str) -> None:
    """The program, or any directory above it; named itself, by a link, or to an interpreter."""
    link = tmp_path / "link"
    link.symlink_to(script)
    place = next(path for path in (script, *script.parents) if path.name == part)
    place.chmod(0o777)
    for argv in ([str(script)], [str(link)], ["/bin/sh", str(script)]):
        with pytest.raises(Untrusted, match=f"{place} can be written by others"):
            check_program(argv, "/bin")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_somebody_else_is_not(script: Path) -> None:
    os.chown(script, NOBODY, NOBODY)
    with pytest.raises(Untrusted, match="belongs to uid 65534"):
        check_program([str(script)], "/bin")
