"""Acts on other hosts from the fleet's screen, through a real sshd, a real sudo and the program."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from healconsole.core.remoteanswer import Came, answer_of
from healconsole.core.request import Request
from healconsole.core.requestdoc import published, read_request
from healconsole.core.snapshot import CatalogEntry, HealerState, Snapshot
from healconsole.engine.operators import Operator
from healconsole.engine.remote import RemoteDesk, remote_argv
from healconsole.stores.apply import NotApplied
from healconsole.stores.healerdir import read_healer
from healconsole.stores.requestfiles import waiting
from healconsole.tui.dialogs.approveelsewhere import ApproveElsewhere
from healconsole.tui.dialogs.elsewhere import Elsewhere
from healconsole.tui.dialogs.undo import UndoDialog
from healconsole.tui.widgets.healertable import HealerTable
from tests.bench.files import write_healers
from tests.tui.conftest import Recording

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin:/bin")
HEALERS = ("one", "two")
ANA = Operator("ana", 1000, 1000, "tui", "pts/3")
SIZE = (110, 40)


class Far:
    """A host that is reached over ssh on loopback: its name, its key, its own state and log."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.state, self.audit = place / "state", place / "audit.jsonl"
        for made, name in zip(write_healers(self.state, 2), HEALERS, strict=True):
            made.rename(self.state / name)
        catalog = place / "catalog"
        catalog.mkdir(mode=0o700)
        script = place / "healer.sh"
        script.write_text(
            '#!/usr/bin/env bash\nsource "$(healconsole heal-sh)"\n'
            "detect() { printf 'queue_depth=9'; }\ndecide() { printf 'restart unit=a'; }\n"
            f"act() {{ echo acted >>{place}/acted; }}\ncheck() {{ true; }}\n"
            'heal_main detect decide act check "$@"\n'
        )
        for name in HEALERS:
            (catalog / f"{name}.toml").write_text(
                f'command = ["/bin/bash", "{script}", "--once"]\n'
                f'environment = {{ NAME = "{name}", HEAL_SETTLE = "0", '
                f'PATH = "{Path(sys.executable).parent}:/usr/bin:/bin" }}\n'
            )
            (self.state / name / "cb" / "restart").write_text(
                f"3 {int(time.time()) - 9} 3 600 open {int(time.time()) + 591}\n"
            )

    def command(self, *before: str) -> tuple[str, ...]:
        """What runs the program here, from the other side; ``before`` stands before it."""
        variables = (
            f"HEAL_STATE_ROOT={self.state}",
            f"HEAL_AUDIT_FILE={self.audit}",
            f"HEALCONSOLE_CATALOG={self.place / 'catalog'}",
            f"PATH={Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        return (
            *("ssh", "-F", str(self.place / "config"), "-o", "BatchMode=yes", "--", "{host}"),
            *(*before, "env", *variables, sys.executable, "-m", "healconsole"),
        )

    def healers(self) -> tuple[HealerState, ...]:
        """As this host would publish them."""
        return tuple(
            replace(
                read_healer(self.state, name, with_markers=False),
                host=host,
                catalog=CatalogEntry(name, "x", ("there",)),
            )
            for host in ("far", "stranger")
            for name in HEALERS
        )

    def events(self) -> list[dict[str, object]]:
        if not self.audit.exists():
            return []
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def outcomes(self) -> list[tuple[str, str]]:
        """Which acts were announced, on whom."""
        found = [(str(event["outcome"]), str(event["healer"])) for event in self.events()]
        return [one for one in found if one[0].startswith("operator-") and "done" not in one[0]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A sshd of the test's own, on a port of its own, with keys of its own."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("no sshd and ssh: apt-get install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    place = tmp_path_factory.mktemp("sshd")
    place.chmod(0o700)
    for name in ("host", "stranger", "login"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True
        )
    (place / "authorized").write_bytes((place / "login.pub").read_bytes())
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {place}/host\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {place}/authorized\nPasswordAuthentication no\n"
        f"PermitRootLogin prohibit-password\nPidFile {place}/pid\nKbdInteractiveAuthentication no\n"
    )
    with (place / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(place / "sshd_config")], stderr=log)
    try:
        deadline = time.monotonic() + 20
        while b"Server listening" not in (place / "log").read_bytes():
            assert process.poll() is None, (place / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield place, port
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def far(server: tuple[Path, int], tmp_path: Path) -> Far:
    """A host named ``far``, whose key is known, and ``stranger``, the same with one that is not."""
    keys, port = server
    made = Far(tmp_path)
    (tmp_path / "known").write_text(f"far {(keys / 'host.pub').read_text()}")
    (tmp_path / "config").write_text(
        "".join(
            f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias {name}\n"
            f"  User {getpass.getuser()}\n  IdentityFile {keys}/login\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {tmp_path}/known\n  GlobalKnownHostsFile /dev/null\n"
            for name in ("far", "stranger", "changed")
        )
    )
    with (tmp_path / "known").open("a") as known:
        known.write(f"changed {(keys / 'stranger.pub').read_text()}")
    return made


def opened(far: Far, *before: str, healers: tuple[HealerState, ...] | None = None) -> Recording:
    """The fleet's screen with ``far`` on it."""
    shown = healers or tuple(one for one in far.healers() if one.host == "far")
    recording = Recording(Snapshot(host="fleet, 1 host", fleet=True, healers=shown), fleet=True)
    desk = RemoteDesk(ANA, time.time, far.command(*before))
    recording.app.acts = recording.app.remote_acts = desk
    recording.now = time.time()
    return recording


async def act(pilot: Pilot[int], recording: Recording, name: str = "") -> str:
    """Give the dialog a reason, and the name where it wants one; act, and wait for the answers."""
    await pilot.pause()
    dialog = recording.app.screen
    assert isinstance(dialog, Elsewhere)
    dialog.query_one("#reason", Input).value = '--it\'s $(reboot) "quoted"; rm -rf /'
    if name:
        dialog.query_one("#name", Input).value = name
    await pilot.pause()
    dialog.query_one("#act").focus()
    await pilot.press("enter")
    deadline = time.monotonic() + 60
    while not dialog.ended:
        assert time.monotonic() < deadline, recording.text()
        await pilot.pause(0.05)
    await pilot.pause()
    return recording.text()


@pytest.mark.asyncio
async def test_trip_reset_and_dry_run_on_another_host(far: Far) -> None:
    recording = opened(far)
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert recording.app.screen.query_one(HealerTable).selected == "far/one"
        await pilot.press("t")
        text = await act(pilot, recording, "far/one")
        assert "1 of 1 done" in text
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
async def test_an_act_on_another_host_is_taken_back_there_unless_something_changed_it(
    far: Far,
) -> None:
    breaker = far.state / "one" / "cb" / "restart"
    before = breaker.read_bytes()
    recording = opened(far)
    async with recording.app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await pilot.press("r")
        await act(pilot, recording, "far/one")
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
    assert far.outcomes() == [("operator-reset", "one"), ("operator-undo", "one")]


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
    await recording.app.workers.wait_for_complete()
    await pilot.pause()


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


def logged_in_as(uid: int) -> tuple[str, ...]:
    """What makes the kernel of the other side know a login, as pam_loginuid does."""
    return ("sh", "-c", f'echo {uid} >/proc/self/loginuid && exec "$@"', "sh")


def ask_for_a_reset(far: Far, uid: int) -> str:
    """Somebody on that host asks for what wants a second person there; the id of it."""
    config = far.place / "healconsole.toml"
    config.write_text('[operators]\nfour_eyes = ["reset"]\n')
    words = (*logged_in_as(uid), *far.command()[far.command().index("env") :])
    done = subprocess.run(
        [*words, "reset", "one", "--reason", "rolled back", "--config", str(config)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    asked = re.search(r"asked as (\w+)", done.stderr)
    if asked is None:
        pytest.skip(f"no login uid can be set here: {done.stderr}")
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
