"""Breakers as the log tells them: when one opened and why, for how long, and what ended it.

The log has no event "opened". It has the failures, the denials of an open circuit (which say
how long it is still open) and the acts of operators; the breaker is played again on them.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict, deque
from copy import copy
from dataclasses import dataclass, field
from typing import Final

from healconsole.core.auditline import AuditEvent
from healconsole.core.frozen import Frozen, replace
from healconsole.core.records import DEFAULT_POLICY, Policy
from healconsole.core.undoes import undoes
from healconsole.core.unfinished import FAILURE
from healconsole.core.words import FAILURES, Guardrail, Outcome

WHOLE: Final = ""
"""Scope of what stops a healer as a whole."""

KEPT: Final = 200
"""Episodes and resets of a healer that are told one by one, the newest; all are counted."""

REASONS: Final = 5
"""Failures that are kept as the reason of an opening, the newest."""

_UNDOABLE: Final = 8
"""Acts of operators on one scope that are followed, the newest."""

MOST_SCOPES: Final = 10_000
"""Breakers followed at a time; beyond it the one that changed longest ago is forgotten."""

_HAD_SUCCEEDED = "ended before it recorded its success"
"""End of the reason of an interrupted act that counts as no failure (docs/contract.md)."""

_OPEN_FOR = re.compile(r"([0-9]{1,6}) of ([0-9]{1,6}) failed, open for ([0-9]{1,9}) s more")
_FORCED_FOR = re.compile(r"forced open for ([0-9]{1,11}) s more")
_UNTIL = re.compile(r"(?:held|forced-open) until ([0-9]{1,11})\b")


class Episode(Frozen):
    """One time that a circuit was open, from its opening to what ended it."""

    host: str
    scope: str
    """Empty = the healer as a whole, held by an operator."""
    opened: float
    """Epoch seconds."""
    why: str
    reasons: tuple[str, ...] = ()
    """Of the failures that led to it, oldest first, as the log has them."""
    by: str = ""
    """The operator who opened it; empty if the breaker did."""
    incident: str = ""
    probes_failed: int = 0
    ended: float | None = None
    """None = it was not closed at the end of the span."""
    ended_by: str = ""
    denying_s: float = 0.0
    """Seconds for which it let nothing through; a half-open breaker lets its probe."""


class Reset(Frozen):
    """A circuit that an operator let act again."""

    at: float
    host: str
    scope: str
    by: str
    reason: str
    incident: str
    undone: float | None = None
    """Epoch seconds at which it was taken back; None = it was not."""
    undone_by: str = ""
    """Who took it back; empty where it had failed."""


class Circuits(Frozen):
    """The breakers of one healer over a span."""

    opened: int = 0
    resets_counted: int = 0
    resets_undone: int = 0
    """Of these, taken back."""
    open_s: float = 0.0
    episodes: tuple[Episode, ...] = ()
    """Oldest first; the newest ``KEPT``."""
    resets: tuple[Reset, ...] = ()


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    reasons: deque[str] = field(default_factory=lambda: deque(maxlen=REASONS))
    last_failure: float = 0.0
    episode: Episode | None = None
    since: float = 0.0
    """Since when it denies."""
    until: float = 0.0
    """Until when it denies; endless for one that waits for a reset."""
    forced: bool = False


_Ended = tuple[tuple[str, str], _Breaker, Episode | None]
"""A breaker as it was when an operator ended it, and its episode as that left it."""


@dataclass(slots=True)
class _Act:
    """An operator's act, and what taking it back needs, in this tally as on the disk."""

    host: str
    scope: str
    before: str
    after: str
    told: Reset | None = None
    """The reset that it is, or takes back."""
    ended: list[_Ended] | None = None
    """What it ended; None = it opened something, which taking it back lets go like a release."""
    revived: bool = False
    """Whether it is an undo that let ``ended`` go on, rather than what ended them."""


class CircuitTally:
    """Plays the breakers of one healer again."""

    def __init__(self, policy: Policy = DEFAULT_POLICY) -> None:
        self._max = policy.max_failures
        self._cooldown = policy.cooldown
        self._breakers: OrderedDict[tuple[str, str], _Breaker] = OrderedDict()
        self._episodes: deque[Episode] = deque(maxlen=KEPT)
        self._resets: deque[Reset] = deque(maxlen=KEPT)
        self._acts: OrderedDict[tuple[str, str], deque[_Act]] = OrderedDict()
        self._opened = self._reset_count = self._undone_count = 0
        self._open_s = 0.0

    def add(self, event: AuditEvent, ts: float) -> None:
        """Take one event, in the order of the log."""
        outcome = event.outcome
        if outcome == Outcome.SUCCESS:
            self._succeeded(event, ts)
        elif outcome == Outcome.STARTED:
            self._started(event, ts)
        elif outcome == Outcome.DENIED:
            if event.guard == Guardrail.CIRCUIT and event.count == 1 and not event.dry_run:
                self._denied(event, ts)
        elif outcome in FAILURES:
            if not event.reason.endswith(_HAD_SUCCEEDED):
                self._failed(event, ts)
        elif outcome in {Outcome.OPERATOR_TRIP, Outcome.OPERATOR_HOLD}:
            self._tripped(event, ts)
        elif outcome in {Outcome.OPERATOR_RESET, Outcome.OPERATOR_RELEASE, Outcome.OPERATOR_UNDO}:
            self._let_go(event, ts)
        elif outcome in {Outcome.OPERATOR_DRY_RUN, Outcome.OPERATOR_REQUEST}:
            self._announced(event).ended = []  # its undo, or correction, is of nothing else

    def result(self, end: float) -> Circuits:
        """What is known at ``end``, the end of the span; adds nothing and may be asked again."""
        lasting = [
            replace(at.episode, denying_s=at.episode.denying_s + _denied_for(at, end))
            for at in self._breakers.values()
            if at.episode is not None
        ]
        told = sorted([*self._episodes, *lasting], key=lambda episode: episode.opened)
        ongoing = sum(episode.denying_s for episode in lasting)
        return Circuits(
            self._opened,
            self._reset_count,
            self._undone_count,
            self._open_s + ongoing,
            tuple(told[-KEPT:]),
            tuple(self._resets),
        )

    def _failed(self, event: AuditEvent, ts: float) -> None:
        key = _key(event)
        at = self._at(key)
        at.failures += 1
        at.reasons.append(f"{event.outcome}: {event.reason}" if event.reason else event.outcome)
        at.last_failure = ts
        if at.episode is None:
            if at.failures >= self._max:
                self._open(key, at, ts, f"{at.failures} of {self._max} failed")
                at.until = ts + self._cooldown
        elif ts >= at.until or (not at.forced and _is_legacy(event)):
            self._stop_denying(at, ts)
            at.episode = replace(at.episode, probes_failed=at.episode.probes_failed + 1)
            at.since, at.until, at.forced = ts, ts + self._cooldown, False

    def _started(self, event: AuditEvent, ts: float) -> None:
        at = self._breakers.get(_key(event))
        if at is not None and at.episode is not None and not at.forced and ts < at.until:
            # It acts, so the breaker lets it: the cooldown was shorter than we think.
            at.until = ts

    def _succeeded(self, event: AuditEvent, ts: float) -> None:
        key = _key(event)
        at = self._breakers.get(key)
        if at is None:
            return
        if at.episode is None:
            del self._breakers[key]
        elif ts >= at.until or (not at.forced and _is_legacy(event)):
            self._close(key, at, ts, "a probe succeeded")
        # Else it opened while this act was on its way, and stays open.

    def _denied(self, event: AuditEvent, ts: float) -> None:
        key = _key(event)
        found = _OPEN_FOR.match(event.reason)
        forced = _FORCED_FOR.match(event.reason)
        if found is not None:
            self._max = max(1, int(found[2]))
        elif forced is None and not event.reason.startswith("forced open"):
            return  # half-open: no more than a probe that is out already
        at = self._at(key)
        if at.episode is None:
            opened = at.last_failure or ts
            self._open(key, at, opened, event.reason)
        if found is not None:
            at.until = ts + int(found[3])
        elif forced is not None:
            at.forced, at.until = True, ts + int(forced[1])
        else:
            at.forced, at.until = True, math.inf

    def _tripped(self, event: AuditEvent, ts: float) -> None:
        self._announced(event)
        key = (event.host, event.scope)
        at = self._at(key)
        if at.episode is not None:
            self._close(key, at, ts, "tripped by an operator")
            at = self._at(key)
        self._open(key, at, ts, event.reason, by=_user(event), incident=event.incident)
        end = _UNTIL.search(event.after)
        at.forced, at.until = True, float(end[1]) if end else math.inf

    def _let_go(self, event: AuditEvent, ts: float) -> None:
        verb = event.outcome.removeprefix("operator-")
        undone = self._act_undone_by(event)
        if event.outcome == Outcome.OPERATOR_UNDO:
            if undone is not None and undone.ended is not None:
                self._take_back(undone, undone.ended, event, ts)
                return
            if undone is None and event.cause == FAILURE:
                return  # what failed had reached no breaker, such as a request
        act = self._announced(event)
        if event.outcome == Outcome.OPERATOR_RESET:
            act.told = self._reset(event, ts)
        act.ended = []
        who = _user(event)
        said = f"{verb} by {who}: {event.reason}" if who else f"{verb}: {event.reason}"
        for key, at in list(self._breakers.items()):
            if key[0] != event.host or not _meant(event, key[1], at):
                continue
            was, ended = copy(at), None
            if at.episode is not None:
                ended = self._close(key, at, ts, said)
            elif event.outcome == Outcome.OPERATOR_RESET:
                del self._breakers[key]
            act.ended.append((key, was, ended))

    def _reset(self, event: AuditEvent, ts: float) -> Reset:
        told = Reset(ts, event.host, event.scope, _user(event), event.reason, event.incident)
        self._reset_count += 1
        self._resets.append(told)
        return told

    def _announced(self, event: AuditEvent) -> _Act:
        """Remember an act of an operator, for as long as it may be taken back."""
        where = (event.host, event.scope)
        acts = self._acts.setdefault(where, deque(maxlen=_UNDOABLE))
        self._acts.move_to_end(where)
        if len(self._acts) > KEPT:
            self._acts.popitem(last=False)
        act = _Act(event.host, event.scope, event.before, event.after)
        acts.append(act)
        return act

    def _act_undone_by(self, event: AuditEvent) -> _Act | None:
        """Find the newest act that ``event`` takes back; it can be taken back no more."""
        acts = self._acts.get((event.host, event.scope), deque())
        for act in reversed(acts):
            if undoes(event, act.host, act.scope, act.before, act.after):
                acts.remove(act)
                return act
        return None

    def _take_back(self, act: _Act, ended: list[_Ended], event: AuditEvent, ts: float) -> None:
        """What a reset ended goes on from here, or, if that had been undone, is ended again.

        Between the two nothing was denied.
        """
        taken = self._announced(event)
        taken.revived, taken.ended = not act.revived, ended
        if act.told is not None:
            by = "" if event.cause == FAILURE or act.revived else _user(event)
            taken.told = replace(act.told, undone=None if act.revived else ts, undone_by=by)
            self._undone_count += -1 if act.revived else 1
            if act.told in self._resets:
                self._resets[self._resets.index(act.told)] = taken.told
        for one in ended:
            if act.revived:
                self._end_again(one)
            else:
                self._revive(one, ts)

    def _revive(self, was: _Ended, ts: float) -> None:
        key, at, ended = was
        if key in self._breakers:
            return
        if ended is not None:
            self._open_s -= ended.denying_s
            if ended in self._episodes:
                self._episodes.remove(ended)
            at = copy(at)
            at.since, at.episode = max(at.since, ts), replace(ended, ended=None, ended_by="")
        self._breakers[key] = at

    def _end_again(self, was: _Ended) -> None:
        key, _, ended = was
        if self._breakers.pop(key, None) is not None and ended is not None:
            self._open_s += ended.denying_s
            self._episodes.append(ended)

    def _open(
        self,
        key: tuple[str, str],
        at: _Breaker,
        ts: float,
        why: str,
        by: str = "",
        incident: str = "",
    ) -> None:
        self._opened += 1
        at.since = ts
        at.episode = Episode(*key, ts, why, tuple(at.reasons), by, incident)

    def _close(self, key: tuple[str, str], at: _Breaker, ts: float, by: str) -> Episode | None:
        self._stop_denying(at, ts)
        ended = None
        if at.episode is not None:
            self._open_s += at.episode.denying_s
            ended = replace(at.episode, ended=ts, ended_by=by)
            self._episodes.append(ended)
        del self._breakers[key]
        return ended

    def _stop_denying(self, at: _Breaker, ts: float) -> None:
        if at.episode is not None:
            spent = at.episode.denying_s + _denied_for(at, ts)
            at.episode = replace(at.episode, denying_s=spent)

    def _at(self, key: tuple[str, str]) -> _Breaker:
        at = self._breakers.get(key)
        if at is None:
            if len(self._breakers) >= MOST_SCOPES:
                oldest, gone = next(iter(self._breakers.items()))
                self._close(oldest, gone, max(gone.since, gone.last_failure), "not followed on")
            at = self._breakers[key] = _Breaker()
        else:
            self._breakers.move_to_end(key)
        return at


def _denied_for(at: _Breaker, ts: float) -> float:
    return max(0.0, min(ts, at.until) - at.since)


def _meant(event: AuditEvent, scope: str, at: _Breaker) -> bool:
    """Whether an operator's act on ``event.scope`` reaches the breaker of ``scope``."""
    if event.outcome == Outcome.OPERATOR_RELEASE:
        return scope == WHOLE
    if event.outcome == Outcome.OPERATOR_UNDO and not at.forced:
        return False  # it undid something else than an opening
    return event.scope in {WHOLE, scope}


def _key(event: AuditEvent) -> tuple[str, str]:
    # The older library limits whole intents.
    return event.host, event.scope or event.intent


def _is_legacy(event: AuditEvent) -> bool:
    return event.pid is None and event.dry_run is None


def _user(event: AuditEvent) -> str:
    return str(event.operator.get("user", ""))
