"""systemd's notify protocol: that the daemon is ready, lives, and stops."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping
from typing import Final

VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def withdraw(environ: MutableMapping[str, str]) -> None:
    """Take the protocol's variables away, so that no command of the healer speaks for it.

    A daemon that an action starts would else tell systemd that the healer is ready, or stops.
    """
    for name in VARIABLES:
        environ.pop(name, None)


class Notify:
    """Tells the service manager how the daemon does; without one, it says nothing.

    ``every`` is the number of seconds after which to say again that it lives, or None if the
    watchdog is off. It is a third of what the watchdog allows: half of it is what
    sd_watchdog_enabled(3) asks for, and the rest is for a machine that is busy. ``environ``
    holds ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self.every: float | None = None
        allowed = environ.get("WATCHDOG_USEC", "")
        meant = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        if self._address and meant and allowed.isascii() and allowed.isdigit() and int(allowed):
            self.every = int(allowed) / 3_000_000

    def ready(self) -> None:
        """The daemon holds its lock and begins."""
        self._say("READY=1")

    def alive(self) -> None:
        """The loop turns."""
        if self.every is not None:
            self._say("WATCHDOG=1")

    def status(self, line: str) -> None:
        """What ``systemctl status`` shows: one line of valid UTF-8."""
        self._say(f"STATUS={line}")

    def stopping(self) -> None:
        """The daemon ends by itself."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):  # an abstract socket
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.settimeout(1.0)
                link.sendto(text.encode(), address)
        except OSError:
            # A manager that does not listen must not stop a healer; if it listens, its own
            # watchdog acts on the silence.
            return
