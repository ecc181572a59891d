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
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from healconsole.cli import manual
from healconsole.cli.parser import build_parser, split_command_line
from healconsole.core.auditchain import linked
from healconsole.demo.launch import running_site
from healconsole.stores.catalog import load_catalog
from healconsole.stores.config import load_config
from healconsole.stores.redisserver import RedisServer
from healconsole.tui import keys
from tests.bench.files import event, write_healers
from tests.terminal import Terminal

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
HEALER = "worker-queue-healer"

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


class Block(NamedTuple):
    """One fenced block: the comment above it, its language, and its text."""

    how: str
    language: str
    text: str


def blocks() -> list[Block]:
    """Every fenced block, in order."""
    found = re.findall(
        r"(?:^<!-- (.+?) -->\n)?^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE
    )
    assert len(found) == len(re.findall(r"^```\w*$", README, re.MULTILINE)) / 2
    return [Block(*parts) for parts in found]


def commands() -> list[str]:
    """The commands of the program, without their comments."""
    return [
        re.sub(r"\s+#.*$", "", line)
        for block in blocks()
        if block.language == "sh" and not block.how
        for line in block.text.splitlines()
    ]


def session(name: str) -> str:
    """The script of one session."""
    return "".join(block.text for block in blocks() if block.how == f"session: {name}")


def file_text(name: str) -> str:
    """The text of one file."""
    return next(block.text for block in blocks() if block.how == f"file: {name}")


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


def run_session(script: str, place: Path, **more: str) -> str:
    """Run ``script`` in ``place``, where the README's files are; what it printed."""
    for block in blocks():
        if block.how.startswith("file: "):
            (place / block.how.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(place),
            "LANG": "C.UTF-8",
            "HEAL_SETTLE": "0",  # the five seconds between an act and its check
            "HEAL_STATE_ROOT": str(place / "state"),
            "HEAL_AUDIT_FILE": str(place / "audit.jsonl"),
            **more,
        },
        cwd=place, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


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


def test_a_second_terminal_is_pointed_at_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with running_site("--no-story") as site:
        cycle = site.state / HEALER / "cycle.json"
        deadline = time.monotonic() + 30
        while not cycle.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        said = run_session(
            session("demo") + 'healconsole locks\nprintf "%s\\n" "$HEAL_REDIS_URL"',
            tmp_path, XDG_RUNTIME_DIR=str(tmp_path),
        )  # fmt: skip
        assert site.redis_url_file.read_text() in said
    assert "broker-restarter" in said
    assert f"{HEALER} would" in said.replace("\n", " ")


class Followed(NamedTuple):
    """What one session printed, on both outputs, and the files that it left."""

    said: str
    spool: int
    aside: int


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Followed]:
    """The sessions on one host's state, in the README's order and in one directory."""
    place = tmp_path_factory.mktemp("followed")
    guarded = next(line for line in commands() if line.startswith("healconsole guard"))
    found = {}
    for name in ("first", "python", "declared", "guard"):
        script = f"{guarded}\n" if name == "guard" else ""
        said = run_session(f"exec 2>&1\n{script}{session(name)}", place)
        left = [len(list((place / folder).iterdir())) for folder in ("spool", "spool.aside")]
        found[name] = Followed(said, *left)
    return found


def test_the_sessions_are_followed_in_the_order_of_the_text(
    followed: dict[str, Followed],
) -> None:
    order = dict.fromkeys(how for how, _, _ in blocks() if how.startswith("session: "))
    names = [how.removeprefix("session: ") for how in order]
    elsewhere = {"demo", "fleet", "tests"}  # of a site that runs, a Redis, and decide alone
    assert [name for name in names if name not in elsewhere] == list(followed)


def test_the_first_healer_rehearses_acts_once_and_is_seen(followed: dict[str, Followed]) -> None:
    said, spool, aside = followed["first"]
    assert said.startswith("files=9\n")
    assert '"intent":"set_aside spool=spool","verdict":{"allow":true' in said
    assert "spool-healer: set_aside spool=spool: success in " in said
    assert said.count("spool-healer: set_aside spool=spool: denied by idempotency: ") == 1
    assert (spool, aside) == (9, 9), "the second act was denied"
    assert "would NOT act: idempotency" in said


@pytest.mark.parametrize("name", ["python", "declared"])
def test_the_same_healer_in_other_languages_acts(
    name: str, followed: dict[str, Followed], tmp_path: Path
) -> None:
    said, spool, aside = followed[name]
    assert '"intent":"set_aside spool=spool","verdict":{"allow":true' in said
    assert "set_aside spool=spool: success in " in said
    assert "denied" not in said
    assert (spool, aside) == (0, 9)
    if name == "python":
        test = re.search(r"its test is one line: `(.+?)`", README)
        assert test
        run_session(f"python3 -c 'from spool_healer import *; assert {test[1]}'", tmp_path)


QUEUE = {
    "bash": "bash worker-queue-healer",
    "declared": "healconsole heal worker-queue-healer.toml",
}
QUEUE["python"] = "python3 worker_queue_healer.py"


def test_the_tests_of_decide_pass_and_can_fail(tmp_path: Path) -> None:
    assert "10 passed" in run_session(
        session("tests"), tmp_path, PYTEST_ADDOPTS="-p no:cacheprovider"
    )
    mistaken = session("tests").replace(
        "workers_alive=8 ''        # busy", "workers_alive=8 'x' # busy"
    )
    with pytest.raises(AssertionError, match="does not say"):
        run_session(mistaken, tmp_path)


@pytest.mark.parametrize("command", QUEUE.values(), ids=QUEUE)
def test_the_healer_of_the_queue_restarts_its_workers(command: str, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in (
        ("redis-cli", "[[ -e restarted ]] && echo 12 || echo 12450"),
        ("pgrep", "echo 8"),
        ("systemctl", 'echo "$*" >>restarted'),
    ):
        (tools / name).write_text(f"#!/bin/bash\n{script}\n")
        (tools / name).chmod(0o755)
    on_it = f"PATH=$PWD/tools:$PATH\n{command}"
    plan = run_session(f"{on_it} --plan", tmp_path)
    assert (
        '"fact":"queue_depth=12450,workers_alive=8","intent":"restart_workers queue=jobs"' in plan
    )
    run_session(f"{on_it} --once", tmp_path)
    assert (tmp_path / "restarted").read_text() == "restart queue-worker\n"
    assert '"outcome":"success"' in (tmp_path / "audit.jsonl").read_text()
    (tools / "redis-cli").write_text("#!/bin/bash\nexit 1\n")
    assert '"fact":"queue_depth=ERROR,workers_alive=8","intent":""' in run_session(
        f"{on_it} --plan", tmp_path
    )


def test_a_block_of_code_is_guarded(followed: dict[str, Followed]) -> None:
    *command, acted, denied = followed["guard"].said.splitlines()
    assert not any("denied" in line for line in command)
    assert acted == "rotating"
    assert denied.startswith("denied by idempotency: acted on")


def test_a_host_tells_the_fleet_of_itself(tmp_path: Path, redis_url: str) -> None:
    write_healers(tmp_path / "state", 1)
    said = run_session(session("fleet"), tmp_path, HEAL_REDIS_URL=redis_url)
    assert "1 healers and 0 new events published" in said
    assert "fleet, 1 host " in said
    assert "/healer-0000" in said


def test_a_legacy_healer_moves_by_one_line(tmp_path: Path) -> None:
    healer = (
        "NAME=old HEAL_STATE_DIR=$PWD/state/old\nSOURCE\nheal_init\n"
        "act() { echo acted; }\ncheck() { true; }\n"
        'heal_act_with_guardrails "restart unit=a" act check "too long"\n'
        'heal_act_with_guardrails "restart unit=a" act check "too long"\n'
    )
    old = f"source {ROOT}/tests/shell/legacy-heal.sh"
    assert run_session(healer.replace("SOURCE", old), tmp_path).count("acted") == 1
    assert (tmp_path / "state" / "old" / "cb").is_dir()
    new = file_text("heal.sh-line")
    assert "acted" not in run_session(healer.replace("SOURCE", new), tmp_path), "marker of before"
    again = healer.replace("SOURCE", new).replace("unit=a", "unit=b")
    assert run_session(again, tmp_path).count("acted") == 1


@pytest.mark.parametrize(
    ("scope", "breaker"), [("", "restart"), ("HEAL_SCOPE='restart unit=a'", "restart%20unit=a")]
)
def test_a_moved_healer_has_one_breaker_for_each_verb_or_for_each_intent(
    scope: str, breaker: str, tmp_path: Path
) -> None:
    run_session(
        f"NAME=old\n{file_text('heal.sh-line')}\nheal_init\nact() {{ :; }}\ncheck() {{ false; }}\n"
        f'{scope}\n! heal_act_with_guardrails "restart unit=a" act check "too long"\n',
        tmp_path,
    )
    assert [path.name for path in (tmp_path / "state" / "old" / "cb").iterdir()] == [breaker]


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
