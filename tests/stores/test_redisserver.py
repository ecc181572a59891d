"""The private Redis: shut to others, and gone when its parent is."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from healconsole.engine.waiting import readable
from healconsole.stores.redislink import RedisLink, RedisUnknown, plain_client
from healconsole.stores.redisserver import RedisServer, RedisServerError

_PARENT = """
import signal
from healconsole.stores.redisserver import RedisServer
server = RedisServer()
server.start()
print(server.pid, server.directory, flush=True)
signal.pause()
"""


def test_it_is_private_and_leaves_nothing(tmp_path: Path) -> None:
    with RedisServer() as server:
        assert stat.S_IMODE(server.directory.stat().st_mode) == 0o700
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in server.directory.iterdir()
            if server.password in path.read_text(encoding="utf-8", errors="replace")
        }
        assert set(modes.values()) == {0o600}
        assert {"password", "server.conf"} <= modes.keys()
        command = Path(f"/proc/{server.pid}/cmdline").read_bytes()
        assert server.password.encode() not in command
        stranger = RedisLink(f"redis://127.0.0.1:{server.port}/0")
        with pytest.raises(RedisUnknown, match="password"):
            stranger.halted(0)
        stranger.close()
    assert not server.directory.exists()
    with pytest.raises(RedisServerError, match="not running"):
        _ = server.pid


def test_it_comes_back_empty_on_the_same_address(redis_server: RedisServer) -> None:
    url = redis_server.url
    with plain_client(url) as client:
        client.set("a", "b")
        redis_server.restart()
        assert redis_server.url == url
    with plain_client(url) as client:
        assert client.get("a") is None


def test_it_dies_with_its_parent_even_by_kill_9() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, directory = parent.stdout.readline().split()
    gone = os.pidfd_open(int(pid))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    # A pidfd becomes readable when its process ends.
    assert readable(gone, 5)
    os.close(gone)
    for path in Path(directory).iterdir():
        path.unlink()
    Path(directory).rmdir()


def test_it_stops_even_if_it_is_frozen(redis_server: RedisServer) -> None:
    os.kill(redis_server.pid, signal.SIGSTOP)
    redis_server.stop()
    with pytest.raises(RedisServerError):
        _ = redis_server.pid


def test_a_server_that_ends_at_once_says_why(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", settings=["no-such-setting 1"])
    with pytest.raises(RedisServerError, match="ended at once"):
        server.start()


def test_the_wheels_own_server_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with RedisServer() as server, plain_client(server.url) as client:
        assert client.ping()
