"""Breakers as the log tells them: when one opened and why, for how long, and what ended it.

The log has no event "opened". It has the failures, the denials of an open circuit (which say
how long it is still open) and the acts of operators; the breaker is played again on them.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from healconsole.core.auditline import AuditEvent
from healconsole.core.frozen import Frozen, replace
from healconsole.core.records import DEFAULT_POLICY, Policy
from healconsole.core.unfinished import FAILURE
from healconsole.core.words import FAILURES, Guardrail, Outcome

WHOLE: Final = ""
"""Scope of what stops a healer as a whole."""

KEPT: Final = 200
"""Episodes and resets of a healer that are told one by one, the newest; all are counted."""

REASONS: Final = 5
"""Failures that are kept as the reason of an opening, the newest."""

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


@dataclass(slots=True)
class _LastReset:
    """What takes the last reset on a host back, in this tally as on its disk."""

    scope: str
    before: str
    after: str
    told: Reset
    closed: list[tuple[tuple[str, str], _Breaker, Episode | None]] = field(default_factory=list)
    """Breakers as they were, and the episodes that ended with them."""

    def is_undone_by(self, event: AuditEvent) -> bool:
        """An undo tells the states of the act that it takes back the other way round."""
        told = (event.scope, event.before, event.after) == (self.scope, self.after, self.before)
        return told and bool(event.before or event.after)


class CircuitTally:
    """Plays the breakers of one healer again."""

    def __init__(self, policy: Policy = DEFAULT_POLICY) -> None:
        self._max = policy.max_failures
        self._cooldown = policy.cooldown
        self._breakers: OrderedDict[tuple[str, str], _Breaker] = OrderedDict()
        self._episodes: deque[Episode] = deque(maxlen=KEPT)
        self._resets: deque[Reset] = deque(maxlen=KEPT)
        self._last_resets: OrderedDict[str, _LastReset] = OrderedDict()
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
        who = _user(event)
        last = self._last_resets.get(event.host)
        if event.outcome == Outcome.OPERATOR_UNDO and last is not None and last.is_undone_by(event):
            self._reset_undone(last, event, ts)
            return
        if event.outcome == Outcome.OPERATOR_RESET:
            last = self._reset(event, ts)
        said = f"{verb} by {who}: {event.reason}" if who else f"{verb}: {event.reason}"
        for key, at in list(self._breakers.items()):
            if key[0] != event.host or not _meant(event, key[1], at):
                continue
            ended = None
            if at.episode is not None:
                ended = self._close(key, at, ts, said)
            elif event.outcome == Outcome.OPERATOR_RESET:
                del self._breakers[key]
            if event.outcome == Outcome.OPERATOR_RESET and last is not None:
                last.closed.append((key, at, ended))

    def _reset(self, event: AuditEvent, ts: float) -> _LastReset:
        host, scope = event.host, event.scope
        told = Reset(ts, host, scope, _user(event), event.reason, event.incident)
        self._reset_count += 1
        self._resets.append(told)
        made = self._last_resets[host] = _LastReset(scope, event.before, event.after, told)
        self._last_resets.move_to_end(host)
        if len(self._last_resets) > KEPT:
            self._last_resets.popitem(last=False)
        return made

    def _reset_undone(self, last: _LastReset, event: AuditEvent, ts: float) -> None:
        """What the reset ended goes on from here; between the two nothing was denied."""
        self._undone_count += 1
        del self._last_resets[event.host]
        if last.told in self._resets:
            by = "" if event.cause == FAILURE else _user(event)
            told = replace(last.told, undone=ts, undone_by=by)
            self._resets[self._resets.index(last.told)] = told
        for key, at, ended in last.closed:
            if key in self._breakers:
                continue
            if ended is not None and at.episode is not None:
                self._open_s -= at.episode.denying_s
                if ended in self._episodes:
                    self._episodes.remove(ended)
                at.since = max(at.since, ts)
            self._breakers[key] = at

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
