"""The benchmark of the library counts what it says that it counts. Counts only, never times."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from tests.bench.calls import (
    EXECS,
    FORKS,
    NotTraced,
    counted,
    execs,
    forks,
    traced,
    why_not,
)
from tests.bench.library import BASELINE, HEAL, Cost, count, output, python, shell, site

traces = pytest.mark.skipif(bool(why_not()), reason=why_not() or "strace works")

SCRIPT = """
look() { [[ -e $MARK ]]; }
:; look
:; look
(:); look
true | cat; look
/bin/true; look
/no/such/program; look
x=$(exec sha256sum </dev/null); look
/bin/true
"""
"""Bash's ways to begin a process, and in the end one that is in no part."""


@traces
def test_each_part_counts_what_it_began(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(SCRIPT)
    with site("allowed") as environ:
        parts = counted(["bash", str(script)], FORKS | EXECS, environ=environ)
    assert [(forks(part), execs(part)) for part in parts] == [
        (0, 0),
        (1, 0),
        (2, 1),
        (1, 1),
        (1, 0),
        (1, 1),
    ]


@traces
def test_a_thread_is_no_process_and_a_failed_call_is_told() -> None:
    code = (
        "import os, threading; from tests.bench.calls import MARK; os.path.exists(MARK)\n"
        "thread = threading.Thread(target=lambda: None); thread.start(); thread.join()\n"
        "os.access('/no/such/file', os.F_OK)\n"
        "os.path.exists(MARK)\n"
    )
    with site("allowed") as environ:
        (part,) = traced([sys.executable, "-c", code], None, environ=environ)
    assert not {call.name for call in part} & FORKS
    (looked,) = [call for call in part if "/no/such/file" in call.text]
    assert looked.failed


@traces
def test_a_program_that_fails_is_no_measurement() -> None:
    with pytest.raises(CalledProcessError):
        traced(["false"])


def test_without_strace_the_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/no/such/directory")
    why_not.cache_clear()
    try:
        with pytest.raises(NotTraced, match="strace is not installed"):
            traced(["true"])
    finally:
        why_not.cache_clear()


@pytest.mark.parametrize("path", ["duplicate", "rate-limited", "open circuit", "allowed"])
@pytest.mark.parametrize("library", [BASELINE, HEAL], ids=["baseline", "heal.sh"])
def test_a_path_in_bash_is_the_path_that_it_is_called(library: Path, path: str) -> None:
    with site(path) as environ:
        taken = output(shell(library, path, 2), environ).split()
        log = Path(environ["HEAL_AUDIT_FILE"])
        said = log.read_text() if log.exists() else ""
    assert len(taken) == 2
    acted = said.count('"outcome":"success"')
    assert acted == {"allowed": 2, "duplicate": 1}.get(path, 0)


@pytest.mark.parametrize(
    ("path", "acted", "guard"),
    [
        ("duplicate", 1, "idempotency"),
        ("rate-limited", 0, "rate"),
        ("open circuit", 0, "circuit"),
        ("allowed, a block", 2, ""),
        ("allowed, a function", 2, ""),
        ("allowed, a command", 2, ""),
    ],
)
def test_a_path_in_python_is_the_path_that_it_is_called(path: str, acted: int, guard: str) -> None:
    with site(path) as environ:
        output(python(path, 2), environ)
        said = Path(environ["HEAL_AUDIT_FILE"]).read_text()
    assert said.count('"outcome":"success"') == acted
    assert f'"guard":"{guard}"' in said


@traces
def test_the_cost_of_an_act_is_filled_in() -> None:
    cost = Cost()
    with site("allowed, a block") as environ:
        count(python("allowed, a block", 2), environ, cost)
    assert (cost.forks, cost.execs) == (0, 0)
    assert cost.syncs > 0
