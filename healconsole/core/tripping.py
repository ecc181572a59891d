"""The plan of a trip: force circuits open, and hold the healer as a whole."""

from __future__ import annotations

import math

from healconsole.core import told
from healconsole.core.ages import countdown
from healconsole.core.breaker import format_breaker, trip
from healconsole.core.fields import MAX_COUNT, MAX_EPOCH
from healconsole.core.frozen import replace
from healconsole.core.intent import InvalidIntent, parse_intent
from healconsole.core.limits import Limits, limits_of
from healconsole.core.mode import reads_overrides
from healconsole.core.override import format_override
from healconsole.core.plan import ActPlan, ActRefused, FileChange, known_scopes, listed, operable
from healconsole.core.records import BreakerRecord, Corrupt, OverrideRecord
from healconsole.core.scopes import scope_file_name
from healconsole.core.snapshot import HealerState

_NAME_MAX = 255
"""Bytes of a file name."""


def plan_trip(
    healer: HealerState, scope: str | None, for_s: float | None, operator: str, now: float
) -> ActPlan:
    """Plan to force one scope open, or with None to stop the whole healer.

    Args:
        healer: as it is now.
        scope: whose circuit; None sets the hold and forces every known scope open.
        for_s: seconds until it ends by itself; None = until reset.
        operator: a name that an override file can hold.
        now: epoch seconds.

    Raises:
        ActRefused: nothing would change, or it cannot be done.
    """
    operable(healer)
    until = _end(for_s, now)
    end = f" until {told.at(until, now)}" if until else " until reset"
    scopes = _reachable(healer) if scope is None else (_checked(healer, scope),)
    parts = [_hold(healer, operator, until, now)] if scope is None else []
    parts += [part for name in scopes for part in _forced_open(healer, name, until, now)]
    changes = tuple(change for change, _, _ in parts if change is not None)
    if not changes:
        raise ActRefused(f"{_target(healer, scope)} is tripped{end} already")
    unread = "" if reads_overrides(healer) else ", which it does not read"
    after: tuple[str, ...] = (f"HELD by {operator}{end}{unread}",) if scope is None else ()
    after += tuple(f"circuit {name}: FORCED-OPEN{end}" for name in scopes)
    return ActPlan(
        verb="trip",
        healer=healer.name,
        scope=scope,
        changes=changes,
        now_lines=tuple(line for _, line, _ in parts),
        after_lines=after,
        next_lines=_next(healer, scope, until, now),
        warnings=(*_warnings(healer, scope, scopes, until), *told.in_flight(healer, now)),
        before="; ".join(brief for _, _, brief in parts),
        after=_summary(scope, scopes, until),
        destructive=scope is None,
    )


def _end(for_s: float | None, now: float) -> int:
    if for_s is None:
        return 0
    until = math.floor(now) + math.ceil(for_s) if math.isfinite(for_s) else 0
    if for_s <= 0 or not now < until <= MAX_EPOCH:
        raise ActRefused("a trip is for a span of more than 0 seconds, or until reset")
    return until


def _checked(healer: HealerState, scope: str) -> str:
    try:
        parse_intent(scope, scope)
    except InvalidIntent as error:
        raise ActRefused(f"not a scope: {error}") from error
    if not _files(healer, scope):
        raise ActRefused(
            f"{healer.name} is written on the legacy library, which cannot keep a circuit for "
            f"{scope!r}: its text is no file name. Instead: {told.stopping(healer)}"
        )
    return scope


def _reachable(healer: HealerState) -> tuple[str, ...]:
    # What is no directory in the place of cb/ or rate/ has a record, and no scope.
    return tuple(scope for scope in known_scopes(healer) if scope and _files(healer, scope))


Part = tuple[FileChange | None, str, str]
"""A change (None: it is so already), how it is now, and the same in brief."""


def _hold(healer: HealerState, operator: str, until: int, now: float) -> Part:
    line, brief = told.hold(healer, now), told.hold_summary(healer)
    found = healer.hold
    if isinstance(found, OverrideRecord) and found.on and found.until == until:
        return None, line, brief
    held = OverrideRecord(on=True, since=math.floor(now), until=until, operator=operator)
    try:
        return FileChange("hold", found, format_override(held)), line, brief
    except ValueError as error:
        raise ActRefused(str(error)) from error


def _forced_open(healer: HealerState, scope: str, until: int, now: float) -> list[Part]:
    limits = limits_of(healer, scope)
    parts: list[Part] = []
    for path, found in _files(healer, scope):
        record = None if isinstance(found, Corrupt) else found
        forced = _forced(healer, record, limits, now, until)
        change = None if forced == found else FileChange(path, found, format_breaker(forced))
        line = f"circuit {scope}: {told.circuit(found, limits, now)}"
        parts.append((change, line, f"{scope} {told.summary(found, limits, now)}"))
    return parts


def _forced(
    healer: HealerState, record: BreakerRecord | None, limits: Limits, now: float, until: int
) -> BreakerRecord:
    forced = trip(record, limits.policy, now, until)
    if not reads_overrides(healer) and limits.breaker_assumed:
        # It compares the count with a maximum that nobody told us: no count is too high.
        return replace(forced, failures=MAX_COUNT)
    return forced


def _files(healer: HealerState, scope: str) -> list[tuple[str, BreakerRecord | Corrupt | None]]:
    """The breaker files that hold the healer from acting in `scope`, with what is in them."""
    found: list[tuple[str, BreakerRecord | Corrupt | None]] = [
        (breaker.file, breaker.record) for breaker in healer.breakers if breaker.scope == scope
    ]
    if reads_overrides(healer):
        path = f"cb/{scope_file_name(scope)}"
        # A file under a legacy name may be a leftover: ours reads the canonical one.
        return found if any(path == known for known, _ in found) else [*found, (path, None)]
    if found:
        return found
    # The legacy library uses the scope as it is for the name.
    if "/" in scope or scope in {".", ".."} or len(scope.encode()) + len("cb-") > _NAME_MAX:
        return []
    return [(f"cb-{scope}" if _is_flat(healer) else f"cb/{scope}", None)]


def _is_flat(healer: HealerState) -> bool:
    files = [breaker.file for breaker in healer.breakers]
    files += [bucket.file for bucket in healer.buckets]
    return any("/" not in file for file in files)


def _target(healer: HealerState, scope: str | None) -> str:
    return healer.name if scope is None else f"{healer.name} / {scope}"


def _next(healer: HealerState, scope: str | None, until: int, now: float) -> tuple[str, ...]:
    what = scope or (healer.name if reads_overrides(healer) else "its known scopes")
    if until:
        lines = [
            f"Nothing of {what} acts for {countdown(until - now)}.",
            "Then it is half-open by itself: one probe may act, and decides.",
        ]
    else:
        lines = [f"Nothing of {what} acts until somebody resets it."]
    if scope is not None:
        others = tuple(name for name in known_scopes(healer) if name != scope)
        lines.append(f"Its other scopes go on: {listed(others)}.")
    return tuple(lines)


def _warnings(
    healer: HealerState, scope: str | None, scopes: tuple[str, ...], until: int
) -> tuple[str, ...]:
    said = [healer.problem] if healer.problem else []
    if scope is not None and scope not in known_scopes(healer):
        said.append(f"{scope} was never seen on {healer.name}: it has {_known(healer)}.")
    if reads_overrides(healer):
        return tuple(said)
    if scope is None:
        said.extend(told.unheld(healer))
    if until and any(limits_of(healer, name).breaker_assumed for name in scopes):
        said.append(
            "Its cooldown is assumed: with a shorter one it may act before the trip ends. "
            "Declare it in the catalog, or trip until reset."
        )
    return tuple(said)


def _known(healer: HealerState) -> str:
    return listed(known_scopes(healer))


def _summary(scope: str | None, scopes: tuple[str, ...], until: int) -> str:
    end = f" until {until}" if until else " until reset"
    forced = [f"{name} forced-open{end}" for name in scopes]
    return "; ".join([*([f"held{end}"] if scope is None else []), *forced])
