"""An act that somebody asked for, as a second person is shown it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from healconsole.core.ages import countdown
from healconsole.core.frozen import Frozen


class Asked(Frozen):
    """One file of a request: what it was, as a hash, and what it is to be."""

    path: str
    found: str
    """``absent``, ``sha256:…`` or why it could not be read."""
    after: str | None
    """Base64; None removes the file."""

    def bytes_after(self) -> bytes | None:
        """What the file is to hold."""
        if self.after is None:
            return None
        from base64 import b64decode

        return b64decode(self.after, validate=True)


class Request(Frozen):
    """An act that somebody asked for and somebody else may approve until ``until``.

    The texts and lines are data from outside. ``at`` and ``until`` are epoch seconds.
    """

    id: str
    verb: str
    healer: str
    scope: str | None
    reason: str
    incident: str
    operator: Mapping[str, Any]
    at: float
    until: float
    before: str
    after: str
    files: tuple[Asked, ...]
    now_lines: tuple[str, ...] = ()
    after_lines: tuple[str, ...] = ()
    next_lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What who asked was shown of the act: see ``ActPlan``."""
    host: str = ""
    """The host that it is for, as the fleet knows it; empty where that is this one."""

    @property
    def healer_id(self) -> str:
        """The healer as ``HealerState.id`` has it."""
        return f"{self.host}/{self.healer}" if self.host else self.healer

    @property
    def target(self) -> str:
        """The healer, and the scope if it is about one."""
        return self.healer_id if self.scope is None else f"{self.healer_id} / {self.scope}"

    def is_same(self, other: Request) -> bool:
        """Whether it is one request, of one host."""
        return (self.host, self.id) == (other.host, other.id)


def waiting_words(requests: Sequence[Request], now: float) -> str:
    """Say that somebody waits for a second person; empty if nobody does. May hold data.

    >>> ask = Request("a1", "reset", "h", "fix", "why", "", {"user": "ana"}, 0, 240, "", "", ())
    >>> waiting_words((ask,), 0)
    '1 request waits: reset h / fix by ana, 4m00s left'
    >>> waiting_words((ask, ask), 0)
    '2 requests wait, first: reset h / fix by ana, 4m00s left'
    >>> waiting_words((ask,), 240)
    ''
    """
    open_now = [request for request in requests if request.until > now]
    if not open_now:
        return ""
    first = min(open_now, key=lambda request: request.until)
    many = len(open_now)
    head = "1 request waits:" if many == 1 else f"{many} requests wait, first:"
    who = first.operator.get("user", "?")
    return f"{head} {first.verb} {first.target} by {who}, {countdown(first.until - now)} left"


def asked_words(request: Request, now: float) -> str:
    """Say what one request asks for, who, why, and how long it waits. May hold data.

    >>> ask = Request("a1", "reset", "h", "fix", "why", "", {"user": "ana"}, 0, 240, "", "", ())
    >>> asked_words(ask, 0)
    'reset h / fix waits for a second person: asked by ana, 4m00s left: why'
    """
    who, left = request.operator.get("user", "?"), countdown(max(0.0, request.until - now))
    return (
        f"{request.verb} {request.target} waits for a second person: asked by {who}, "
        f"{left} left: {request.reason}"
    )


def not_a_second(request: Request, login_uid: int | None) -> str:
    """Say why somebody of that login uid is no second person; empty if they are one.

    Whatever name they go by: the login uid counts, which sudo does not change.

    >>> ask = Request("a1", "reset", "h", None, "", "", {"login_uid": 7}, 0, 9, "", "", ())
    >>> not_a_second(ask, 8), not_a_second(ask, 7)
    ('', 'you asked for a1 yourself (login uid 7): somebody else approves it')
    """
    asker = request.operator.get("login_uid")
    if not isinstance(asker, int) or login_uid is None:
        who = "you" if isinstance(asker, int) else "who asked"
        return (
            f"the kernel knows no login uid of {who}, so that two persons cannot be told apart: "
            "log in by ssh or on a console, or begin the act's reason with 'break-glass:'"
        )
    if asker == login_uid:
        return f"you asked for {request.id} yourself (login uid {asker}): somebody else approves it"
    return ""
