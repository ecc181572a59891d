"""What a healer decides on: its own buckets and markers, in dry-run their shadow."""

from __future__ import annotations

from healconsole.core.frozen import replace
from healconsole.core.mode import dry_now
from healconsole.core.snapshot import HealerState

_SHADOW = "dry/"


def rehearses(healer: HealerState, now: float) -> bool:
    """Whether the buckets and markers that decide are the shadow ones."""
    return healer.shadow is not None and dry_now(healer, now).dry


def rehearsed(healer: HealerState, now: float) -> HealerState:
    """Return a healer with the buckets and markers that its next verdict is decided on.

    In dry-run these are ``dry/rate`` and ``dry/keys`` (``docs/contract.md``, "Files").
    """
    shadow = healer.shadow
    if shadow is None or not rehearses(healer, now):
        return healer
    unread = {part for part in healer.unread if part not in {"rate", "keys"}}
    return replace(
        healer,
        buckets=shadow.buckets,
        markers_total=shadow.markers_total,
        marker_keys=shadow.marker_keys,
        markers=shadow.markers,
        unread=frozenset(part.removeprefix(_SHADOW) for part in unread),
        shadow=None,
    )
