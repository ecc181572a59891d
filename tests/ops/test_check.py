"""``healconsole check``, as Nagios runs it: one line, performance data, and 0, 1, 2 or 3."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from healconsole.core.nagios import DETAILED, STATE_OF
from healconsole.core.trouble import RANKS
from tests.cli.program import Finished, Site, cycle

PERFDATA = re.compile(
    r"(?:'[^'=|]+'|[a-z]+)=(?:U|-?[0-9.]+s?)(?:;[0-9.:~@]*){0,2}(?:;[0-9.]*){0,2}"
)
"""One item of the Monitoring Plugins Development Guidelines."""


@pytest.fixture
def host(tmp_path: Path) -> Site:
    """One healer that is well."""
    site = Site(tmp_path, int(time.time()))
    site.write("well/cycle.json", cycle(site.now, verdict=None, intent="", outcome=""))
    site.audit.touch()
    return site


def answer(site: Site, *words: str) -> tuple[int, str, list[str]]:
    """Exit code, text and performance data."""
    done = site.run("check", *words)
    assert done.stderr == ""
    return parsed(done)


def parsed(done: Finished) -> tuple[int, str, list[str]]:
    assert done.stdout.endswith("\n")
    assert done.stdout.count("\n") == 1
    text, bar, data = done.stdout.rstrip("\n").partition(" | ")
    items = re.findall(r"(?:'[^']*'|[^\s'])+", data)
    assert bool(bar) == bool(items)
    assert all(PERFDATA.fullmatch(item) for item in items), items
    return done.returncode, text, items


def test_all_is_well(host: Site) -> None:
    code, text, data = answer(host)
    assert (code, text) == (0, "HEAL OK - 1 of 1 healer ok")
    assert data[:2] == ["healers=1;;;0", "ok=1;;;0;1"]
    beat = next(item for item in data if item.startswith("'well beat'="))
    assert beat.endswith("s;;183;0")  # three intervals of 60 s and the grace of 3 s
    assert "'well tokens'=3.00;;;0;3" in data


def test_an_open_breaker_is_critical_and_named_first(host: Site) -> None:
    host.write("stuck/cb/restart", f"3 {host.now - 60} 3 600 open {host.now + 540}\n")
    host.write("stuck/cycle.json", cycle(host.now))
    host.write("quiet/hold", f"on {host.now - 60} 0 ana\n")
    host.write("quiet/cycle.json", cycle(host.now, verdict=None, intent="", outcome=""))
    code, text, data = answer(host)
    assert code == 2
    assert text.startswith("HEAL CRITICAL - 1 of 3 healers ok; stuck open: circuit restart open")
    assert "quiet held: held by ana" in text
    assert "critical=1;;0;0;3" in data
    assert "'stuck circuits'=1;;;0" in data


def test_a_dead_healer_is_critical(host: Site) -> None:
    host.write("well/cycle.json", cycle(host.now, at=host.now - 400))
    code, text, _ = answer(host)
    assert code == 2
    assert "well stale: no heartbeat for 6m" in text


def test_what_an_operator_did_is_a_warning(host: Site) -> None:
    host.write("well/cb/restart", f"3 {host.now} 3 600 forced-open 0\n")
    assert answer(host)[0] == 1


def test_a_healer_that_never_beat_is_unknown_and_a_warning_outweighs_it(host: Site) -> None:
    host.write("new/claims/0", "")
    code, text, _ = answer(host)
    assert (code, "new unknown" in text) == (3, True)
    host.write("well/hold", f"on {host.now} 0 ana\n")
    assert answer(host)[0] == 1


def test_only_healers_that_are_named_count(host: Site) -> None:
    host.write("stuck/cb/restart", f"3 {host.now} 3 600 open {host.now + 600}\n")
    assert answer(host)[0] == 2
    assert answer(host, "well")[0] == 0


@pytest.mark.parametrize(
    "words",
    [("no-such",), ("--state-root", "/nowhere"), ("--config", "/nowhere.toml"), ("--redis", "x:y")],
    ids=lambda words: words[0],
)
def test_what_cannot_be_told_is_unknown_never_an_alarm(host: Site, words: tuple[str, ...]) -> None:
    done = host.run("check", *host.options, *words, options=False)
    code, text, _ = parsed(done)
    assert code == 3
    assert text.startswith("HEAL UNKNOWN - ")


def test_a_wrong_command_line_is_unknown(host: Site) -> None:
    assert host.run("check", "--critical", "5").returncode == 3


def test_an_empty_host_is_unknown(host: Site) -> None:
    empty = host.root / "empty"
    empty.mkdir()
    done = host.run("check", "--state-root", str(empty), "--audit", str(host.audit), options=False)
    assert (done.returncode, done.stdout) == (3, "HEAL UNKNOWN - there is no healer\n")


def test_a_redis_that_does_not_answer_is_a_warning(host: Site) -> None:
    code, text, _ = answer(host, "--redis", "redis://127.0.0.1:1/0")
    assert code == 1
    assert "Redis unknown: 127.0.0.1:1 cannot be reached" in text


def test_hostile_names_end_neither_the_line_nor_a_label(host: Site) -> None:
    host.write("a'b=c|d\x1b[31m/cb/x|y\nz", f"3 {host.now} 3 600 open {host.now + 600}\n")
    host.write("a'b=c|d\x1b[31m/cycle.json", cycle(host.now))
    code, text, data = answer(host)
    assert code == 2
    assert "\x1b" not in text
    assert any(item.startswith("'a_b_c_d") for item in data)


def test_a_thousand_healers_fit_into_what_a_server_keeps(host: Site) -> None:
    for number in range(DETAILED + 180):
        host.write(f"h{number:04}/cb/x", f"3 {host.now} 3 600 open {host.now + 600}\n")
    done = host.run("check")
    code, text, data = parsed(done)
    assert code == 2
    assert text.endswith(f"; and {DETAILED + 177} more")
    assert len(data) == 5
    assert len(done.stdout) < 1024


def test_every_word_of_a_row_has_a_state() -> None:
    assert set(STATE_OF) == set(RANKS)


def _loaded(site: Site, redis: str = "") -> set[str]:
    argv = ["check", *site.options]
    script = (
        "import sys\nfrom healconsole.cli.main import main\n"
        f"code = main({argv!r})\nprint('\\n'.join(sys.modules), file=sys.stderr)\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HEAL_REDIS_URL": redis},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    return set(done.stderr.split())


def test_it_starts_without_what_it_does_not_need(host: Site) -> None:
    """Importing textual costs 250 ms and redis 200 ms: the budget of 150 ms has no room."""
    heavy = {
        "textual",
        "rich",
        "redis",
        "watchfiles",
        "asyncio",
        "subprocess",
        "pydoc",
        "typing_extensions",
    }
    loaded = _loaded(host)
    assert not loaded & heavy
    ours = {name.split(".")[1] for name in loaded if name.startswith("healconsole.")}
    assert ours == {"cli", "core", "stores"}


def _cpu_seconds(*argv: str) -> float:
    """What a command costs in user and system time, at its best of five."""
    best = 60.0
    for _ in range(5):
        child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, used = os.wait4(child.pid, 0)
        child.returncode = 0  # reaped here
        best = min(best, used.ru_utime + used.ru_stime)
    return best


def test_it_starts_within_its_budget(host: Site) -> None:
    """150 ms where importing textual costs 250 ms; a busy machine makes both slower, not alike."""
    program = str(Path(sys.executable).with_name("healconsole"))
    textual = _cpu_seconds(sys.executable, "-c", "import textual.app")
    assert _cpu_seconds(program, "check", *host.options) < 1.25 * textual * 150 / 250


def test_redis_is_loaded_where_it_is_asked(host: Site, redis_url: str) -> None:
    loaded = _loaded(host, redis=redis_url)
    assert "redis" in loaded
    assert "textual" not in loaded
