"""``locks``: the fleet locks in Redis."""

from __future__ import annotations

import argparse
import time

from healconsole.cli.errors import DONE, REFUSED
from healconsole.cli.output import complain, emit_json, show, table
from healconsole.cli.settings import look, settings
from healconsole.core.ages import countdown
from healconsole.core.holding import ghosts, holder_of
from healconsole.core.snapshot import Snapshot
from healconsole.core.status import locks_object
from healconsole.core.text import visible
from healconsole.core.words import SourceState


def run(args: argparse.Namespace) -> int:
    """Show each lock with its holder. Unknown is never shown as free."""
    snapshot = look(settings(args), tail_lines=0)
    now = time.time()
    health = snapshot.redis_health
    unknown = health.state is SourceState.UNKNOWN
    if args.json:
        emit_json(locks_object(snapshot, now))
    elif health.state is SourceState.OFF:
        show("No Redis is configured (--redis), so there are no fleet locks.")
    elif not unknown:
        _show(snapshot, now)
    if unknown:
        complain(f"the locks are unknown: {health.detail}")
        return REFUSED
    return DONE


def _show(snapshot: Snapshot, now: float) -> None:
    locks = snapshot.locks
    if not locks:
        show("No lock is held.")
        return
    dead = ghosts(snapshot, now)
    cells = [
        (
            visible(lock.key),
            holder(lock.owner),
            "no end" if lock.expires_at is None else countdown(max(0, lock.expires_at - now)),
            "-" if lock.fence is None else str(lock.fence),
            f"GHOST: {visible(dead[lock.key])}" if lock.key in dead else "",
        )
        for lock in locks
    ]
    for line in table(("LOCK", "HOLDER", "TTL", "FENCE", ""), cells, frozenset({2, 3})):
        show(line)


def holder(token: str) -> str:
    """Who holds a lock, as far as the owner token says.

    >>> holder("web-19/broker-restarter/4242/6f1c0f6e-4c1f-4f0e-9c57-2f6a3a1d9b10")
    'web-19/broker-restarter/4242'
    >>> holder("6f1c0f6e-4c1f-4f0e-9c57-2f6a3a1d9b10")
    'opaque token 6f1c0f6e'
    """
    named = holder_of(token)
    if named is not None:
        return visible(f"{named.host}/{named.healer}/{named.pid}")
    return f"opaque token {visible(token[:8])}"
