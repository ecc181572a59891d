"""Who holds a lock, as far as its token says, and whether that holder still lives."""

from __future__ import annotations

from collections.abc import Mapping

from healconsole.core.ages import age
from healconsole.core.frozen import Frozen
from healconsole.core.pattern import pattern
from healconsole.core.records import ClaimRecord
from healconsole.core.snapshot import HealerState, Lock, Snapshot
from healconsole.core.standing import DEFAULT_THRESHOLDS, Thresholds, heartbeat_age

_TOKEN = pattern(r"([^/]+)/([^/]+)/([0-9]{1,10})/([^/]+)")


class Holder(Frozen):
    """What an owner token of ours names."""

    host: str
    healer: str
    pid: int


def holder_of(token: str) -> Holder | None:
    """Return who an owner token names; None if it names nobody, as those of legacy healers.

    >>> holder_of("web-19/broker-restarter/4211/8d1f")
    Holder(host='web-19', healer='broker-restarter', pid=4211)
    >>> holder_of("9f1b0c52-6d1e-4e3c-9a50-0d5a4b6f2f11") is None
    True
    """
    named = _TOKEN.fullmatch(token)
    return None if named is None else Holder(named[1], named[2], int(named[3]))


def ghosts(
    snapshot: Snapshot, now: float, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> Mapping[str, str]:
    """Return, by key, why the holder of a lock is not there any more, as far as that is known.

    A lock is a ghost if its host tells no more, or if the heartbeat of its healer is stale and no
    action of it is under way. Of a token that names nobody nothing is known.
    """
    if not snapshot.locks:
        return {}
    lost = {host.name: host.lost_since for host in snapshot.hosts}
    healers = {(one.host or snapshot.host, one.name): one for one in snapshot.healers}
    found = {}
    for lock in snapshot.locks:
        why = _why_dead(lock, lost, healers, now, thresholds)
        if why:
            found[lock.key] = why
    return found


def _why_dead(
    lock: Lock,
    lost: Mapping[str, float | None],
    healers: Mapping[tuple[str, str], HealerState],
    now: float,
    thresholds: Thresholds,
) -> str:
    holder = holder_of(lock.owner)
    if holder is None:
        return ""
    since = lost.get(holder.host)
    if since is not None:
        return f"{holder.host} tells no more, for {age(max(0.0, now - since))}"
    healer = healers.get((holder.host, holder.healer))
    if healer is None or any(
        isinstance(claim, ClaimRecord) and claim.alive for claim in healer.claims
    ):
        return ""
    old, stale = heartbeat_age(healer, now, thresholds)
    return f"no heartbeat of {holder.healer} for {age(abs(old))}" if stale and old else ""
