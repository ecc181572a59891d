"""An operator's act on one healer: checked, audited, done, and taken back.

All under the healer's ``.guard``: the files still read as the plan expects, the event is on
disk, then the files change. What was corrupt is kept in ``aside/``, byte for byte.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

from healconsole.core.frozen import Frozen
from healconsole.core.plan import UNLOGGED, ActPlan, FileRecord
from healconsole.core.records import Corrupt
from healconsole.core.request import Request
from healconsole.core.unfinished import BY_HAND, FAILURE
from healconsole.core.words import Outcome
from healconsole.stores.auditlog import AuditUnwritable, AuditWriter, EventFields
from healconsole.stores.changes import (
    Change,
    Done,
    bytes_at,
    describe,
    make,
    read_for_act,
    take_back,
)
from healconsole.stores.files import Missing, Unreadable, open_below_dir, open_dir
from healconsole.stores.locks import GUARD, LockTimeout, locked
from healconsole.stores.requests import NoRequest, found_at, take

LOCK_TIMEOUT = 5.0
"""Seconds that an operator waits for a healer that is just committing."""


class ChangedUnderneath(Exception):  # noqa: N818 - what the dialog calls it
    """The state is not what the operator was shown; nothing was changed.

    ``expected`` and ``found`` say in one line each what ``path`` held then and holds now.
    """

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(
            f"changed underneath you: {path} held {expected} and now holds {found}; "
            "nothing was changed, look again"
        )
        self.path = path
        self.expected = expected
        self.found = found


class NotApplied(Exception):  # noqa: N818 - says what is true now
    """The act could not be done; the message says why and that nothing is changed."""


class UndoRecord(Frozen):
    """What takes an act back, as long as nothing else has changed what it left."""

    healer: str
    verb: str
    scope: str | None
    done: tuple[Done, ...]
    before: str
    after: str
    act: str = ""
    """What the act is called where it is kept (``stores.undofiles``)."""

    @property
    def can_be_taken_back(self) -> bool:
        """Whether it is known what was there."""
        return bool(self.done or self.act)


class Applied(Frozen):
    """An act that was done."""

    undo: UndoRecord
    problem: str = ""
    """Why its result is not in the log, though it was done; empty if it is."""
    unkept: str = ""
    """Why what takes it back is not kept, beyond this console; empty if it is."""

    @property
    def unlogged(self) -> str:
        """Say that its result is not in the log; empty if it is. May hold data."""
        return self.problem and f"{UNLOGGED}{self.problem}"


def apply_plan(
    root: str | os.PathLike[str],
    plan: ActPlan,
    *,
    audit: AuditWriter,
    operator: Mapping[str, Any],
    reason: str,
    incident: str,
    now: float,
) -> Applied:
    """Do what ``plan`` says, if every file still is what it expects.

    Args:
        root: the state root.
        plan: made by ``core.acts``.
        audit: takes the event, which is on disk before the first change.
        operator: who it is, for the event.
        reason: why, for the event.
        incident: the incident's id, for the event, or empty.
        now: epoch seconds; names what is put aside.

    Raises:
        ChangedUnderneath: a file holds something else by now.
        AuditUnwritable: the event cannot be written.
        NotApplied: the lock or a file cannot be had. In all three cases nothing is changed.
    """
    changes = [Change(change.path, change.after) for change in plan.changes]

    def verify(fd: int) -> None:
        for change in plan.changes:
            _verify_record(fd, change.path, change.expect)

    event = _announced(plan, operator, reason, incident)
    done, problem = _act(root, plan.healer, verify, changes, audit, event, now)
    record = UndoRecord(
        plan.healer, plan.verb, plan.scope, done, plan.before, plan.after, token_hex(3)
    )
    return Applied(record, problem)


def apply_request(
    root: str | os.PathLike[str],
    request: Request,
    *,
    audit: AuditWriter,
    approver: Mapping[str, Any],
    reason: str,
    now: float,
) -> Applied:
    """Do what ``request`` asks for, if every file still holds what it held then.

    Raises:
        ChangedUnderneath, AuditUnwritable, NotApplied: see ``apply_plan``.
        NoRequest: somebody else approved it meanwhile.
    """
    changes = [Change(asked.path, asked.bytes_after()) for asked in request.files]

    def verify(fd: int) -> None:
        for asked in request.files:
            found = found_at(fd, asked.path)
            if found != asked.found:
                raise ChangedUnderneath(asked.path, "what it held when it was asked for", found)
        take(root, request)

    who = {**request.operator, "approved_by": dict(approver)}
    said = f"{request.reason} (request {request.id}, approved: {reason})"
    event = _announced(request, who, said, request.incident)
    done, problem = _act(root, request.healer, verify, changes, audit, event, now)
    undo_record = UndoRecord(
        request.healer, request.verb, request.scope, done, request.before, request.after,
        token_hex(3),
    )  # fmt: skip
    return Applied(undo_record, problem)


def request_event(request: Request) -> EventFields:
    """The event that tells that ``request`` was made."""
    event: EventFields = {
        "healer": request.healer,
        "outcome": Outcome.OPERATOR_REQUEST,
        "scope": request.scope or "",
        "before": request.before,
        "after": request.after,
    }
    said = f"request {request.id}, {request.verb}: {request.reason}"
    _tell_who(event, request.operator, said, request.incident)
    return event


def decline_request(
    root: str | os.PathLike[str],
    request: Request,
    *,
    audit: AuditWriter,
    operator: Mapping[str, Any],
    reason: str,
) -> None:
    """Take ``request`` away, which is in the log first; nothing of the healer changes.

    Raises:
        AuditUnwritable: the event cannot be written; the request still waits.
        NotApplied: it cannot be removed, and still waits.
        NoRequest: somebody approved or declined it meanwhile.
    """
    event: EventFields = {
        "healer": request.healer,
        "outcome": Outcome.OPERATOR_DECLINE,
        "scope": request.scope or "",
        "before": request.before,
        "after": request.before,
    }
    asker = request.operator.get("user", "?")
    said = f"request {request.id}, {request.verb} asked by {asker}: {reason}"
    _tell_who(event, operator, said, request.incident)
    audit.append(sync=True, **event)
    try:
        take(root, request)
    except NoRequest:
        audit_failure(audit, event, "was not done: it waits no more")
        raise
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        audit_failure(audit, event, f"was not done: the request cannot be removed ({why})")
        raise NotApplied(f"{request.id} cannot be removed ({why}), and still waits") from error
    audit_result(audit, event)


def undo(
    root: str | os.PathLike[str],
    record: UndoRecord,
    *,
    audit: AuditWriter,
    operator: Mapping[str, Any],
    reason: str,
    incident: str,
    now: float,
) -> Applied:
    """Take an act back; see ``apply_plan``. Undoing what this returns does it again.

    Raises:
        ChangedUnderneath: something else has changed since what the act left.
        AuditUnwritable, NotApplied: see ``apply_plan``.
    """
    changes = [Change(done.path, done.before, restore=done.aside) for done in reversed(record.done)]

    def verify(fd: int) -> None:
        for done in record.done:
            _verify_bytes(fd, done)

    event: EventFields = {
        "healer": record.healer,
        "outcome": Outcome.OPERATOR_UNDO,
        "scope": record.scope or "",
        "before": record.after,
        "after": record.before,
    }
    _tell_who(event, operator, reason, incident)
    done, problem = _act(root, record.healer, verify, changes, audit, event, now)
    undone = UndoRecord(record.healer, "undo", record.scope, done, record.after, record.before)
    return Applied(undone, problem)


def _act(
    root: str | os.PathLike[str],
    healer: str,
    verify: Callable[[int], None],
    changes: Sequence[Change],
    audit: AuditWriter,
    event: EventFields,
    now: float,
) -> tuple[tuple[Done, ...], str]:
    with _guarded(root, healer) as fd:
        verify(fd)
        audit.append(sync=True, **event)
        done: list[Done] = []
        try:
            for change in changes:
                done.append(make(fd, change, now))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            left = _roll_back(fd, done, now)
            audit_failure(audit, event, f"could not be written ({why}); {left}")
            raise NotApplied(f"{change.path} could not be written ({why}); {left}") from error
        return tuple(done), audit_result(audit, event)


def _roll_back(fd: int, done: Sequence[Done], now: float) -> str:
    """Take back what was done of an act that failed; say what is true then."""
    for place, step in enumerate(reversed(done)):
        try:
            take_back(fd, step, now)
        except OSError:
            kept = ", ".join(step.path for step in done[: len(done) - place])
            return f"what was done could not all be taken back: look at {kept}"
    return "nothing was changed"


def audit_result(audit: AuditWriter, event: EventFields) -> str:
    """Say in the log that the act was done; what keeps it from being said is returned."""
    verb = event["outcome"].removeprefix("operator-")
    result: EventFields = {**event, "outcome": Outcome.OPERATOR_DONE, "reason": f"{verb}: done"}
    result.pop("cause", None)
    try:
        audit.append(sync=True, **result)
    except AuditUnwritable as error:
        return str(error)
    return ""


def audit_failure(audit: AuditWriter, event: EventFields, why: str) -> None:
    """Correct the event that announced an act which then failed: ``the act <why>``.

    Raises:
        NotApplied: that could not be written either.
    """
    correction: EventFields = {
        **event,
        "outcome": Outcome.OPERATOR_UNDO,
        "reason": f"the act {why}",
        "before": event["after"],
        "after": event["before"],
        "cause": FAILURE,
    }
    try:
        audit.append(sync=True, **correction)
    except AuditUnwritable as error:
        raise NotApplied(f"the act {why}; and the log still says that it was done") from error


def _announced(
    act: ActPlan | Request, operator: Mapping[str, Any], reason: str, incident: str
) -> EventFields:
    """The event that announces an act before it is done."""
    event: EventFields = {
        "healer": act.healer,
        "outcome": Outcome(f"operator-{act.verb}"),
        "scope": act.scope or "",
        "before": act.before,
        "after": act.after,
    }
    _tell_who(event, operator, reason, incident)
    return event


def _tell_who(event: EventFields, operator: Mapping[str, Any], reason: str, incident: str) -> None:
    event["operator"] = operator
    event["reason"] = reason
    event["incident"] = incident
    event["pid"] = os.getpid()
    event["trigger"] = "operator"
    if event["outcome"] == Outcome.OPERATOR_UNDO:
        event["cause"] = BY_HAND


@contextmanager
def _guarded(root: str | os.PathLike[str], healer: str) -> Iterator[int]:
    """The healer's directory, with its lock held."""
    where = f"{os.fspath(root)}/{healer}"
    try:
        root_fd = open_dir(root)
        try:
            fd = open_below_dir(root_fd, healer)
        finally:
            os.close(root_fd)
    except Missing as error:
        raise NotApplied(f"{where} is not there; nothing was changed") from error
    except (Unreadable, ValueError) as error:
        raise NotApplied(f"{where}: {error}; nothing was changed") from error
    try:
        with _lock(fd, where):
            yield fd
    finally:
        os.close(fd)


@contextmanager
def _lock(fd: int, where: str) -> Iterator[None]:
    held = False
    try:
        with locked(fd, GUARD, LOCK_TIMEOUT):
            held = True
            yield
    except LockTimeout as error:
        raise NotApplied(f"{where}/{GUARD} {error.strerror}; nothing was changed") from error
    except OSError as error:
        if held:
            raise
        why = (error.strerror or str(error)).lower()
        raise NotApplied(f"{where}/{GUARD}: {why}; nothing was changed") from error


def _verify_record(fd: int, path: str, expect: FileRecord | Corrupt | None) -> None:
    found = read_for_act(fd, path)
    if found != expect:
        raise ChangedUnderneath(path, describe(expect), describe(found))


def _verify_bytes(fd: int, done: Done) -> None:
    try:
        found = bytes_at(fd, done.path)
    except Unreadable as error:
        raise ChangedUnderneath(done.path, describe(done.after, done.path), error.why) from error
    if found != done.after:
        raise ChangedUnderneath(
            done.path, describe(done.after, done.path), describe(found, done.path)
        )
