"""An operator's acts in Redis: stops of the fleet, a healer or hosts, and a lock that is broken.

The event is in this host's log before Redis changes, as with every operator's act; Redis
changes only if it still says what it said when the act was planned.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

from healconsole.core.ages import iso
from healconsole.core.frozen import Frozen
from healconsole.core.halt import MAX_REASON, HaltRecord, ended, format_halt, parse_halt, what_of
from healconsole.core.holding import holder_of
from healconsole.core.plan import UNLOGGED, ActRefused
from healconsole.core.records import Corrupt
from healconsole.core.storm import parse_storm, storm_said
from healconsole.core.text import visible
from healconsole.core.told import at
from healconsole.core.words import Outcome
from healconsole.engine.operators import OperatorDesk
from healconsole.engine.reasons import checked_reason
from healconsole.stores.apply import ChangedUnderneath, NotApplied, audit_failure, audit_result
from healconsole.stores.auditlog import EventFields
from healconsole.stores.redislink import RedisLink, RedisUnknown
from healconsole.stores.stops import halt_there, release_storm, storm_there, swap_halt

NOTHING = "not halted"
EVERYBODY = "*"
"""``healer`` of an event that is about more than one."""


class Stop(Frozen):
    """What was done: what of, and before and after in words, as the audit log has them."""

    what: str
    before: str
    after: str
    was: str = ""
    """Before, as people are told it now; empty = as the log has it."""
    now: str = ""
    """After, likewise."""


class FleetDesk(Frozen):
    """Where an operator stops and resumes healers over Redis, and in whose name.

    Every act raises ``core.plan.ActRefused``, ``stores.apply.ChangedUnderneath``,
    ``stores.auditlog.AuditUnwritable`` or ``stores.redislink.RedisUnknown`` if nothing was
    changed, and ``stores.apply.NotApplied`` if nobody knows.
    """

    desk: OperatorDesk
    link: RedisLink

    def halt(self, target: str, for_s: float | None, *, reason: str, incident: str = "") -> Stop:
        """Stop ``target`` (``core.halt``), for seconds or (None) until it is resumed."""
        said = checked_reason(reason)
        now = math.floor(self.desk.clock())
        there = halt_there(self.link, target)
        found = parse_halt(there, target) if there else None
        if isinstance(found, HaltRecord) and not ended(found, now):
            raise ActRefused(
                f"{what_of(target)} is halted already, {_told(found, now)}; resume it first"
            )
        until = 0 if for_s is None else now + math.ceil(for_s)
        word = self.desk.operator.word
        record = HaltRecord(now, until, word, visible(said)[: MAX_REASON // 4], target)
        stop = Stop(
            what_of(target), _was(found), _told(record), _was(found, now), _told(record, now)
        )
        self._change(
            Outcome.OPERATOR_HALT, stop, target, said, incident,
            lambda: swap_halt(self.link, target, there, format_halt(record)),
        )  # fmt: skip
        return stop

    def resume(self, target: str, *, reason: str, incident: str = "") -> Stop:
        """End the stop of ``target``."""
        said = checked_reason(reason)
        there = halt_there(self.link, target)
        if not there:
            raise ActRefused(f"{what_of(target)} is not halted")
        found = parse_halt(there, target)
        was = _was(found, self.desk.clock())
        stop = Stop(what_of(target), _was(found), NOTHING, was)
        self._change(
            Outcome.OPERATOR_RESUME, stop, target, said, incident,
            lambda: swap_halt(self.link, target, there, ""),
        )  # fmt: skip
        return stop

    def release_storm(self, scope: str, *, reason: str, incident: str = "") -> Stop:
        """End the storm of ``scope``; who wants to act is counted anew."""
        said = checked_reason(reason)
        there = storm_there(self.link, scope)
        if not there:
            raise ActRefused(f"there is no storm of {scope}")
        stop = Stop(f"storm of {scope}", storm_said(parse_storm(there, scope), scope), "no storm")
        self._change(
            Outcome.OPERATOR_RESUME, stop, "", said, incident,
            lambda: release_storm(self.link, scope, there), scope=scope,
        )  # fmt: skip
        return stop

    def break_lock(self, key: str, token: str, *, reason: str, incident: str = "") -> Stop:
        """Take the lock ``key`` away from the holder ``token``, and from nobody else."""
        said = checked_reason(reason)
        holder = holder_of(token)
        stop = Stop(f"lock {key}", f"held by {token}", "free")
        target = f"healer:{holder.healer}" if holder is not None else ""
        self._change(
            Outcome.OPERATOR_BREAK, stop, target, said, incident,
            lambda: self.link.break_lock(key, token),
        )  # fmt: skip
        return stop

    def _change(
        self,
        outcome: Outcome,
        stop: Stop,
        target: str,
        reason: str,
        incident: str,
        swap: Callable[[], bool],
        scope: str = "",
    ) -> None:
        kind, _, name = target.partition(":")
        event: EventFields = {
            "healer": name if kind == "healer" else EVERYBODY,
            "outcome": outcome,
            "reason": reason,
            "scope": scope,
            "operator": self.desk.operator.record(),
            "incident": incident.strip(),
            "pid": os.getpid(),
            "trigger": "operator",
            "before": f"{stop.what}: {stop.before}",
            "after": f"{stop.what}: {stop.after}",
        }
        writer = self.desk.writer()
        writer.append(sync=True, **event)
        lost: RedisUnknown | None = None
        try:
            if swap():
                if untold := audit_result(writer, event):
                    raise NotApplied(f"{UNLOGGED}{untold}")
                return
            why = "was not done: it is not as it was any more"
        except RedisUnknown as unknown:
            why = f"may not have been done: {unknown.why}"
            lost = unknown
        audit_failure(writer, event, why)
        if lost is not None:
            raise NotApplied(f"the act {why}") from lost
        raise ChangedUnderneath(stop.what, stop.before, "something else")


def _was(found: HaltRecord | Corrupt | None, now: float | None = None) -> str:
    if found is None:
        return NOTHING
    return f"corrupt: {found.why}" if isinstance(found, Corrupt) else _told(found, now)


def _told(halt: HaltRecord, now: float | None = None) -> str:
    """Say who halted; its end as a date, which the log needs, or as seen from ``now``."""
    until = "until resumed"
    if halt.until:
        until = f"until {iso(halt.until, 0) if now is None else at(halt.until, now)}"
    return f"halted by {halt.operator} {until}: {halt.reason}"
