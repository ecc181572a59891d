"""Taking an act back, and being the second person, on another host over a real ssh."""

from __future__ import annotations

import re
import subprocess
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from textual.worker import WorkerCancelled

from healconsole.core.request import Request
from healconsole.core.requestdoc import published, read_request
from healconsole.core.snapshot import Snapshot
from healconsole.engine.remote import RemoteDesk
from healconsole.stores.apply import NotApplied
from healconsole.stores.requestfiles import waiting
from healconsole.tui.dialogs.approveelsewhere import ApproveElsewhere
from healconsole.tui.dialogs.undo import UndoDialog
from tests.tui.conftest import Recording
from tests.tui.farhost import ANA, SIZE, Far, act, opened


@pytest.mark.asyncio
async def test_an_act_on_another_host_is_taken_back_there_unless_something_changed_it(
    far: Far,
) -> None:
    breaker = far.state / "one" / "cb" / "restart"
    recording = opened(far)
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("t")
        await act(pilot, recording, "far/one")
        before = breaker.read_bytes()
        await pilot.press("escape", "r")
        await act(pilot, recording, "far/one")
        last = [done.verb for done in recording.app.session.done]
        assert last == ["reset"], "its host keeps no other"
        reset = breaker.read_bytes()
        assert b"half-open" in reset
        await pilot.press("escape", "u")
        await recording.until(pilot, "Undo reset far/one")
        breaker.write_bytes(reset.replace(b"half-open", b"open", 1))
        await take_back(pilot, recording)
        await recording.until(pilot, "changed underneath you")
        breaker.write_bytes(reset)
        await take_back(pilot, recording)
        assert not isinstance(recording.app.screen, UndoDialog)
    assert breaker.read_bytes() == before
    assert far.outcomes() == [
        ("operator-trip", "one"), ("operator-reset", "one"), ("operator-undo", "one"),
    ]  # fmt: skip


async def take_back(pilot: Pilot[int], recording: Recording) -> None:
    """Give the dialog of an undo its reason, and wait for what the other host says."""
    dialog = recording.app.screen
    assert isinstance(dialog, UndoDialog)
    dialog.query_one("#reason", Input).value = "too early"
    await pilot.pause()
    button = dialog.query_one("#act")
    button.focus()
    await pilot.pause()
    while button.has_class("-active"):
        await pilot.pause(0.02)
    await pilot.press("enter")
    with suppress(WorkerCancelled):  # a dialog that is done goes before its worker has ended
        await recording.app.workers.wait_for_complete()
    await pilot.pause()


def logged_in_as(uid: int) -> tuple[str, ...]:
    """What makes the kernel of the other side know a login, as pam_loginuid does."""
    return ("sh", "-c", f'echo {uid} >/proc/self/loginuid && exec "$@"', "sh")


def ask_for_a_reset(far: Far, uid: int) -> str:
    """Somebody on that host asks for what wants a second person there; the id of it."""
    probe = subprocess.run([*logged_in_as(uid), "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this kernel lets nobody here set a login uid")
    config = far.place / "healconsole.toml"
    config.write_text('[operators]\nfour_eyes = ["reset"]\n')
    words = (*logged_in_as(uid), *far.command()[far.command().index("env") :])
    done = subprocess.run(
        [*words, "reset", "one", "--reason", "rolled back", "--config", str(config)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    asked = re.search(r"asked as (\w+)", done.stderr)
    assert asked is not None, done.stderr
    return asked[1]


def published_requests(far: Far) -> tuple[Request, ...]:
    """What the host's publisher tells of those that wait."""
    found = waiting(far.state, time.time())
    return tuple(read_request(published(request), "far") for request in found)


async def answer(pilot: Pilot[int], recording: Recording, reason: str) -> None:
    """Give the answer that the dialog asks for."""
    dialog = recording.app.screen
    assert isinstance(dialog, ApproveElsewhere)
    dialog.query_one("#reason", Input).value = reason
    await pilot.pause()
    dialog.query_one("#act").focus()
    await pilot.press("enter")
    with suppress(WorkerCancelled):  # a dialog that is done goes before its worker has ended
        await recording.app.workers.wait_for_complete()
    await pilot.pause()


@pytest.mark.asyncio
async def test_a_second_person_approves_and_declines_on_another_host(far: Far) -> None:
    wanted = ask_for_a_reset(far, 4001)
    shown = published_requests(far)
    for login, says in ((4001, "yourself (login uid 4001)"), (4002, "")):
        recording = opened(far, *logged_in_as(login))
        snapshot = Snapshot(
            host="fleet, 1 host", fleet=True, healers=far.healers()[:2], requests=shown
        )
        async with recording.app.run_test(size=SIZE) as pilot:
            recording.feed.give(snapshot)
            await recording.until(pilot, "1 request waits: reset far/one by uid-4001")
            assert ", press p" in recording.text()
            await pilot.press("p")
            await recording.until(pilot, "Approve reset far/one")
            await answer(pilot, recording, "seen")
            if says:
                assert says in recording.text()
            else:
                assert not isinstance(recording.app.screen, ApproveElsewhere)
                assert recording.app.session.done == [], "`u` is for what one did alone"
    assert far.outcomes() == [("operator-request", "one"), ("operator-reset", "one")]
    assert far.events()[1]["operator"]["approved_by"]["login_uid"] == 4002  # type: ignore[index]
    assert wanted in str(far.events()[1]["reason"])


def test_what_redis_tells_falsely_is_not_approved_there(far: Far) -> None:
    ask_for_a_reset(far, 4001)
    (shown,) = published_requests(far)
    desk = RemoteDesk(ANA, time.time, far.command(*logged_in_as(4002)))
    for approves in (True, False):
        with pytest.raises(NotApplied, match="not what you were shown"):
            desk.second(replace(shown, reason="nothing much"), approves=approves, reason="fine")
    assert desk.second(shown, approves=False, reason="not yet") is None
    assert [outcome for outcome, _ in far.outcomes()] == ["operator-request", "operator-decline"]
    assert published_requests(far) == ()
