"""The console on a real terminal, opened and left through the command line."""

from __future__ import annotations

import pytest

from tests.cli.program import PROGRAM, Site
from tests.terminal import Terminal

LEAVE_ALTERNATE_SCREEN = b"\x1b[?1049l"


def _terminal(site: Site, *words: str, columns: int = 120) -> Terminal:
    argv = (*PROGRAM, *words, *site.options)
    return Terminal(argv, site.environment, columns=columns, rows=40, warm=True)


def test_the_console_opens_on_the_worst_and_ends_with_0(site: Site) -> None:
    with _terminal(site) as terminal:
        text = terminal.wait_for("worker-queue-healer")
        assert "READ-WRITE" in text
        terminal.send("q")
        assert terminal.wait_end() == 0
        assert LEAVE_ALTERNATE_SCREEN in terminal.received


@pytest.mark.parametrize("words", [("--read-only",), ("--wall",)], ids=" ".join)
def test_a_console_that_only_looks(site: Site, words: tuple[str, ...]) -> None:
    before = {path: path.read_bytes() for path in site.root.rglob("*") if path.is_file()}
    with _terminal(site, *words) as terminal:
        terminal.wait_for("worker-queue-healer")
        terminal.send("t")
        terminal.send("q")
        assert terminal.wait_end() == 0
    assert {path: path.read_bytes() for path in site.root.rglob("*") if path.is_file()} == before


def test_status_on_a_narrow_terminal_keeps_what_tells_of_a_state(site: Site) -> None:
    with _terminal(site, "status", columns=70) as terminal:
        assert terminal.wait_end() == 0
        text = terminal.text()
    assert "verify-failed 1m" in text
    assert "…" in text


def test_colour_is_for_terminals_without_no_color(site: Site) -> None:
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        argv = (*PROGRAM, "status", *site.options)
        with Terminal(argv, {**site.environment, **environment}) as terminal:
            assert terminal.wait_end() == 0
            assert (b"\x1b[31m" in terminal.received) is coloured


def test_what_is_typed_right_behind_the_key_of_the_filter_is_for_the_filter(site: Site) -> None:
    with _terminal(site) as terminal:
        terminal.wait_for("worker-queue-healer")
        terminal.send("/reaper")  # in one piece, as a slow link delivers it
        terminal.wait_for("/reaper")
