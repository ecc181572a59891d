"""The metrics of a healer: the same bytes from bash and Python, and their counts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from healconsole.core.metrics import (
    LONGEST_LABEL,
    MOST_LABELS,
    Tally,
    format_metrics,
    parse_tally,
    scope_label,
    scope_samples,
)
from healconsole.core.records import Policy
from healconsole.core.scopes import scope_file_name
from healconsole.engine.settings import policy_from
from healconsole.stores.metricsfile import read_tally, write_metrics
from healconsole.stores.scopefiles import read_scopes
from tests.engine.healers import Program
from tests.engine.sites import Site
from tests.shell.bashes import NOON, ShellSite

TELL = """
tell() {
  _heal_policy && _heal_clock && _heal_seq=41
  _heal_acted=([success]=3 [dry-run]=2 [interrupted]=1) _heal_refused=([circuit]=7)
  _heal_metrics "$_heal_now.250" 1
  printf '%s' "$_heal_text"
}
_heal_call tell
"""
TALLY = Tally({"success": 3, "dry-run": 2, "interrupted": 1}, {"circuit": 7})

BREAKERS = {
    "restart_worker": f"3 {NOON - 10} 3 600 open {NOON + 590}\n",
    "fix%20pid=1": "0 0 3 600 closed 0\n",
    "fix%20pid=2": f"2 {NOON} 3 600 half-open 0\n",
    "over": f"3 {NOON - 900} 3 600 open {NOON - 300}\n",
    "legacy": f"3 {NOON - 10}\n",
    "forced": "3 32503680000 3 600 forced-open 0\n",
    "torn": "3 17",
    "empty": "",
    "%FF": "0 0 3 600 closed 0\n",
    "%01": "0 0 3 600 closed 0\n",
    "a%22b%5Cc": "0 0 3 600 closed 0\n",
    scope_file_name("gr\u00f6\u00dfe x"): "0 0 3 600 closed 0\n",
    scope_file_name("long " + "x" * 400): "0 0 3 600 closed 0\n",
    scope_file_name("y" * 400): "0 0 3 600 closed 0\n",
    scope_file_name("\u4e2d" * 100): "0 0 3 600 closed 0\n",
    "x" * 150: "0 0 3 600 closed 0\n",
    ".hidden": "0 0 3 600 closed 0\n",
    "raw name": "0 0 3 600 closed 0\n",
    "*": "0 0 3 600 closed 0\n",
}
BUCKETS = {
    "restart_worker": f"{NOON - 30} 0.500000 0.016700 3\n",
    "fix%20pid=2": f"{NOON} 1.250000 0.016700 3\n",
    "only_bucket": f"{NOON} 2.983300 0.016700 3\n",
    "torn": "nan nan\n",
}


@pytest.fixture
def healer(tmp_path: Path) -> ShellSite:
    """A healer in whose directory is about anything."""
    site = ShellSite(tmp_path, limits=(("HEAL_RATE", "0.0167"),))
    for name, text in BREAKERS.items():
        site.write(f"cb/{name}", text)
    for name, text in BUCKETS.items():
        site.write(f"rate/{name}", text)
    (site.state / "cb" / "folder").mkdir()
    return site


def python_metrics(site: ShellSite) -> str:
    policy = policy_from(dict(site.limits), Policy())
    samples = scope_samples(read_scopes(site.state), policy, float(site.now or 0))
    at = float(site.now or 0) + 0.25
    return format_metrics(site.name, at, 41, TALLY, samples, dry_run=True)


def test_bash_and_python_write_the_same_bytes(healer: ShellSite) -> None:
    told = healer.run(TELL)
    assert told.stdout == python_metrics(healer), told.stderr
    assert 'scope="restart_worker",state="open"} 1' in told.stdout
    assert 'scope="fix",state="half-open"} 1' in told.stdout  # the worse of two intents
    assert 'heal_tokens{healer="h",scope="fix"} 1.250000' in told.stdout
    assert 'heal_tokens{healer="h",scope="torn"} 0.000000' in told.stdout
    assert "pid=" not in told.stdout


@pytest.mark.parametrize("spoiled", ["cb", "rate"])
def test_a_directory_that_cannot_be_read_is_corrupt_from_both(
    healer: ShellSite, spoiled: str
) -> None:
    shutil.rmtree(healer.state / spoiled)
    (healer.state / spoiled).write_text("no directory")
    told = healer.run(TELL).stdout
    assert told == python_metrics(healer)
    if spoiled == "cb":
        assert 'scope="restart_worker",state="corrupt"} 1' in told


def test_both_tell_no_more_scopes_than_prometheus_should_bear(tmp_path: Path) -> None:
    site = ShellSite(tmp_path)
    for number in range(300):
        site.write(f"rate/scope{number}", f"{NOON} 1.000000 0.016700 3\n")
    told = site.run(TELL).stdout
    assert told == python_metrics(site)
    assert told.count("heal_tokens{") == MOST_LABELS


def test_a_healer_that_has_done_nothing_tells_no_scope(tmp_path: Path) -> None:
    site = ShellSite(tmp_path)
    told = site.run(TELL).stdout
    assert told == python_metrics(site)
    assert "scope" not in told


def test_a_label_is_short_and_never_an_intent() -> None:
    for name in BREAKERS:
        label = scope_label(name)
        assert len(label.encode()) <= LONGEST_LABEL
        assert not set(label) & set("\n\x01")


def test_counts_survive_the_process_and_nothing_else_is_believed() -> None:
    text = format_metrics("h", 1.0, 5, TALLY, (), dry_run=False)
    found = parse_tally(text, "h")
    assert {word: count for word, count in found.actions.items() if count} == TALLY.actions
    assert {word: count for word, count in found.denials.items() if count} == TALLY.denials
    assert parse_tally(text, "other") == Tally()
    odd = 'heal_actions_total{healer="h",outcome="success"} '
    for value in ("-1", "007", "1e9", "9" * 16, "NaN", "3 1764000000", "$(touch x)"):
        assert parse_tally(f"{odd}{value}\n", "h") == Tally()
    assert parse_tally('heal_actions_total{healer="h",outcome="other"} 3\n', "h") == Tally()


@pytest.mark.parametrize("umask", [0o077, 0o022])
def test_the_file_is_readable_by_everybody(healer: ShellSite, umask: int) -> None:
    folder = healer.root / "textfiles"
    folder.mkdir(mode=0o755)
    before = os.umask(umask)
    try:
        write_metrics(folder, "h", "x 1\n")
        assert (folder / "heal_h.prom").stat().st_mode & 0o777 == 0o644
        done = healer.run(
            "detect() { echo a=1; }; decide() { :; }\n"
            "heal_main detect decide act good --once\numask",
            HEAL_TEXTFILE_DIR=str(folder),
        )
    finally:
        os.umask(before)
    assert (folder / "heal_h.prom").stat().st_mode & 0o777 == 0o644
    assert done.stdout.strip() == f"{umask:04o}"  # the healer's own is left alone
    assert [path.name for path in folder.iterdir()] == ["heal_h.prom"]


def test_a_draft_that_cannot_be_put_in_place_is_taken_back(tmp_path: Path) -> None:
    (tmp_path / "heal_h.prom").mkdir()
    with pytest.raises(OSError, match="heal_h"):
        write_metrics(tmp_path, "h", "x 1\n")
    assert [path.name for path in tmp_path.iterdir()] == ["heal_h.prom"]


def counts(folder: Path) -> dict[str, dict[str, int]]:
    tally = read_tally(folder, "h")
    return {
        "actions": {word: n for word, n in tally.actions.items() if n},
        "denials": {word: n for word, n in tally.denials.items() if n},
    }


def test_python_counts_over_processes(tmp_path: Path) -> None:
    site = Site(tmp_path)
    program = Program(site)
    folder = tmp_path / "textfiles"
    folder.mkdir()
    where = {"HEAL_TEXTFILE_DIR": str(folder)}
    program.says(intent="fix pid=1").run("--once", **where)
    program.run("--once", **where)
    program.says(intent="fix pid=2", verify="False").run("--once", **where)
    program.run("--once", "--dry-run", **where)
    child = program.says(intent="fix pid=3", act="time.sleep(60)").start("--once", **where)
    site.await_count("acting", 3)
    child.kill()
    child.wait(20)
    program.says(intent="").run("--once", **where)
    program.end()
    assert counts(folder) == {
        "actions": {"success": 1, "verify-failed": 1, "dry-run": 1, "interrupted": 1},
        "denials": {"idempotency": 1},
    }
    text = (folder / "heal_h.prom").read_text()
    assert 'heal_cycles_total{healer="h"} 5' in text
    assert 'heal_dry_run{healer="h"} 0' in text


def test_bash_counts_over_processes(tmp_path: Path) -> None:
    site = ShellSite(tmp_path, now=None)
    folder = tmp_path / "textfiles"
    folder.mkdir()

    def once(intent: str, check: str = "good", action: str = "act", *options: str) -> None:
        script = (
            f"detect() {{ echo a=1; }}; decide() {{ echo '{intent}'; }}\n"
            f"kill_it() {{ act; kill -KILL $$; }}\n"
            f"heal_main detect decide {action} {check} --once {' '.join(options)}"
        )
        site.run(script, HEAL_TEXTFILE_DIR=str(folder))

    once("fix pid=1")
    once("fix pid=1")
    once("fix pid=2", "bad")
    once("fix pid=2", "good", "act", "--dry-run")
    once("fix pid=3", "good", "kill_it")
    once("")
    assert counts(folder) == {
        "actions": {"success": 1, "verify-failed": 1, "dry-run": 1, "interrupted": 1},
        "denials": {"idempotency": 1},
    }
    text = (folder / "heal_h.prom").read_text()
    assert 'heal_cycles_total{healer="h"} 5' in text


def test_counts_go_on_whoever_writes_next(tmp_path: Path) -> None:
    """A healer that moves from bash to Python, and a job behind ``guard`` of the same name."""
    shell, program = ShellSite(tmp_path, now=None), Program(Site(tmp_path))
    folder = tmp_path / "textfiles"
    folder.mkdir()
    where = {"HEAL_TEXTFILE_DIR": str(folder)}
    shell.run(
        "detect() { echo a=1; }; decide() { echo fix a; }\nheal_main detect decide act good --once",
        **where,
    )
    program.says(intent="fix b").run("--once", **where)
    command = [
        str(Path(sys.executable).with_name("healconsole")), "guard", "--healer", "h",
        "--settle", "0", "--intent", "fix c", "--", "true",
    ]  # fmt: skip
    for code in (0, 1):  # the second is denied
        done = subprocess.run(
            command, env={**shell.environ, **where}, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
    assert counts(folder) == {"actions": {"success": 3}, "denials": {"idempotency": 1}}
    assert 'heal_cycles_total{healer="h"} 4' in (folder / "heal_h.prom").read_text()


def promtool() -> str:
    found = shutil.which("promtool")
    if not found:
        pytest.skip("promtool is not installed")
    return found


def test_promtool_has_nothing_to_say(healer: ShellSite) -> None:
    done = subprocess.run(
        [promtool(), "check", "metrics"],
        input=healer.run(TELL).stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
