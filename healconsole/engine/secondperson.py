"""Acts that want two people: asked for, then approved by another login, or declined."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from healconsole.core.frozen import replace
from healconsole.core.plan import ActPlan, ActRefused
from healconsole.core.request import Request, not_a_second
from healconsole.core.requestdoc import seal
from healconsole.core.unread import unread
from healconsole.engine.reasons import BREAK_GLASS, checked_reason
from healconsole.stores import requestfiles, requests, undofiles
from healconsole.stores.apply import (
    Applied,
    apply_request,
    audit_failure,
    decline_request,
    request_event,
)
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.requests import NoRequest
from healconsole.stores.trust import Untrusted

if TYPE_CHECKING:
    from healconsole.engine.operators import OperatorDesk


class SecondPersonNeeded(ActRefused):
    """The act was asked for, and waits for somebody else; nothing was changed."""


def ask_for(desk: OperatorDesk, plan: ActPlan, reason: str, incident: str) -> NoReturn:
    """Write the request for ``plan``, which is in the log first; always raises.

    Raises:
        SecondPersonNeeded: it was asked for.
        ActRefused: it cannot be.
    """
    try:
        request = requests.ask(
            desk.root, plan, desk.operator.record(), reason, incident, desk.clock(),
            desk.second_within,
        )  # fmt: skip
        raw = requests.told(request)
        event = request_event(request)
        desk.writer().append(sync=True, **event)
        try:
            requests.keep(desk.root, request.id, raw, request.at)
        except (Missing, Untrusted, Unreadable, OSError) as error:
            audit_failure(desk.writer(), event, f"was not asked for: {error}")
            raise
    except (Missing, Untrusted, Unreadable, OSError, ValueError) as error:
        raise ActRefused(f"a second person is needed, and cannot be asked: {error}") from error
    minutes = round(desk.second_within / 60)
    raise SecondPersonNeeded(
        f"{plan.verb} wants a second person: asked as {request.id}. Within {minutes} min "
        f"somebody with another login approves it: healconsole approve {request.id} "
        f"--reason … (alone: begin the reason with {BREAK_GLASS!r})"
    )


def waiting(desk: OperatorDesk) -> tuple[Request, ...]:
    """The requests that can be approved.

    Raises:
        ActRefused: they cannot be read, or not be trusted.
    """
    try:
        return requestfiles.waiting(desk.root, desk.clock())
    except Untrusted as error:
        raise ActRefused(f"requests are not to be trusted: {error}") from error
    except (Unreadable, OSError) as error:
        raise ActRefused(unread("requests", str(error))) from error


def approve(
    desk: OperatorDesk, wanted: str, *, reason: str, as_shown: str = ""
) -> tuple[Request, Applied]:
    """Do what somebody else asked for.

    Args:
        desk: of the second person.
        wanted: id of the request.
        reason: why it is approved.
        as_shown: seal of what the second person was shown elsewhere; empty if it was here.

    Raises:
        ActRefused: there is no such request, it is not what was shown, or the caller is not a
            second person.
    """
    said = checked_reason(reason)
    try:
        request = _of(desk, wanted, as_shown)
        if why := not_a_second(request, desk.operator.login_uid):
            raise ActRefused(why)
        applied = apply_request(
            desk.root,
            request,
            audit=desk.writer(),
            approver=desk.operator.record(),
            reason=said,
            now=desk.clock(),
        )
    except NoRequest as error:
        raise ActRefused(str(error)) from error
    # Nobody's own: what took two persons is not taken back by either of them alone.
    return request, replace(applied, unkept=undofiles.keep(desk.root, applied.undo, None))


def decline(desk: OperatorDesk, wanted: str, *, reason: str, as_shown: str = "") -> Request:
    """Take a request away; whoever may act here may, also who asked.

    Raises:
        ActRefused: there is no such request, or it is not what was shown.
    """
    said = checked_reason(reason)
    try:
        request = _of(desk, wanted, as_shown)
        decline_request(
            desk.root, request, audit=desk.writer(), operator=desk.operator.record(), reason=said
        )
    except NoRequest as error:
        raise ActRefused(str(error)) from error
    return request


def _of(desk: OperatorDesk, wanted: str, as_shown: str) -> Request:
    request = requests.by_id(waiting(desk), wanted)
    if as_shown and seal(request) != as_shown:
        raise ActRefused(
            f"{wanted} is not what you were shown: look at it there, with healconsole approve"
        )
    return request
