"""Acts on other hosts from the fleet's screen, through a real sshd, a real sudo and the program."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace

import pytest

from healconsole.core.remoteanswer import Came, answer_of
from healconsole.engine.remote import RemoteDesk, remote_argv
from healconsole.tui.widgets.healertable import HealerTable
from tests.tui.farhost import ANA, HEALERS, SIZE, Far, act, opened


@pytest.mark.asyncio
async def test_trip_reset_and_dry_run_on_another_host(far: Far) -> None:
    recording = opened(far, keymap={"undo": "f2"})
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert recording.app.screen.query_one(HealerTable).selected == "far/one"
        await pilot.press("t")
        text = await act(pilot, recording, "far/one")
        assert "1 of 1 done" in text
        said = [note.message for note in recording.app._notifications]
        assert said == ["trip: 1 of 1 done   (f2 takes the last one back)"]
        await pilot.press("escape", "d")
        text = await act(pilot, recording)
        assert "1 of 1 done" in text
        await pilot.press("escape", "r")
        text = await act(pilot, recording, "far/one")
        assert "1 of 1 done" in text
    assert far.outcomes() == [
        ("operator-trip", "one"),
        ("operator-dry-run", "one"),
        ("operator-reset", "one"),
    ]
    event = far.events()[0]
    assert event["reason"] == '--it\'s $(reboot) "quoted"; rm -rf /', "quoted for the shell there"
    assert event["incident"] == "INC-4711"
    assert "half-open" in (far.state / "one" / "cb" / "restart").read_text()


@pytest.mark.asyncio
async def test_several_are_listed_first_and_run_side_by_side_with_each_ones_result(
    far: Far,
) -> None:
    """Of four healers two are on a host whose key nobody knows."""
    recording = opened(far, healers=far.healers())
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        for _ in range(4):
            await pilot.press("space")
        await pilot.press("t")
        await pilot.pause()
        listed = recording.text()
        assert "Trip 4 healers" in listed
        for name in ("far/one", "far/two", "stranger/one", "stranger/two"):
            assert name in listed
        text = await act(pilot, recording, "4 healers")
        assert "2 of 4 done" in text
        assert text.count("unknown host key") == 2
    assert sorted(far.outcomes()) == [("operator-trip", "one"), ("operator-trip", "two")]


@pytest.mark.asyncio
async def test_a_cycle_runs_on_another_host(far: Far) -> None:
    for name in HEALERS:
        (far.state / name / "cb" / "restart").unlink()
    recording = opened(far)
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("space", "space", "x")
        text = await act(pilot, recording)
        assert "2 of 2 done" in text
    assert (far.place / "acted").read_text() == "acted\nacted\n"
    assert {event["healer"] for event in far.events() if event["outcome"] == "success"} == {
        *HEALERS
    }


def ask(far: Far, host: str, *before: str) -> tuple[Came, str]:
    desk = RemoteDesk(ANA, time.time, far.command(*before))
    healer = replace(far.healers()[0], host=host)
    answer = desk.ask(desk.plan_trip(healer), reason="looking into it")
    return answer.came, answer.says


def test_a_refused_sudo_is_shown_as_one(far: Far) -> None:
    if os.geteuid() != 0 or shutil.which("sudo") is None or shutil.which("setpriv") is None:
        pytest.skip("needs root, to be somebody whom sudo does not know; and sudo and setpriv")
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sudo", "-n")
    came, says = ask(far, "far", *nobody)
    assert came is Came.NOT_DONE
    assert says.startswith("sudo refused there: ")
    assert says.endswith("nothing was done")
    assert far.outcomes() == []
    assert ask(far, "far", "sudo", "-n")[0] is Came.DONE
    assert far.outcomes() == [("operator-trip", "one")]


def test_what_keeps_ssh_from_getting_there_is_told_apart(far: Far) -> None:
    assert ask(far, "stranger")[1].startswith("unknown host key: ")
    assert ask(far, "changed")[1].startswith("the host key has CHANGED")
    config = (far.place / "config").read_text()
    (far.place / "config").write_text(config.replace("/login\n", "/host\n"))
    assert ask(far, "far")[1].startswith("ssh refused the login: ")
    (far.place / "config").write_text(config.replace("Port ", "Port 1\n#"))
    assert ask(far, "far")[1].startswith("ssh did not get there: ")
    (far.place / "config").write_text(config)
    assert "cannot be run there" in ask(far, "far", "/nowhere/sudo")[1]
    assert far.events() == []


def test_what_the_program_there_says_is_passed_on(far: Far) -> None:
    shutil.rmtree(far.state / "one")
    came, says = ask_without_reading(far)
    assert came is Came.NOT_DONE
    assert says.endswith("/state/one is not there; nothing was changed")


def ask_without_reading(far: Far) -> tuple[Came, str]:
    desk = RemoteDesk(ANA, time.time, far.command())
    gone = replace(far.healers()[1], name="one", host="far")
    answer = desk.ask(desk.plan_trip(gone), reason="looking into it")
    return answer.came, answer.says


def test_a_link_that_breaks_leaves_it_open_what_was_done() -> None:
    broken = answer_of(255, "", "client_loop: send disconnect: Broken pipe\n")
    assert broken.came is Came.UNKNOWN
    assert "look at its audit log" in broken.says
    assert answer_of(-9, "", "").came is Came.UNKNOWN


def test_no_host_is_an_option_and_no_word_reaches_a_shell() -> None:
    from healconsole.core.plan import ActRefused

    for bad in ("-oProxyCommand=x", "a b", "", "a;b", "a/b"):
        with pytest.raises(ActRefused):
            remote_argv(("ssh", "{host}", "x"), bad, ())
    argv = remote_argv(("ssh", "{host}", "x"), "a", ("$(id)", "a'b"))
    said = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {argv[-1]}"], capture_output=True, check=True
    )
    assert said.stdout.decode().splitlines() == ["x", "$(id)", "a'b"]
