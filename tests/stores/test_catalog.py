"""A command is taken only from a file that nobody but root and the caller could write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from healconsole.core.records import Policy
from healconsole.stores.catalog import CatalogError, load_catalog
from tests.stores.children import NOBODY, as_nobody

FULL = """
command = ["/usr/local/sbin/worker-queue-healer", "--once"]
description = "restarts stuck queue workers"
owner = "team-queues"
runbook = "https://runbooks.example/worker-queue"
unit = "worker-queue-healer.service"
user = "heal"
interval = 60
stage = "100%"
environment = { QUEUE = "jobs" }

[policy]
rate = 0.05
burst = 5
"""
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "healers.d"
    path.mkdir(mode=0o755)
    (path / "worker.toml").write_text(FULL)
    (path / "worker.toml").chmod(0o644)
    return path


def test_a_full_entry(catalog: Path) -> None:
    (catalog / "README").write_text("not an entry")
    (catalog / "bad name.toml").write_text(FULL)
    (entry,) = load_catalog(catalog).values()
    assert entry.problem == ""
    assert entry.command == ("/usr/local/sbin/worker-queue-healer", "--once")
    assert entry.environment == (("QUEUE", "jobs"),)
    assert (entry.interval, entry.user, entry.stage) == (60.0, "heal", "100%")
    assert entry.policy == Policy(rate_micro=50_000, burst=5)
    assert entry.path == str(catalog / "worker.toml")


def test_an_empty_entry_and_no_catalog(catalog: Path, tmp_path: Path) -> None:
    (catalog / "worker.toml").write_text("")
    entry = load_catalog(catalog)["worker"]
    assert (entry.problem, entry.command, entry.policy) == ("", (), None)
    assert load_catalog(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("command = 'x'", "command must be a list"),
        ("command = ['x']", "absolute path, not 'x'"),
        ("command = [1]", "command must be a list"),
        ('command = ["/x", "a\\u0000b"]', "NUL"),
        ("\n\ncommand = [", "line 3"),
        ("comand = ['/x']", "unknown key 'comand'"),
        ("owner = 3", "owner must be a text"),
        ("interval = -1", "interval must be"),
        ("interval = true", "interval must be"),
        ("interval = nan", "interval must be"),
        ("environment = { A = 1 }", "environment must be"),
        ("environment = { 'A=B' = 'x' }", "no variable by the name 'A=B'"),
        ("[policy]\nbrust = 1", "[policy]: unknown key 'brust'"),
        ("policy = 1", "[policy] must be a table"),
        ("a = " + "[" * 5000, "nested"),
        ("\x00", "line 1"),
    ],
)
def test_a_bad_entry_says_what_is_wrong_and_gives_nothing(
    catalog: Path, text: str, problem: str
) -> None:
    path = catalog / "worker.toml"
    path.write_text(text)
    entry = load_catalog(catalog)["worker"]
    assert problem.lower() in entry.problem.lower()
    assert entry.problem.startswith(str(path))
    assert (entry.command, entry.environment, entry.policy) == ((), (), None)


def test_what_is_no_small_file(catalog: Path) -> None:
    os.mkfifo(catalog / "fifo.toml")
    (catalog / "link.toml").symlink_to("worker.toml")
    (catalog / "dir.toml").mkdir()
    (catalog / "big.toml").write_bytes(b"#" * 1_000_000)
    (catalog / "latin.toml").write_bytes(b"owner = '\xe9'")
    found = load_catalog(catalog)
    assert found["worker"].problem == ""
    assert all(found[name].problem for name in ("fifo", "link", "dir", "big", "latin"))


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_can_write(catalog: Path, mode: int) -> None:
    path = catalog / "worker.toml"
    path.chmod(mode)
    entry = load_catalog(catalog)["worker"]
    assert entry.problem == f"{path} can be written by others; mend it: chmod go-w {path}"
    assert entry.command == ()


def test_a_directory_that_others_can_write(catalog: Path, tmp_path: Path) -> None:
    for folder in (catalog, tmp_path):
        folder.chmod(0o777)
        entry = load_catalog(catalog)["worker"]
        assert entry.problem.startswith(f"{folder} can be written by others")
        assert entry.command == ()
        folder.chmod(0o1777)
        assert load_catalog(catalog)["worker"].problem == ""
        folder.chmod(0o755)


@root_only
def test_an_owner_who_is_neither_root_nor_the_caller(catalog: Path, tmp_path: Path) -> None:
    for path in (catalog / "worker.toml", catalog, tmp_path):
        os.chown(path, NOBODY, NOBODY)
        assert f"{path} belongs to uid {NOBODY}" in load_catalog(catalog)["worker"].problem
        os.chown(path, 0, 0)
    assert load_catalog(catalog)["worker"].problem == ""


@root_only
def test_links_on_the_way_are_judged_where_they_lie_and_where_they_lead(
    catalog: Path, tmp_path: Path
) -> None:
    safe = tmp_path / "safe"
    safe.symlink_to("healers.d")
    assert load_catalog(safe)["worker"].problem == ""
    absolute = tmp_path / "absolute"
    absolute.symlink_to(catalog.parent)
    assert load_catalog(absolute / "healers.d")["worker"].problem == ""
    os.chown(safe, NOBODY, NOBODY, follow_symlinks=False)
    assert "belongs to uid" in load_catalog(safe)["worker"].problem
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    (open_to_all / "link").symlink_to(catalog)
    assert "can be written by others" in load_catalog(open_to_all / "link")["worker"].problem
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CatalogError, match="too many"):
        load_catalog(tmp_path / "loop")


def test_the_callers_own_files_count_and_closed_ones_say_so(catalog: Path) -> None:
    (catalog / "closed.toml").write_text(FULL)
    (catalog / "closed.toml").chmod(0)

    def look() -> None:
        found = load_catalog(catalog)
        assert found["worker"].problem == ""
        assert "permission denied" in found["closed"].problem

    as_nobody(catalog, look)


def test_a_catalog_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CatalogError, match="not a directory"):
        load_catalog(tmp_path / "file")


def test_no_descriptor_is_left(catalog: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    load_catalog(catalog)
    load_catalog(catalog / "no" / "such")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
