"""Plans of the operator's acts: trip, reset, dry-run, release.

A plan is what the dialog shows and what is then done, byte for byte, if the files still are
what the plan expects. Planning changes nothing and reads no clock.
"""

from __future__ import annotations

import math
from typing import Final

from healconsole.core import told
from healconsole.core.limits import limits_of
from healconsole.core.mode import LIVE, dry_now, mode_now, reads_overrides
from healconsole.core.openings import OpeningFailures, opening_failures
from healconsole.core.override import format_override, in_force
from healconsole.core.plan import ActPlan, ActRefused, FileChange, FileRecord, operable
from healconsole.core.records import Corrupt, OverrideRecord
from healconsole.core.resetting import plan_reset
from healconsole.core.snapshot import HealerState
from healconsole.core.tripping import plan_trip
from healconsole.core.words import Circuit

__all__ = [
    "ActPlan",
    "ActRefused",
    "FileChange",
    "FileRecord",
    "OpeningFailures",
    "opening_failures",
    "plan_dry_run",
    "plan_release",
    "plan_reset",
    "plan_trip",
]

_SHUT: Final = ("CORRUPT", "FORCED-OPEN", "OPEN")
"""How ``told.circuit`` begins where the circuit denies whatever comes."""
_SHUT_SHOWN: Final = 3


def plan_dry_run(healer: HealerState, on: bool, operator: str, now: float) -> ActPlan:
    """Plan to turn rehearsal on or off through the override file.

    Raises:
        ActRefused: nothing would change, or the healer is a legacy one, which reads only
            its environment; the message says how it is done there.
    """
    operable(healer)
    if not reads_overrides(healer):
        raise ActRefused(
            f"{healer.name} is written on the legacy library, which reads no dry-run file: set "
            f"DRY_RUN={'true' if on else 'false'} in {told.unit_of(healer)}, and restart it"
        )
    found = healer.dry_run
    word = None if isinstance(found, Corrupt) else in_force(found, now)
    state = "on" if on else "off"
    if word is not None and word.on == on and not word.until:
        raise ActRefused(f"dry-run of {healer.name} is {state} already, set by {word.operator}")
    if found is None and not on and mode_now(healer, now) == LIVE:
        raise ActRefused(f"{healer.name} is live already")
    record = OverrideRecord(on=on, since=math.floor(now), until=0, operator=operator)
    try:
        after = format_override(record)
    except ValueError as error:
        raise ActRefused(str(error)) from error
    return ActPlan(
        verb="dry-run",
        healer=healer.name,
        scope=None,
        changes=(FileChange("dry-run", found, after),),
        now_lines=(_dry_line(healer, now),),
        after_lines=(f"{'DRY-RUN' if on else 'LIVE'}, set by {operator}, until changed",),
        next_lines=_dry_next(healer, on=on, now=now),
        warnings=told.in_flight(healer, now),
        before=_dry_line(healer, now),
        after=f"dry-run {state}",
        destructive=not on,
    )


def plan_release(healer: HealerState, now: float) -> ActPlan:
    """Plan to take the hold back. Circuits that were forced open stay so.

    Raises:
        ActRefused: it is not held.
    """
    operable(healer)
    found = healer.hold
    if found is None or (not isinstance(found, Corrupt) and not found.on):
        raise ActRefused(f"{healer.name} is not held")
    forced = tuple(
        breaker.scope
        for breaker in healer.breakers
        if not isinstance(breaker.record, Corrupt)
        and breaker.record.state is Circuit.FORCED_OPEN
        and not 0 < breaker.record.until <= now
    )
    stays = tuple(f"circuit {scope} stays forced open: reset it to let it act" for scope in forced)
    was = told.hold(healer, now)
    return ActPlan(
        verb="release",
        healer=healer.name,
        scope=None,
        changes=(FileChange("hold", found, None),),
        now_lines=(was,),
        after_lines=("not held", *stays),
        next_lines=(f"{told.next_cycle(healer, now)} may act where its circuit lets it.",),
        warnings=told.in_flight(healer, now),
        before=was,
        after="not held",
        destructive=True,
    )


def _dry_line(healer: HealerState, now: float) -> str:
    dry = dry_now(healer, now)
    if dry.dry:
        return f"DRY-RUN: {dry.why}"
    return "LIVE" if mode_now(healer, now) == LIVE else f"live or dry is not known ({dry.why})"


def _dry_next(healer: HealerState, *, on: bool, now: float) -> tuple[str, ...]:
    cycle = told.next_cycle(healer, now)
    if on:
        return (
            f"{cycle} only writes what it would do.",
            "It decides on shadow state: no token is spent, and no live run is held off.",
        )
    shut = _shut(healer, now)
    where = " where its circuit lets it" if shut else ""
    return (
        f"{cycle} may act for real{where}, whatever DRY_RUN says in its environment.",
        *shut,
        f"It is {told.hold(healer, now)}.",
    )


def _shut(healer: HealerState, now: float) -> tuple[str, ...]:
    """A line for each circuit that denies, live or dry; the first few, and how many more."""
    found = [
        (breaker.scope, told.circuit(breaker.record, limits_of(healer, breaker.scope), now))
        for breaker in healer.breakers
    ]
    lines = [
        f"Circuit {scope} stays {said}: it does not act there."
        for scope, said in found
        if said.startswith(_SHUT)
    ]
    more = len(lines) - _SHUT_SHOWN
    return (*lines[:_SHUT_SHOWN], *([f"So do {more} more circuits."] if more > 0 else []))
