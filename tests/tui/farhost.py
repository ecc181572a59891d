"""Another host, which a console reaches over a real ssh to a real sshd on loopback."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from healconsole.core.snapshot import CatalogEntry, HealerState, Snapshot
from healconsole.engine.operators import Operator
from healconsole.engine.remote import RemoteDesk
from healconsole.stores.healerdir import read_healer
from healconsole.tui.dialogs.elsewhere import Elsewhere
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


@contextmanager
def sshd(place: Path) -> Iterator[tuple[Path, int]]:
    """A sshd of the test's own, on a port of its own, with keys of its own."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("no sshd and ssh: apt-get install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
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


def reached(server: tuple[Path, int], tmp_path: Path) -> Far:
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


def opened(
    far: Far,
    *before: str,
    healers: tuple[HealerState, ...] | None = None,
    keymap: dict[str, str] | None = None,
) -> Recording:
    """The fleet's screen with ``far`` on it."""
    shown = healers or tuple(one for one in far.healers() if one.host == "far")
    recording = Recording(
        Snapshot(host="fleet, 1 host", fleet=True, healers=shown), fleet=True, keymap=keymap or {}
    )
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
