"""Stands between an operator's console and the cycle that it started.

Run by path as a program of its own, in a session of its own, on the standard library alone:
``relay.py [--as UID:GID:GROUP,…] -- COMMAND…``; the user is the command's alone, for our own
interpreter may be out of that user's reach. It passes on what the cycle prints as long as
somebody reads it, and goes on reading when nobody does: the console may die, or its SSH link
drop, and the cycle is neither cut in two by SIGPIPE or SIGHUP nor held up by a full pipe.
SIGTERM is passed on.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from types import FrameType

CHUNK = 65_536


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code, as a shell says it."""
    user = group = None
    groups: list[int] | None = None
    if argv[0] == "--as":
        uid, gid, rest = argv[1].split(":")
        user, group, groups = int(uid), int(gid), [int(text) for text in rest.split(",") if text]
        argv = argv[2:]
    argv = argv[1:]
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    children: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        for child in children:
            child.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=user,
            group=group,
            extra_groups=groups,
        )
    except OSError as error:
        print(f"cannot start {argv[0]!r}: {error.strerror}", flush=True)
        return 127 if isinstance(error, FileNotFoundError) else 126
    children.append(child)
    if asked:  # before there was a child to pass it on to
        child.terminate()
    assert child.stdout is not None  # noqa: S101 - it was asked for above
    relay(child.pid, child.stdout.fileno())
    status = child.wait()
    return status if status >= 0 else 128 - status


def relay(pid: int, source: int) -> None:
    """Copy ``source`` to standard output until ``pid`` has ended and nothing is left to read."""
    os.set_blocking(source, False)
    os.set_blocking(1, False)
    ended = os.pidfd_open(pid)
    poller = select.poll()
    poller.register(source, select.POLLIN)
    poller.register(ended, select.POLLIN)
    reading = True
    while True:
        ready = {descriptor for descriptor, _ in poller.poll()}
        while reading and source in ready:
            try:
                data = os.read(source, CHUNK)
            except BlockingIOError:
                break
            if not data:
                reading = False
                poller.unregister(source)
                break
            _offer(data)
        # Not until the pipe's end: what the action left running may hold it for ever.
        if ended in ready and (not reading or source not in ready):
            return


def _offer(data: bytes) -> None:
    """Write what the reader takes at once; what it does not take is dropped."""
    try:
        os.write(1, data)
    except (BlockingIOError, BrokenPipeError):
        return


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
