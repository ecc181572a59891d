"""An operator's acts: who asks, what would change, and the change itself with its audit event.

The screen and the command line both come through here, so that an act is planned,
attributed and audited in one way. Planning reads and never writes; a plan can be shown and
thrown away.
"""

from __future__ import annotations

import getpass
import os
import pwd
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from healconsole.core.acts import (
    ActPlan,
    ActRefused,
    plan_dry_run,
    plan_release,
    plan_reset,
    plan_trip,
)
from healconsole.core.auditline import AuditLine
from healconsole.core.frozen import Frozen, replace
from healconsole.core.request import Request
from healconsole.core.snapshot import CatalogEntry, HealerState
from healconsole.engine import secondperson
from healconsole.engine.reasons import BREAK_GLASS, checked_reason, goes_alone, is_break_glass
from healconsole.stores import undofiles
from healconsole.stores.apply import Applied, UndoRecord, apply_plan, undo
from healconsole.stores.auditlog import AuditWriter
from healconsole.stores.since import Since, changed_since
from healconsole.stores.statedir import read_healer

NO_LOGIN_UID = 4_294_967_295
"""What the kernel says of a process that belongs to no login (``(uid_t) -1``)."""

_CLAIM_LIMIT = 256


class Operator(Frozen):
    """The person behind an act, as far as the host can tell.

    ``user`` is who they logged in as where that is known, not the account that sudo made of
    them. ``uid`` and ``login_uid`` are the kernel's word. The rest is only claimed, by the
    environment, the terminal or the configuration: ``via`` is how the act came (``tui`` or
    ``cli``), ``origin`` from where (the address of the SSH client, the terminal), and
    ``claims`` has the values themselves.
    """

    user: str
    uid: int
    login_uid: int | None
    via: str
    origin: str
    claims: tuple[tuple[str, str], ...] = ()

    def record(self) -> dict[str, Any]:
        """``operator`` as the audit event has it."""
        return {
            "user": self.user,
            "uid": self.uid,
            "login_uid": self.login_uid,
            "via": self.via,
            "from": self.origin,
            **({"claimed": dict(self.claims)} if self.claims else {}),
        }

    @property
    def word(self) -> str:
        """The name in the alphabet of an override file.

        >>> Operator("Ada Lovelace", 0, 1000, "cli", "pts/0").word
        'Ada-Lovelace'
        """
        return re.sub(r"[^A-Za-z0-9._@-]", "-", self.user)[:64] or "unknown"


def identify(environ: Mapping[str, str], *, via: str, named: str = "") -> Operator:
    """Who is at the keyboard.

    The login uid is what the kernel remembers of the login across sudo and su, so it goes
    before ``SUDO_USER``, which is only a variable. ``named`` is the name that the
    configuration gives, for accounts that several people share; it wins.
    """
    uid = os.getuid()
    login_uid = _login_uid()
    user = named or _name_of(login_uid) or environ.get("SUDO_USER", "") or _name_of(uid)
    if not user:
        user = getpass.getuser() if environ.get("USER") else f"uid-{uid}"
    claims = {
        "name": named,
        "SUDO_USER": environ.get("SUDO_USER", ""),
        "SSH_CONNECTION": environ.get("SSH_CONNECTION", ""),
        "tty": _terminal(),
    }
    kept = tuple((key, value[:_CLAIM_LIMIT]) for key, value in claims.items() if value)
    return Operator(user, uid, login_uid, via, _origin(environ), kept)


def _login_uid() -> int | None:
    try:
        value = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if value == NO_LOGIN_UID else value


def _name_of(uid: int | None) -> str:
    if uid is None:
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"


def _origin(environ: Mapping[str, str]) -> str:
    """The address of the SSH client and the terminal, those that are known."""
    parts = []
    connection = environ.get("SSH_CONNECTION", "").split()
    if connection:
        parts.append(connection[0])
    if terminal := _terminal():
        parts.append(terminal)
    return " ".join(parts)


def _terminal() -> str:
    for descriptor in (0, 1, 2):
        try:
            return os.ttyname(descriptor).removeprefix("/dev/")
        except OSError:
            continue
    return ""


class OperatorDesk(Frozen):
    """Where an operator's acts take effect, and in whose name.

    Every ``plan_*`` raises :class:`~healconsole.core.acts.ActRefused` if the act cannot be
    done, with the reason and what to do instead; :meth:`apply` and :meth:`undo` raise
    ``ActRefused``, ``stores.apply.ChangedUnderneath`` or ``stores.auditlog.AuditUnwritable``,
    and then nothing has changed.
    """

    root: Path
    audit: Path
    operator: Operator
    clock: Callable[[], float]
    host: str = ""
    four_eyes: frozenset[str] = frozenset()
    """Verbs that want a second person."""
    second_within: float = 900.0
    """Seconds for which a request can be approved."""
    catalog: Path | None = None
    """The directory of the catalog, to name it where an entry lacks."""

    def read(self, name: str, catalog: CatalogEntry | None = None) -> HealerState:
        """``name`` as its directory is now, without what only the feed knows."""
        state = read_healer(self.root, name, with_markers=False)
        return replace(state, catalog=catalog) if catalog is not None else state

    def plan_trip(
        self, healer: HealerState, scope: str | None = None, for_s: float | None = None
    ) -> ActPlan:
        """Force open one scope, or (None) the whole healer; for seconds, or (None) until reset."""
        return plan_trip(healer, scope, for_s, self.operator.word, self.clock())

    def plan_reset(
        self,
        healer: HealerState,
        scope: str | None = None,
        to: str = "half-open",
        events: Sequence[AuditLine] = (),
    ) -> ActPlan:
        """Let ``scope`` (None: all of them, and the hold) act again: one probe, or closed."""
        return plan_reset(healer, scope, to, self.clock(), events)

    def plan_dry_run(self, healer: HealerState, *, on: bool) -> ActPlan:
        """Turn rehearsal on or off through the override file."""
        return plan_dry_run(healer, on, self.operator.word, self.clock())

    def plan_release(self, healer: HealerState) -> ActPlan:
        """Take back a hold."""
        return plan_release(healer, self.clock())

    def apply(self, plan: ActPlan, *, reason: str, incident: str = "") -> Applied:
        """Do what ``plan`` shows, if the state is still what it shows; the event goes first.

        Raises:
            SecondPersonNeeded: it is asked for, and somebody else has to approve it.
        """
        if plan.verb in self.four_eyes and not is_break_glass(reason):
            secondperson.ask_for(self, plan, checked_reason(reason), incident.strip())
        applied = apply_plan(
            self.root,
            plan,
            audit=self.writer(),
            operator=self.operator.record(),
            reason=self._reason(plan.verb, reason),
            incident=incident.strip(),
            now=self.clock(),
        )
        return replace(
            applied, unkept=undofiles.keep(self.root, applied.undo, self.operator.login_uid)
        )

    def last_act(self, healer: str, *, reason: str) -> UndoRecord:
        """The last act on ``healer``, of whatever session, to take it back for a reason.

        Raises:
            ActRefused: none is kept; or acts want a second person here, and the caller's login
                did not do it alone: to take another's trip back is a reset by one person, and
                what took two persons would be taken back by one.
        """
        try:
            record, login_uid = undofiles.kept(self.root, healer)
        except undofiles.NoUndo as error:
            raise ActRefused(str(error)) from error
        own = login_uid is not None and login_uid == self.operator.login_uid
        if self.four_eyes and not own and not is_break_glass(reason):
            raise ActRefused(
                f"the last act on {healer} ({record.verb}) is not your own login's alone: where "
                f"acts want a second person, act anew, or begin the reason with {BREAK_GLASS!r}"
            )
        return record

    def changed_since(self, record: UndoRecord, utc_offset_s: int) -> tuple[Since, ...]:
        """What of an act's files holds something else by now: then it cannot be undone."""
        return changed_since(self.root, record.healer, record.done, utc_offset_s)

    def undo(self, record: UndoRecord, *, reason: str, incident: str = "") -> Applied:
        """Take an act back, if nothing else has changed what it left."""
        if "undo" in self.four_eyes and not is_break_glass(reason):
            raise ActRefused(
                "an undo wants a second person here, and cannot be asked for: act anew, or begin "
                f"the reason with {BREAK_GLASS!r}"
            )
        undone = undo(
            self.root,
            record,
            audit=self.writer(),
            operator=self.operator.record(),
            reason=self._reason("undo", reason),
            incident=incident.strip(),
            now=self.clock(),
        )
        undofiles.drop(self.root, record)
        return undone

    def waiting(self) -> tuple[Request, ...]:
        """The requests that can be approved; see ``engine.secondperson``."""
        return secondperson.waiting(self)

    def approve(self, wanted: str, *, reason: str, as_shown: str = "") -> tuple[Request, Applied]:
        """Do what somebody else asked for; see ``engine.secondperson``."""
        return secondperson.approve(self, wanted, reason=reason, as_shown=as_shown)

    def decline(self, wanted: str, *, reason: str, as_shown: str = "") -> Request:
        """Take a request away, so that nobody approves it; see ``engine.secondperson``."""
        return secondperson.decline(self, wanted, reason=reason, as_shown=as_shown)

    def _reason(self, verb: str, text: str) -> str:
        """The reason for the event; one that went without a second person says so, loudly."""
        reason = checked_reason(text)
        if not is_break_glass(reason):
            return reason
        why = checked_reason(reason[len(BREAK_GLASS) :])
        alone = goes_alone(self.four_eyes, verb, reason)
        return f"BREAK-GLASS, no second person: {why}" if alone else why

    def writer(self) -> AuditWriter:
        """The audit log, to append an operator's event to."""
        return AuditWriter(self.audit, self.clock, self.host or socket.gethostname())
