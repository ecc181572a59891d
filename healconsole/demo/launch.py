"""Starting a site, and speaking to one that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from healconsole.demo.layout import Site, pointer

TEARDOWN_SECONDS = 10.0


class DemoError(Exception):
    """The demo cannot go on; the message is one line for its user."""


@contextmanager
def running_site(*arguments: str, announce: bool = True) -> Iterator[Site]:
    """A site of its own process, up and ready; gone with everything when the block ends.

    Args:
        arguments: options of ``healconsole.demo.site``.
        announce: whether ``healconsole demo fix`` and ``demo env`` shall find this site.

    Raises:
        DemoError: the site did not come up; the message holds what it printed.
    """
    root = Path(tempfile.mkdtemp(prefix="healconsole-demo-"))
    site = Site(root)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            # -P: the directory that the demo is started in may have a "healconsole" of its own.
            (sys.executable, "-P", "-m", "healconsole.demo.site", str(root), *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        try:
            assert process.stdin is not None  # noqa: S101 - asked for by PIPE above
            assert process.stdout is not None  # noqa: S101
            said = process.stdout.readline()
            if said != b"ready\n":
                raise DemoError(f"the site did not start: {_why_not(process, said, errors)}")
            if announce:
                _point_at(root)
            yield site
        finally:
            _take_down(process)
            withdraw(root)
            shutil.rmtree(root, ignore_errors=True)


def _why_not(process: subprocess.Popen[bytes], said: bytes, errors: IO[bytes]) -> str:
    """What a site that is not ready wrote, or else how it ended."""
    errors.seek(0)
    if told := errors.read().decode(errors="replace").strip():
        return told[-2000:]
    if said:
        return f"it said {said[:200]!r} instead of 'ready'"
    try:
        code = process.wait(TEARDOWN_SECONDS)
    except subprocess.TimeoutExpired:
        return "it closed its output, and did not end"
    how = f"signal {-code} ended it" if code < 0 else f"it ended with exit code {code}"
    return f"{how}, and wrote nothing"


def _take_down(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(TEARDOWN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _point_at(root: Path) -> None:
    """Say where the demo runs. The name is known to everybody: nothing there is followed."""
    try:
        fd, new = tempfile.mkstemp(dir=pointer().parent, prefix=".healconsole-demo-")
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(f"{root}\n")
        Path(new).replace(pointer())
    except OSError as problem:
        print(
            f"healconsole demo: {pointer()} cannot be written ({problem.strerror}), so "
            "'healconsole demo fix' and 'demo env' will not find this demo; "
            "the key F (or what your keymap has for repair) repairs it all the same",
            file=sys.stderr,
        )


def withdraw(root: Path) -> None:
    """Take back what was said of the demo in ``root``; another one's word stays."""
    if _pointed() == root:
        pointer().unlink(missing_ok=True)


def _pointed() -> Path | None:
    path = pointer()
    try:
        owner = path.lstat().st_uid
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return Path(text) if owner == os.getuid() and text else None


def tell(site: Site, command: str) -> None:
    """Give the running site one command of its story.

    Raises:
        DemoError: nobody listens there.
    """
    try:
        fd = os.open(site.command_file, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        raise DemoError(f"no demo runs in {site.root} ({problem.strerror})") from problem
    try:
        os.write(fd, command.encode("ascii") + b"\n")
    finally:
        os.close(fd)


def running() -> Site:
    """This user's demo that runs.

    Raises:
        DemoError: there is none.
    """
    root = _pointed()
    if root is None or not root.is_dir():
        raise DemoError("no demo of yours is running: start one with 'healconsole demo'")
    return Site(root)
