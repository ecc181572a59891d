"""Real hosts, each with its own publisher, and the program that looks at them all."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from healconsole.stores.redislink import RedisLink
from healconsole.stores.redisserver import RedisServer
from tests.cli.program import PROGRAM, Site
from tests.terminal import Terminal

Ask = Callable[[], "dict[str, Any]"]


def wait_for(condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


class Host:
    """A site under a name, in the fleet of one Redis."""

    def __init__(self, site: Site, name: str, url: str) -> None:
        self.site = site
        self.environment = {"HEAL_REDIS_URL": url, "HEALCONSOLE_HOST": name}
        self.publisher: subprocess.Popen[bytes] | None = None

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.site.run(*words, environment=self.environment)

    def fleet(self) -> dict[str, dict[str, Any]]:
        """Every healer of the fleet, as this host's program tells it."""
        told = self.run("status", "--fleet", "--json")
        assert told.returncode == 0, told.stderr
        found = json.loads(told.stdout)
        return {f"{healer['host']}/{healer['name']}": healer for healer in found["healers"]}

    def start(self, lease: str) -> None:
        with (self.site.root / "said").open("w") as said:
            self.publisher = subprocess.Popen(
                (*PROGRAM, "publish", "--lease", lease, *self.site.options),
                env={**self.site.environment, **self.environment},
                stderr=said,
            )

    def said(self) -> str:
        """What the publisher complained of."""
        return (self.site.root / "said").read_text()

    def end(self, number: int) -> int:
        assert self.publisher is not None
        self.publisher.send_signal(number)
        return self.publisher.wait(timeout=20)


@pytest.fixture
def host(site: Site, redis_server: RedisServer) -> Iterator[Host]:
    made = Host(site, "web-07", redis_server.url)
    yield made
    if made.publisher is not None and made.publisher.poll() is None:
        made.publisher.kill()
        made.publisher.wait()


def test_a_host_is_told_once_and_taken_off_again(host: Host) -> None:
    nobody = host.run("status", "--fleet").stdout
    assert "No host has published yet: run 'healconsole publish' on each." in nobody
    told = host.run("publish", "--once", "--lease", "10m")
    assert told.stdout == "web-07: 4 healers and 4 new events published\n"
    found = host.fleet()
    assert found["web-07/worker-queue-healer"]["state"] == "open"
    assert found["web-07/broken"]["state"] == "corrupt"
    assert found["web-07/disk-reaper"]["mode"] == "DRY-RUN"
    assert not host.site.run("status", "--json").stdout.count("web-07"), "it publishes under a name"
    text = host.run("status", "--fleet").stdout
    assert text.startswith("fleet, 1 host ")
    assert "✖ web-07/worker-queue-healer  open" in text
    assert host.run("publish", "--leave").stdout == "web-07 is off the fleet\n"
    assert host.fleet() == {}


def test_a_publisher_goes_on_through_a_redis_that_restarts_and_is_lost_when_it_ends(
    host: Host, redis_server: RedisServer
) -> None:
    host.start("3s")
    wait_for(lambda: len(host.fleet()) == 4)
    redis_server.stop()
    host.site.append(
        healer="worker-queue-healer", intent="restart_worker pid=1", outcome="operator-trip",
        reason="while Redis was away", fact="", scope="restart_worker",
    )  # fmt: skip
    host.site.write(
        "worker-queue-healer/cb/restart_worker",
        "3 32503680000 3 600 forced-open 0\n",
    )
    wait_for(lambda: "Redis unknown: " in host.said())
    redis_server.start()  # and it has forgotten everything
    wait_for(
        lambda: host.fleet().get("web-07/worker-queue-healer", {}).get("state") == "forced-open"
    )
    assert host.end(signal.SIGTERM) == 0
    assert host.said().count("Redis unknown: ") == host.said().count("Redis is told again") == 1
    wait_for(lambda: {healer["state"] for healer in host.fleet().values()} == {"lost"})
    import redis

    with redis.Redis.from_url(redis_server.url) as client:
        assert b"while Redis was away" in client.xrevrange("heal:audit", count=1)[0][1][b"line"]


def test_the_console_of_the_fleet_on_a_terminal(host: Host, tmp_path: Path) -> None:
    host.run("publish", "--once", "--lease", "10m")
    environment = {**host.site.environment, **host.environment, "TERM": "xterm-256color"}
    argv = (sys.executable, "-m", "healconsole", "--fleet", *host.site.options)
    with Terminal(argv, environment, columns=120, rows=40) as terminal:
        terminal.wait_for("web-07/worker-queue-healer")
        terminal.wait_for("verify-failed")
        terminal.send("q")
        assert terminal.wait_end() == 0


def test_a_fleet_needs_a_redis_that_answers(site: Site) -> None:
    without = site.run("status", "--fleet")
    assert without.returncode == 2
    assert "--redis URL" in without.stderr
    silent = {"HEAL_REDIS_URL": "redis://127.0.0.1:1/0"}
    for words in (("status", "--fleet"), ("publish", "--once")):
        said = site.run(*words, environment=silent)
        assert said.returncode == 1
        assert "127.0.0.1:1" in said.stderr
    named = site.run("publish", "--once", environment={**silent, "HEALCONSOLE_HOST": "a/b"})
    assert named.returncode == 2
    assert "not the name of a host" in named.stderr


def test_a_lock_is_broken_from_the_command_line_with_the_token_that_was_shown(
    host: Host, redis_server: RedisServer
) -> None:
    link = RedisLink(redis_server.url)
    link.acquire("broker", "web-19/healer/7/u", 600_000)
    link.close()
    found = json.loads(host.run("locks", "--json").stdout)["locks"]
    assert [(lock["key"], lock["owner"]) for lock in found] == [("broker", "web-19/healer/7/u")]
    reason = ("--reason", "web-19 burnt down")
    refused = host.run("break-lock", "broker", "--token", "web-20/healer/7/u", *reason)
    assert refused.returncode == 1
    assert "changed underneath you" in refused.stderr
    broken = host.run("break-lock", "broker", "--token", "web-19/healer/7/u", *reason)
    assert broken.returncode == 0, broken.stderr
    assert "is    free" in broken.stdout
    assert host.run("locks").stdout == "No lock is held.\n"
    last = host.site.events()[-2]
    assert (last["outcome"], last["reason"]) == ("operator-break", "web-19 burnt down")
