"""Which markers, shadows and finished claims have served, and may go.

A marker that goes too early lets an act be repeated; one that stays costs a directory entry. So
whatever is not certain stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from healconsole.core.bucket import tokens_now
from healconsole.core.frozen import Frozen, replace
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.records import MICRO, BucketRecord, ClaimRecord, Corrupt, MarkerRecord, Policy

DEFAULT_AGE: Final = 86_400
"""Seconds for which what has served is kept by default: a day, for whoever comes after."""
UNCERTAIN_AGE: Final = 31 * 86_400
"""Seconds for which a marker stays whose bucket size nobody knows."""
LEGACY_BUCKET: Final = 300
"""Seconds of a bucket by default, and of the legacy library, which has no other."""

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_WINDOWS: Final = 512
"""Windows that are tried for the key of a marker: an act may run across some edges."""


class Retention(Frozen):
    """How long things are kept. Seconds."""

    age: int
    buckets: tuple[int, ...]
    """Sizes of a bucket that this healer may have used, the smallest first; at least one."""
    lease: int
    """Longest act of these policies."""

    def of_bucket(self, bucket: int) -> int:
        """Return for how long a marker of that bucket size is kept.

        It denies into the second window after its own; its time may be that of its start.

        >>> Retention(0, (300,), 125).of_bucket(300)
        725
        """
        return max(self.age, 2 * bucket + self.lease)


def retention(policies: Sequence[Policy], age: int) -> Retention:
    """Return what ``policies`` (those of the last cycle and of the catalog) need.

    The default bucket size is tried for every healer: a key that it makes was made with it.
    """
    return Retention(
        age,
        tuple(sorted({LEGACY_BUCKET, *(policy.bucket for policy in policies)})),
        max((policy.probe_lease for policy in policies), default=Policy().probe_lease),
    )


def is_marker_name(name: str) -> bool:
    """Whether a file of that name is a marker at all."""
    return _KEY.fullmatch(name) is not None


def in_use(claims: Sequence[ClaimRecord | Corrupt]) -> frozenset[str]:
    """Return the keys of acts that have no outcome yet; their markers stay at any age."""
    return frozenset(claim.key for claim in claims if isinstance(claim, ClaimRecord))


def marker_served(
    marker: MarkerRecord | Corrupt, mtime: float, rule: Retention, now: float
) -> bool:
    """Whether a marker denies nothing any more and is old enough to go.

    A time ahead of the clock keeps it: the clock stepped back, and it may deny yet.
    """
    if isinstance(marker, Corrupt):
        return now - mtime > max(rule.age, UNCERTAIN_AGE)
    newest = max(float(marker.at), mtime)
    return now - newest > _kept(marker, newest, rule)


def _kept(marker: MarkerRecord, newest: float, rule: Retention) -> int:
    if marker.legacy:
        # It tells nothing of its bucket: the longest that anybody declared counts.
        return rule.of_bucket(rule.buckets[-1])
    bucket = _bucket_of(marker, newest, rule)
    return max(rule.age, UNCERTAIN_AGE) if bucket is None else rule.of_bucket(bucket)


def _bucket_of(marker: MarkerRecord, newest: float, rule: Retention) -> int | None:
    """The bucket size that this marker was made with; None if it is none that is known.

    Its key tells: it is the hash of the intent and the number of a window between the start
    of the act and the time of the file.
    """
    for bucket in reversed(rule.buckets):
        first = bucket_number(max(0, marker.at - rule.lease), bucket)
        last = bucket_number(newest, bucket)
        for number in range(last, max(first, last - _WINDOWS) - 1, -1):
            if marker_key(marker.intent or "", number) == marker.key:
                return bucket
    return None


def shadow_served(
    bucket: BucketRecord | Corrupt, mtime: float, policy: Policy, rule: Retention, now: float
) -> bool:
    """Whether a shadow bucket says what its absence would say: that it is full."""
    if isinstance(bucket, Corrupt) or now - max(mtime, bucket.last_refill) <= rule.age:
        return False
    limits = [policy]
    if bucket.rate_micro is not None and bucket.burst is not None:
        limits.append(replace(policy, rate_micro=bucket.rate_micro, burst=bucket.burst))
    return all(
        tokens_now(bucket, limit.rate_micro, limit.burst, now) == limit.burst * MICRO
        for limit in limits
    )


def claim_served(slot: int, size: int, mtime: float, rule: Retention, now: float) -> bool:
    """Whether an emptied slot may go. The first one is taken again by the next act: it stays."""
    return slot > 0 and size == 0 and now - mtime > rule.age
