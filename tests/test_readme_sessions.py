"""The sessions of the README, and the healers in it, do what the text beside them says."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from healconsole.demo.launch import running_site
from tests.bench.files import write_healers
from tests.readme import HEALER, README, ROOT, blocks, commands, file_text, run_session, session


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
    "python": "python3 worker_queue_healer.py",
}


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


def test_the_guide_lists_every_function_of_the_legacy_library() -> None:
    table = README.partition("\n## From the legacy library\n")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`(heal_\w+)`", table))
    defined = (ROOT / "healconsole/shell/heal.d/legacy.sh").read_text()
    assert listed == set(re.findall(r"^(heal_\w+)\(\)", defined, re.MULTILINE))


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
