"""Every headless command on a terminal, on the hostile host; and its JSON, which stays exact."""

from __future__ import annotations

import json

import pytest

from tests.cli.program import PROGRAM, Site
from tests.hostile.grammar import taken_apart
from tests.hostile.payloads import PAYLOADS
from tests.hostile.site import HEALER, environment, hostile, hostile_redis
from tests.terminal import Terminal

LOOKS = (
    ("status",),
    ("tail", "-n", "200"),
    ("explain", HEALER),
    ("explain", HEALER, "--intent", PAYLOADS["osc52"]),
    ("locks",),
    ("report",),
    ("check",),
    ("doctor",),
    ("gc", "--dry-run"),
    ("dry-run", HEALER, "on", "--reason", PAYLOADS["osc52"], "--incident", PAYLOADS["c1-csi"]),
    ("trip", HEALER, "--scope", PAYLOADS["osc0"], "--reason", PAYLOADS["bidi"]),
    ("reset", HEALER, "--reason", PAYLOADS["newlines"]),
    (PAYLOADS["osc0"],),
    ("status", PAYLOADS["osc0"]),
    ("trip", PAYLOADS["csi-clear"], "--reason", PAYLOADS["osc8"]),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The hostile host."""
    return hostile(tmp_path_factory.mktemp("hostile") / "")


@pytest.mark.parametrize("words", LOOKS, ids=lambda words: "-".join(words[:1]) if words else "")
def test_what_a_command_says_on_a_terminal_is_only_text(
    site: Site, redis_url: str, words: tuple[str, ...]
) -> None:
    hostile_redis(redis_url, site.now)
    more = site.options if words[0] in COMMANDS else ()
    with Terminal(
        (*PROGRAM, *words, *more), environment(site, redis_url), columns=120, rows=40, warm=True
    ) as terminal:
        terminal.replay = False
        assert terminal.wait_end(60) in {0, 1, 2, 3}
        text, _ = taken_apart(terminal.received, screen=False)
    assert text
    assert "Traceback" not in text
    assert ("see healconsole --help" in text) is (words[0] not in COMMANDS)


COMMANDS = {words[0] for words in LOOKS if words[0] != PAYLOADS["osc0"]}


def test_json_is_exact(site: Site, redis_url: str) -> None:
    hostile_redis(redis_url, site.now)
    around = environment(site, redis_url)
    done = site.run("tail", "-n", "500", "--json", environment=around)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    for name, payload in PAYLOADS.items():
        assert any(event.get("fact") == payload for event in events), name
    locks = site.run("locks", "--json", environment=around)
    said = json.dumps(json.loads(locks.stdout), ensure_ascii=False)
    for name, payload in PAYLOADS.items():
        assert json.dumps(payload, ensure_ascii=False)[1:-1] in said, name


def test_json_obeys_nothing_on_a_terminal_either(site: Site, redis_url: str) -> None:
    words = ("tail", "-n", "500", "--json", *site.options)
    with Terminal(
        (*PROGRAM, *words), environment(site, redis_url), columns=120, rows=40, warm=True
    ) as terminal:
        terminal.replay = False
        assert terminal.wait_end(60) == 0
        received = bytes(terminal.received)
    for payload in ("osc52", "osc0", "c1-csi", "csi-clear", "bidi"):
        assert PAYLOADS[payload].encode() not in received
    assert b"\x1b" not in received


def test_a_reason_that_attacks_is_kept_exactly_in_the_log(site: Site) -> None:
    reason = "why " + PAYLOADS["csi-clear"]
    done = site.run("trip", HEALER, "--reason", reason)
    assert done.returncode == 0, done.stderr
    ours = [line for line in site.audit.read_bytes().splitlines() if b'"operator-trip"' in line]
    assert reason in {json.loads(line).get("reason") for line in ours}
