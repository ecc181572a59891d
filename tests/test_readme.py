"""Every command and every snippet of the README is run, on sites of their own.

A fenced block says by a comment above it how it is run:

- ``file: NAME``: it is that file, for the sessions;
- ``session: NAME``: with the other blocks of that name, one bash session beside the files;
- ``install: WAY``, ``demo-command``, ``test-command``: ``.ci/run`` runs it on a clean checkout;
- none: each of its lines is a command of the program, run on one site in the README's order.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from healconsole.cli import manual
from healconsole.cli.parser import build_parser, split_command_line
from healconsole.core.auditchain import linked
from healconsole.stores.catalog import load_catalog
from healconsole.stores.config import load_config
from healconsole.stores.redisserver import RedisServer
from healconsole.tui import keys
from tests.bench.files import event, write_healers
from tests.readme import (
    BIN,
    HEALER,
    README,
    ROOT,
    blocks,
    commands,
    file_text,
    session,
)
from tests.terminal import Terminal

ON_A_TERMINAL = {"healconsole", "healconsole --read-only", "healconsole --wall"}
CODES = {
    f"healconsole run {HEALER} --reason 'try the repaired queue'": 0,
    "healconsole check": 1,  # its breaker is half-open by then
    "healconsole doctor": 1,  # its healer has no unit, no rules, and so on
}


SERVED = {
    "healconsole serve",
    "healconsole serve --token-file /etc/heal/wall-token --url https://wall.example",
}


BY_CI = {"demo-command", "test-command", "install: pipx", "install: uv", "install: source"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One healer with a catalog entry, on which the guide's commands make sense."""
    path = tmp_path_factory.mktemp("readme")
    made = write_healers(path / "state", 1)[0].rename(path / "state" / HEALER)
    (made / "cb" / "restart_worker").write_text(f"3 {2**31 // 2} 3 600 open {2**31}\n")
    (path / "audit.jsonl").write_bytes(linked(event(1_764_000_000.0, 1, HEALER), ""))
    script = path / "healer.sh"
    script.write_text(
        '#!/usr/bin/env bash\nsource "$(healconsole heal-sh)"\n'
        "detect() { printf 'queue_depth=1'; }\ndecide() { :; }\nact() { :; }\ncheck() { :; }\n"
        'heal_main detect decide act check "$@"\n'
    )
    (path / "catalog").mkdir(mode=0o700)
    (path / "catalog" / f"{HEALER}.toml").write_text(
        f'command = ["/bin/bash", "{script}", "--once"]\n'
        f'environment = {{ NAME = "{HEALER}", PATH = "{BIN}:/usr/bin:/bin" }}\n'
    )
    return path


@pytest.fixture(scope="module")
def environment(site: Path, shared_redis: RedisServer) -> dict[str, str]:
    """The options of the guide's table, by their environment variables."""
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(site),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "HEAL_STATE_ROOT": str(site / "state"),
        "HEAL_AUDIT_FILE": str(site / "audit.jsonl"),
        "HEALCONSOLE_CATALOG": str(site / "catalog"),
        "HEAL_REDIS_URL": shared_redis.url,
    }


def test_the_acts_that_want_two_people_are_said_as_shown(tmp_path: Path) -> None:
    path = tmp_path / "four-eyes.toml"
    path.write_text(file_text("four-eyes.toml"), encoding="utf-8")
    config = load_config({}, {}, [path])
    assert (config.four_eyes, config.second_within) == (frozenset({"reset"}), 900.0)


def test_every_block_is_run_somehow() -> None:
    for block in blocks():
        kind, _, name = block.how.partition(": ")
        if kind == "session":
            assert session(name)
        elif kind != "file":
            assert block.language == "sh", block
            assert not block.how or block.how in BY_CI, block
    assert {block.how for block in blocks()} >= BY_CI
    assert all(command.startswith("healconsole") for command in commands())


def test_every_command_in_the_text_can_be_understood() -> None:
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`(healconsole [^`]+)`", prose)
    assert len(spans) > 5
    named = [span for span in spans if span.count(" ") == 1]  # the command, not how it is called
    assert {span.split()[1] for span in named} <= set(manual.USAGE) | {"--fleet"}
    for span in set(spans) - set(named):
        arguments, _ = split_command_line(shlex.split(span)[1:])
        if arguments[-1] != "--help":
            build_parser().parse_args(arguments)


def test_the_guide_names_every_command() -> None:
    unnamed = [name for name in manual.USAGE if name and f"healconsole {name}" not in README]
    assert not unnamed


def test_the_guide_has_its_commands() -> None:
    assert len(commands()) >= 15
    assert set(commands()) >= ON_A_TERMINAL | SERVED | set(CODES)


def test_every_command_without_a_screen_works_in_order(
    site: Path, environment: dict[str, str]
) -> None:
    for folder in (
        ".local/share/bash-completion/completions",
        ".zfunc",
        ".config/fish/completions",
    ):
        (site / folder).mkdir(parents=True)
    for command in commands():
        if command in ON_A_TERMINAL | SERVED:
            continue
        done = subprocess.run(
            ["bash", "-c", command],
            env=environment, cwd=site, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == CODES.get(command, 0), f"{command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", sorted(ON_A_TERMINAL))
def test_every_command_with_a_screen_opens_and_quits(
    command: str, environment: dict[str, str]
) -> None:
    with Terminal(command.split(), environment, columns=120, rows=40) as terminal:
        terminal.wait_for(HEALER)
        terminal.send("q")
        assert terminal.wait_end() == 0


@pytest.mark.skipif(find_spec("aiohttp") is None, reason="needs the extra 'serve'")
@pytest.mark.parametrize("command", sorted(SERVED))
def test_every_command_that_serves_says_where(
    command: str, site: Path, environment: dict[str, str]
) -> None:
    token = site / "wall-token"
    token.write_text("a-token-of-our-own-choice\n")
    token.chmod(0o600)
    # The guide's file is the machine's, and its port may be taken.
    words = [*command.replace("/etc/heal/wall-token", str(token)).split(), "--port", "0"]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        process.terminate()
        assert process.wait(60) == 0
    assert said.startswith("the wall is at http")
    assert ("https://wall.example/?token=…" in said) is ("--url" in command)


def test_the_configuration_and_the_catalog_entry_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "healconsole.toml"
    file.write_text(file_text(file.name), encoding="utf-8")
    assert load_config({"config": str(file)}, {}).keymap["trip"] == "f5"
    tmp_path.chmod(0o700)
    entry = tmp_path / "spool-healer.toml"
    entry.write_text(file_text("spool-healer.catalog"), encoding="utf-8")
    entry.chmod(0o600)
    loaded = load_catalog(tmp_path)["spool-healer"]
    assert not loaded.problem
    assert loaded.command[-1] == "--once"


def test_every_key_is_in_the_table() -> None:
    table = README.partition("\n## Keys\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\S+)` \| `(\S+)` \|", table, re.MULTILINE)
    spelled = {"slash": "/", "question_mark": "?", "escape": "esc"}
    expected = {(spelled.get(key.keys, key.keys), key.id) for key in keys.ALL}
    assert set(rows) == expected


def test_every_link_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}
    links = re.findall(r"\]\(([^)]+)\)", README)
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert pictures
    for link in links:
        assert link[1:] in anchors if link.startswith("#") else (ROOT / link).is_file(), link
