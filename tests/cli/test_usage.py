"""What cannot be done is one clear line and the right exit code, never a traceback."""

from __future__ import annotations

import argparse
import os
import pty
import resource
import signal
import subprocess
from importlib.metadata import version
from typing import Any

import pytest

from healconsole.cli.parser import build_parser
from tests.cli.conftest import Start
from tests.cli.program import PROGRAM, Finished, Site


def _one_line(done: Finished, code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("status", "no-such"),
        ("explain", "no-such"),
        ("trip", "no-such", "--reason", "x"),
        ("reset", "no-such", "--reason", "x"),
        ("run", "no-such", "--reason", "x"),
    ],
    ids=lambda words: words[0],
)
def test_an_unknown_healer_is_named_with_those_there_are(
    site: Site, words: tuple[str, ...]
) -> None:
    _one_line(site.run(*words), 1, "no-such", "worker-queue-healer")


def test_a_bad_config_file_is_named_with_its_line(site: Site) -> None:
    config = site.root / "healconsole.toml"
    config.write_text('state_root = "/x"\nthis is not toml\n', encoding="utf-8")
    _one_line(site.run("status", "--config", str(config)), 2, str(config), "line 2")


def test_an_unknown_key_in_the_config_is_named(site: Site) -> None:
    config = site.root / "healconsole.toml"
    config.write_text('state_rot = "/x"\n', encoding="utf-8")
    _one_line(site.run("status", "--config", str(config)), 2, str(config), "state_rot")


def test_a_config_file_that_is_not_there_is_named(site: Site) -> None:
    _one_line(site.run("status", "--config", "/nowhere.toml"), 2, "/nowhere.toml")


@pytest.mark.parametrize("url", ["http://x", "redis://[", "redis://x:port/0", "nonsense"])
def test_a_bad_redis_url_is_one_line(site: Site, url: str) -> None:
    _one_line(site.run("status", "--redis", url), 2, "redis")


def test_no_password_is_taken_from_the_command_line(site: Site) -> None:
    done = site.run("status", "--redis", "redis://heal:sesame@127.0.0.1:1/0")
    _one_line(done, 2, "--redis", "HEAL_REDIS_URL", "HEAL_REDIS_PASSWORD_FILE")
    assert "sesame" not in done.stderr


def test_a_bad_filter_is_one_line(site: Site) -> None:
    _one_line(site.run("tail", "--filter", "since:yesterdayish"), 2, "since")


def test_a_state_root_that_is_a_file_is_one_line(site: Site) -> None:
    done = site.run("status", "--state-root", str(site.audit), options=False)
    _one_line(done, 1, str(site.audit))


@pytest.mark.parametrize(
    "words",
    [
        ("no-such-command",),
        ("trip", "worker-queue-healer"),
        ("trip", "worker-queue-healer", "--reason", "x", "--for", "soon"),
        ("trip", "worker-queue-healer", "--reason", "x", "--for", "10"),
        ("reset", "worker-queue-healer", "--reason", "x", "--to", "open"),
        ("dry-run", "disk-reaper", "perhaps", "--reason", "x"),
        ("tail", "-n", "many"),
        ("completion", "cmd.exe"),
        ("status", "--", "rm"),
        ("guard", "--healer", "x", "--intent", "y"),
        ("guard", "--intent", "y", "--", "true"),
        ("heal", "/nowhere.toml"),
        ("--wall", "status"),
        ("demo", "--bad", "--script"),
        ("demo", "--pace", "9"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_understood_is_usage(site: Site, words: tuple[str, ...]) -> None:
    _one_line(site.run(*words, options=False), 2, "healconsole")


@pytest.mark.parametrize("words", [(), ("--wall",), ("demo",)], ids=" ".join)
def test_without_a_terminal_the_console_refuses_and_says_what_works(
    site: Site, words: tuple[str, ...]
) -> None:
    _one_line(
        site.run(*words, options=False), 2, "terminal", "demo" if words == ("demo",) else "status"
    )


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_is_refused(site: Site, term: str) -> None:
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            (*PROGRAM, *site.options),
            env={**site.environment, "TERM": term},
            stdin=slave, stdout=slave, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
        )  # fmt: skip
    finally:
        os.close(slave)
        os.close(master)
    assert done.returncode == 2
    assert "healconsole status" in done.stderr


def test_a_reader_that_left_is_no_error(site: Site) -> None:
    command = " ".join((*PROGRAM, "tail", "-n", "100000", *site.options))
    site.audit.write_bytes(site.audit.read_bytes() * 5_000)
    done = subprocess.run(
        ("bash", "-c", f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"),
        env=site.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "0"


@pytest.mark.parametrize(
    ("redirect", "code"), [("> /dev/full", 1), (">&-", 0)], ids=["full", "closed"]
)
def test_an_output_that_takes_nothing_is_no_traceback(site: Site, redirect: str, code: int) -> None:
    command = " ".join((*PROGRAM, "status", *site.options))
    done = subprocess.run(
        ("bash", "-c", f"{command} {redirect}"),
        env=site.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


def test_ctrl_c_while_following_ends_with_130(site: Site, start: Start) -> None:
    process = start("tail", "-f", "-n", "1")
    assert process.stdout is not None
    assert "disk-reaper" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == ""


def test_version_and_help_need_nothing(site: Site) -> None:
    assert site.run("--version", options=False).stdout == f"healconsole {version('healconsole')}\n"
    for verb in ("", "status", "tail", "trip", "guard"):
        done = site.run(*([verb] if verb else []), "--help", options=False)
        assert done.returncode == 0
        assert "examples:" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 100


def test_a_locale_without_glyphs_costs_the_glyphs_only(site: Site) -> None:
    ascii_only = {
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
    }
    done = site.run("status", environment=ascii_only)
    assert done.returncode == 0, done.stderr
    assert "worker-queue-healer" in done.stdout


def test_status_starts_quickly(site: Site) -> None:
    """In time on a processor, because machines are shared, and generous for the same reason."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert site.run("status", "--json", prefix=("env",)).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_a_command_that_is_not_named_has_a_parser_for_whoever_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As argparse of Python 3.14 does: it tries each command's help on the command's parser."""
    add_parser = argparse._SubParsersAction.add_parser
    asked: list[str] = []

    def add_and_ask(
        action: argparse._SubParsersAction[argparse.ArgumentParser],
        name: str,
        **given: Any,  # noqa: ANN401 - argparse's
    ) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = add_parser(action, name, **given)
        assert parser._get_formatter() is not None
        asked.append(parser.prog)
        return parser

    monkeypatch.setattr(argparse._SubParsersAction, "add_parser", add_and_ask)
    assert build_parser({"status"}).parse_args(["status", "--json"]).json
    assert {"healconsole status", "healconsole trip"} < set(asked)
