"""bash 4.4: nothing that came after it, and the ways around what it lacks.

A later bash is told to be an older one: with ``BASH_COMPAT=4.4`` a here-string lies in a file and
not in a pipe, and a variable that was unset tells no time any more. ``PATH=/old/bin:$PATH pytest
tests/shell`` runs everything on a bash that really is old.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.shell.bashes import SHELL, ShellSite

LATER = {
    "5.0": r"EPOCHSECONDS|BASH_ARGV0|shopt -s localvar_|assoc_expand_once|wait -f|history -d -",
    "5.1": r"SRANDOM|\bwait (?:-n )?-p|\$\{\w+@[ULKuA]\}|READLINE_MARK|\bdeclare -I|\blocal -I",
    "5.2": r"\$\{\w+@k\}|varredir_close|globskipdots|patsub_replacement|noexpand_translation|%Q",
    "5.3": r"\$\{ |\$\{\|[^}]|BASH_MONOSECONDS|array_expand_once|\bread -E|BASH_TRAPSIG",
}
AS_OLD = "BASH_COMPAT=4.4\nunset EPOCHREALTIME EPOCHSECONDS SRANDOM\n"


@pytest.mark.parametrize("version", LATER)
def test_nothing_is_used_that_came_later(version: str) -> None:
    for file in [*SHELL.rglob("*.sh")]:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            code = line.partition(" #")[0]
            assert not re.search(LATER[version], code), f"{file.name}:{number}: {line}"


def test_the_time_of_later_ones_is_only_asked_for_where_it_is() -> None:
    found = [
        line
        for file in SHELL.rglob("*.sh")
        for line in file.read_text().splitlines()
        if "EPOCHREALTIME" in line
    ]
    assert [line.strip() for line in found] == [
        "if [[ -n ${EPOCHREALTIME-} ]]; then",
        "_heal_real=$EPOCHREALTIME",
    ]


@pytest.fixture
def old(tmp_path: Path) -> dict[str, str]:
    """The environment that makes a bash old."""
    (tmp_path / "as-old").write_text(AS_OLD)
    return {"BASH_ENV": str(tmp_path / "as-old")}


def test_an_older_bash_is_told_what_it_is(site: ShellSite, old: dict[str, str]) -> None:
    """Or else the tests below would say nothing."""
    script = 'exec {file}<<<x; [[ -p /proc/self/fd/$file ]] || echo "${EPOCHREALTIME-none}"'
    assert site.run(script, **old).stdout == "none\n"


def test_acts_denials_and_failures_are_those_of_any_bash(
    site: ShellSite, old: dict[str, str]
) -> None:
    script = """
    seven() { return 7; }
    hangs() { sleep 30; }
    trap 'echo mine' USR1
    for try in 1 2; do
      heal_act_with_guardrails "fix 1" act good
      heal_act_with_guardrails "fix 2" seven good
      heal_act_with_guardrails "fix 3" hangs good
      heal_act_with_guardrails "$LONG" act good
    done
    heal_rate_check name 0 1 && heal_cb_check name 3 5 && heal_cb_record name failure
    trap -p
    """
    limited = site.limited(ACTION_TIMEOUT="0.2", CB_MAX=9)
    texts = {"LONG": "größe " + "x" * 1000, "HEAL_FACT": "é" * 30_000}
    said = limited.run(script, **texts, **old)
    mine, other = limited.events(), ShellSite(site.root / "other", limits=limited.limits)
    other.root.mkdir()
    assert said.stdout == other.run(script, **texts).stdout
    for event in (*mine, *(theirs := other.events())):
        for volatile in ("pid", "duration_ms", "hash", "prev"):
            event.pop(volatile, None)
    assert mine == theirs
    assert len(mine) > 10
    assert [f"{event['outcome']}" for event in mine][:2] == ["started", "success"]


def test_a_loop_and_its_recovery_go_on(site: ShellSite, old: dict[str, str]) -> None:
    live = ShellSite(site.root, now=None)
    killed = live.run(
        'die() { kill -KILL "$$"; }; heal_act_with_guardrails "fix 0" die good', **old
    )
    assert killed.returncode == -9
    done = live.run(
        """
        detect() { printf 'depth=12\\n'; }
        decide() { [[ $1 == depth=12 ]] && echo "fix depth=12"; }
        heal_main detect decide act good --once
        """,
        **old,
    )
    assert done.returncode == 0, done.stderr
    assert live.outcomes() == ["started", "interrupted", "started", "success"]
    record = json.loads((live.state / "cycle.json").read_text())
    assert (record["outcome"], record["at"] == int(record["at"])) == ("success", True)
    assert all(re.search(r"\.000[+-]", event["ts"]) for event in live.events())


def test_a_tmp_without_room_denies_nothing(site: ShellSite, old: dict[str, str]) -> None:
    """A here-string cannot be had then: pipes cost a fork, and nothing else."""
    done = site.run(
        'TMPDIR=/nowhere; exec {f}<<<x 2>/dev/null; heal_act_with_guardrails "fix" act good\n'
        'echo "$_heal_outcome"',
        **old,
    )
    assert done.stdout == "success\n", done.stderr
    assert site.acts() == 1
