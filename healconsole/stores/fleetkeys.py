"""Keys in which hosts tell the fleet of themselves. ``docs/contract.md`` has their formats."""

from __future__ import annotations

from typing import Final

HOST: Final = "heal:host:"
"""Before a host's name: its document, kept for `KEPT_S` after it was last told."""
HOSTS: Final = "heal:hosts"
"""Sorted set of host names; score = until when the host counts as live, in ms of Redis' clock."""
CHANGED: Final = "heal:hosts:changed"
"""Sorted set of host names; score = when its document last changed, in ms of Redis' clock."""
AUDIT: Final = "heal:audit"
"""Stream of all hosts' audit events, about `EVENTS_MAX` of them."""
POSITION: Final = "heal:audit:position:"
"""Before a host's name: how far its audit log was published."""

LEASE_S: Final = 15.0
"""Seconds without a word after which a host is lost, unless it asked for longer."""
LEASE_MAX_S: Final = 86_400.0
KEPT_S: Final = 7 * 86_400
"""Seconds for which a lost host is remembered."""
LEFT: Final = b"left\n"
"""In place of the document of a host that was taken off the fleet on purpose."""
LEFT_S: Final = 3_600
EVENTS_MAX: Final = 100_000
