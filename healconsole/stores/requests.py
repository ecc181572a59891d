"""Acts that wait for a second person, kept where only root or the caller can put them.

A request holds the very bytes that the act would write, and the hash of those that were there
when it was asked for: what is approved is what was shown.
"""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from secrets import token_hex
from typing import Any

from healconsole.core.plan import ActPlan
from healconsole.core.request import Asked, Request
from healconsole.stores import rawjson
from healconsole.stores.changes import bytes_at
from healconsole.stores.files import Missing, Unreadable, open_below_dir, open_dir
from healconsole.stores.requestfiles import FOLDER, LIMIT, all_in, folder
from healconsole.stores.writing import write_new


class NoRequest(Exception):  # noqa: N818 - an answer
    """There is none that can be approved; the message says why."""


def ask(
    root: str | os.PathLike[str],
    plan: ActPlan,
    operator: Mapping[str, Any],
    reason: str,
    incident: str,
    now: float,
    within: float,
) -> Request:
    """Make the request for ``plan``; nothing is written yet.

    Raises:
        Missing, Unreadable: the healer's directory is not there, or cannot be read.
    """
    root_fd = open_dir(root)
    try:
        fd = open_below_dir(root_fd, plan.healer)
    finally:
        os.close(root_fd)
    try:
        files = tuple(
            Asked(
                change.path,
                found_at(fd, change.path),
                None if change.after is None else base64.b64encode(change.after).decode(),
            )
            for change in plan.changes
        )
    finally:
        os.close(fd)
    return Request(
        token_hex(3), plan.verb, plan.healer, plan.scope, reason, incident, dict(operator),
        now, now + within, plan.before, plan.after, files,
        plan.now_lines, plan.after_lines, plan.next_lines, plan.warnings,
    )  # fmt: skip


def found_at(fd: int, path: str) -> str:
    """What ``path`` holds, as a word to compare."""
    try:
        found = bytes_at(fd, path)
    except Unreadable as error:
        return f"unreadable: {error.word}"
    return "absent" if found is None else f"sha256:{sha256(found).hexdigest()}"


def told(request: Request) -> bytes:
    """The file of ``request``.

    Raises:
        ValueError: it would be too large to be read again.
    """
    raw = rawjson.dump(asdict(request))
    if len(raw) > LIMIT:
        raise ValueError(f"the request is larger than {LIMIT} bytes: ask for less at once")
    return raw


def keep(root: str | os.PathLike[str], name: str, raw: bytes, now: float) -> None:
    """Write what is ``told`` of the request ``name`` where a second person's console looks.

    Those whose time is over go: they would be in the way of those that wait.

    Raises:
        OSError: it cannot be written; there is no such request then.
        Missing, Unreadable, Untrusted: the directory is not there, or somebody else could
            have put requests there.
    """
    make_folder(root)
    with folder(root) as fd:
        for each in all_in(fd):
            if each.until <= now:
                with suppress(OSError):  # somebody else has just removed it
                    os.unlink(each.id, dir_fd=fd)
        write_new(fd, name, raw)
        os.fsync(fd)


def make_folder(root: str | os.PathLike[str], name: str = FOLDER) -> None:
    """Make the directory ``name`` below the state root, for nobody but the caller.

    Raises:
        OSError, Missing, Unreadable: it cannot be made.
    """
    root_fd = open_dir(root)
    try:
        os.mkdir(name, 0o700, dir_fd=root_fd)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    finally:
        os.close(root_fd)


def take(root: str | os.PathLike[str], request: Request) -> None:
    """Take ``request`` away, so that nobody else approves it.

    Raises:
        NoRequest: somebody was faster.
        OSError: it cannot be removed.
    """
    try:
        with folder(root) as fd:
            os.unlink(request.id, dir_fd=fd)
            os.fsync(fd)
    except (FileNotFoundError, Missing) as error:
        raise NoRequest(f"{request.id} was approved or declined meanwhile") from error


def by_id(requests: Sequence[Request], wanted: str) -> Request:
    """The request of that id.

    Raises:
        NoRequest: there is none.
    """
    for request in requests:
        if request.id == wanted:
            return request
    raise NoRequest(f"no request {wanted} waits: it was approved or declined, or its time is over")
