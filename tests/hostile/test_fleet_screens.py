"""A hostile host in the fleet's console: what it publishes is shown, and obeyed nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Site
from tests.hostile.grammar import taken_apart
from tests.hostile.payloads import CANARY
from tests.hostile.site import environment, hostile, hostile_redis
from tests.hostile.test_screens import console, drawn, left, press

ESCAPE = "\x1b[27u"
"""The key as a terminal sends it that leaves no doubt what it is, whatever comes behind it."""

ROUNDS = (
    *("\x1b[B", "\x1b[F", "\x1b[H", "o", "o", "o", "/", "ev", ESCAPE),
    *("\r", "\x1b[6~", ESCAPE),
    *("p", "\x1b[Z", "\x1b[C", "\x1b[Z", " ", "\x1b[6~", ESCAPE),
    *("a", "\x1b[H", "\x1b[H", "\r", "\x1b[6~", ESCAPE, "j", "-1h\r", "\x1b[F", ESCAPE, ESCAPE),
    *("t", "\x1b[6~", ESCAPE, "l", ESCAPE),
)
"""Home, a healer, a request for a second person, the log read back, a trip, the locks."""


@pytest.fixture
def site(tmp_path: Path, redis_url: str) -> Site:
    """The hostile host, which told the fleet of itself and of its log."""
    made = hostile(tmp_path)
    words = ("publish", "--once", "--lease", "1h")
    done = made.run(*words, environment={**environment(made, redis_url), "HEALCONSOLE_HOST": "x"})
    assert done.returncode == 0, done.stderr
    return made


def test_what_a_host_publishes_is_only_text(site: Site, redis_url: str) -> None:
    hostile_redis(redis_url, site.now)
    with console(site, redis_url, "--fleet") as opened:
        opened.wait_for_bytes(CANARY.encode())
        drawn(opened)
        for key in ROUNDS:
            press(opened, key)
        assert left(opened) == []
        said = taken_apart(opened.received)[0]
        assert CANARY in said
        assert "Approve reset x/" in said


def test_nor_does_the_wall_of_the_fleet_obey(site: Site, redis_url: str) -> None:
    with console(site, redis_url, "--fleet", "--wall", columns=80, rows=24) as opened:
        opened.wait_for_bytes(CANARY.encode())
        drawn(opened)
        assert left(opened) == []
