"""Fixtures of every room: a real Redis, and an empty state root."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from healconsole.stores.redisserver import RedisServer
from tests.nodes import cluster_of_two, sentinels

# How long an example takes is the load of the machine, and no property of what is tested.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - pytest makes a private directory there
ROOM = 1 << 30
"""Bytes that the suite may take there at most; it takes a tenth of that."""


def pytest_configure() -> None:
    """Make the environment of every process of the suite cheap; also in each worker.

    The suite starts the program hundreds of times: with ``PYTHONDONTWRITEBYTECODE``, as images of
    containers set it, each would compile it again. And every act of a healer waits for the disk a
    dozen times, which proves nothing here: what a disk keeps, ``tests/crash`` asks a file system
    of its own.
    """
    # A job in the background begins with SIGINT ignored, and so would all that the tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if "TMPDIR" not in os.environ and _has_room(IN_MEMORY):
        os.environ["TMPDIR"] = str(IN_MEMORY)
        tempfile.tempdir = None


LONGEST = (
    "tests/demo/test_story.py::",
    "tests/test_lint.py::test_types_are_strict",
    "tests/hostile/test_screens.py::test_every_screen_and_dialog",
    "tests/test_readme.py::test_every_command_without_a_screen",
    "tests/ops/test_init.py::test_the_python_is_clean",
    "tests/crash/test_power_cut.py::",
)
"""Tests of ten seconds and more: begun first, so that none is left to one worker at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first, in the equal shares that the workers begin with."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = [item for name in LONGEST for item in items if item.nodeid.startswith(name)]
    others = iter([item for item in items if item not in first])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        share = (len(items) - len(ordered)) // (workers - worker)
        begun = first[worker::workers]
        ordered += [*begun, *islice(others, max(0, share - len(begun)))]
    items[:] = [*ordered, *others]


def _has_room(place: Path) -> bool:
    """Whether files can be kept and programs be run there."""
    if not os.access(place, os.W_OK):
        return False
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One real server for the session, with a password, shared by the tests of a worker."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(shared_redis: RedisServer) -> str:
    """Address of the session's server, emptied for this test."""
    import redis

    with redis.Redis.from_url(shared_redis.url) as client:
        client.flushall()
    return shared_redis.url


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real server of the test's own, to be stopped, frozen and restarted."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[tuple[str, RedisServer, RedisServer]]:
    """A primary, its replica, and a Sentinel that watches them: address, primary, replica."""
    with sentinels(tmp_path) as made:
        yield made


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two nodes of a Cluster, with half of the slots each."""
    with cluster_of_two(tmp_path) as made:
        yield made


@pytest.fixture
def state_root(tmp_path: Path) -> Path:
    """An empty root of state directories."""
    root = tmp_path / "state"
    root.mkdir(mode=0o755)
    return root
