"""What an act on another host came to, from what ssh, sudo and the program there said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from healconsole.core.frozen import Frozen
from healconsole.core.plan import UNLOGGED

SSH_FAILED: Final = 255
"""Exit code of ssh for its own failures; a command's own 255 looks the same."""

_SUDO: Final = re.compile(r"^sudo: (?!unable to resolve host)(.*)$", re.MULTILINE)
_NOT_ALLOWED: Final = re.compile(
    r"^(?:Sorry, user|\S+ is not (?:in the sudoers|allowed)).*$", re.MULTILINE
)
_UNDO: Final = re.compile(r"^  undo .* --act ([0-9a-f]{6}) ", re.MULTILINE)
_OWN: Final = "healconsole: "
_BEFORE_LOGIN: Final = (
    *("Could not resolve hostname", "Connection refused", "Connection timed out"),
    *("No route to host", "Network is unreachable", "Connection closed by", "Bad configuration"),
    *("kex_exchange_identification", "Operation timed out", "Connection reset by"),
)


class Came(StrEnum):
    """What became of the act."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"
    """The link broke when it was under way: only that host's audit log can tell."""


class RemoteAnswer(Frozen):
    """What became of the act, and a sentence that may hold data from outside."""

    came: Came
    says: str
    act: str = ""
    """What the act is called there, to take it back; empty if it did not say."""
    unlogged: str = ""
    """Why its result is not in the log there, though it was done; empty if it is."""


def answer_of(code: int, out: str, err: str) -> RemoteAnswer:
    """Return what a command over ssh came to.

    Args:
        code: exit code of ssh.
        out: standard output, decoded.
        err: standard error, decoded.

    >>> answer_of(255, "", "Host key verification failed.\\n").says.partition(":")[0]
    'unknown host key'
    >>> answer_of(0, "✔ trip x\\n  undo  healconsole undo x --act 0a1b2c --reason …\\n", "").act
    '0a1b2c'
    >>> full = answer_of(0, "✔ trip x\\n", f"healconsole: {UNLOGGED}no space\\n")
    >>> full.unlogged, full.says
    ('no space', '✔ trip x; it was done, but its result is not in the log: no space')
    >>> answer_of(1, "", "sudo: a password is required\\n").says
    'sudo refused there: a password is required; nothing was done'
    >>> answer_of(1, "", "healconsole: trip x: refused: it is open\\n").says
    'trip x: refused: it is open'
    """
    own = [line.removeprefix(_OWN) for line in err.splitlines() if line.startswith(_OWN)]
    if code == 0:
        act = _UNDO.search(out)
        says = "; ".join((_first(out) or "done", *own))
        unlogged = next((line for line in own if line.startswith(UNLOGGED)), "")
        return RemoteAnswer(Came.DONE, says, act[1] if act else "", unlogged.removeprefix(UNLOGGED))
    if code == SSH_FAILED and _OWN not in err:
        return _ssh_failed(err)
    refused = _SUDO.search(err) or _NOT_ALLOWED.search(err)
    if refused is not None:
        why = refused[refused.lastindex or 0]
        return RemoteAnswer(Came.NOT_DONE, f"sudo refused there: {why}; nothing was done")
    if code in {126, 127}:
        why = _last(err) or "the command was not found"
        return RemoteAnswer(Came.NOT_DONE, f"cannot be run there: {why}; nothing was done")
    says = "; ".join(own) or _last(out) or _last(err) or f"it ended with {code}"
    if code < 0:
        return RemoteAnswer(Came.UNKNOWN, f"ended here by signal {-code}: look at its audit log")
    return RemoteAnswer(Came.NOT_DONE, says)


def _ssh_failed(err: str) -> RemoteAnswer:
    if "IDENTIFICATION HAS CHANGED" in err:
        says = "the host key has CHANGED: it is another machine, or somebody is in between"
        return RemoteAnswer(Came.NOT_DONE, f"{says}; nothing was done")
    if "Host key verification failed" in err:
        says = "unknown host key: compare it and accept it by hand, with ssh to that host"
        return RemoteAnswer(Came.NOT_DONE, f"{says}; nothing was done")
    if "Permission denied" in err:
        says = f"ssh refused the login: {_last(err)}"
        return RemoteAnswer(Came.NOT_DONE, f"{says}; nothing was done")
    why = _last(err) or "it said nothing"
    if any(words in err for words in _BEFORE_LOGIN):
        return RemoteAnswer(Came.NOT_DONE, f"ssh did not get there: {why}; nothing was done")
    return RemoteAnswer(
        Came.UNKNOWN, f"the link broke ({why}): it may have been done, look at its audit log"
    )


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _last(text: str) -> str:
    return _first("\n".join(_reversed(text.splitlines())))


def _reversed(lines: Sequence[str]) -> Sequence[str]:
    return lines[::-1]
