"""Token buckets: how much a scope may still do.

All amounts are whole micro-tokens and all times whole seconds, so that no rounding
differs between bash and Python.
"""

from __future__ import annotations

import math

from healconsole.core.fields import (
    BLANKS,
    DECIMAL,
    EPOCH,
    POSITIVE,
    format_micro,
    line_of,
    micro,
    mismatch,
)
from healconsole.core.pattern import pattern
from healconsole.core.records import MICRO, BucketRecord, Corrupt, Policy

_LINE = pattern(f"{EPOCH}{BLANKS}{DECIMAL}(?:{BLANKS}{DECIMAL}{BLANKS}{POSITIVE})?")


def parse_bucket(raw: bytes, path: str) -> BucketRecord | Corrupt:
    """Read ``<last_refill> <tokens>``, and ``<rate> <burst>`` where the file has them.

    >>> parse_bucket(b"1764000000 2.9833\\n", "rate/x")
    BucketRecord(last_refill=1764000000, tokens_micro=2983300, rate_micro=None, burst=None)
    >>> parse_bucket(b"1764000000 nan\\n", "rate/x").why
    'does not match its format'
    """
    line = line_of(raw, path)
    if isinstance(line, Corrupt):
        return line
    found = _LINE.fullmatch(line)
    if not found:
        return mismatch(raw, path)
    last_refill, tokens, rate, burst = found.groups()
    if rate is None:
        return BucketRecord(int(last_refill), micro(tokens))
    return BucketRecord(int(last_refill), micro(tokens), micro(rate), int(burst))


def format_bucket(rec: BucketRecord) -> bytes:
    """Write a bucket in canonical form.

    >>> format_bucket(BucketRecord(1764000000, 2_000_000, 16_700, 3))
    b'1764000000 2.000000 0.016700 3\\n'
    """
    line = f"{rec.last_refill} {format_micro(rec.tokens_micro)}"
    if rec.rate_micro is not None and rec.burst is not None:
        line += f" {format_micro(rec.rate_micro)} {rec.burst}"
    return f"{line}\n".encode()


def tokens_now(rec: BucketRecord | None, rate_micro: int, burst: int, now: float) -> int:
    """Count the micro-tokens that are there now. A missing bucket is full.

    A refill time ahead of ``now`` (the clock stepped back) counts as now.

    >>> tokens_now(BucketRecord(1764000000, 0), rate_micro=16_700, burst=3, now=1764000060.9)
    1002000
    """
    full = burst * MICRO
    if rec is None:
        return full
    elapsed = math.floor(now) - rec.last_refill
    tokens = rec.tokens_micro + elapsed * rate_micro if elapsed > 0 else rec.tokens_micro
    return min(tokens, full)


def take(rec: BucketRecord | None, policy: Policy, now: float) -> BucketRecord:
    """Take one token and return the bucket as it is then.

    Raises:
        ValueError: less than one token is there.

    >>> take(None, Policy(), now=1764000000)
    BucketRecord(last_refill=1764000000, tokens_micro=2000000, rate_micro=16700, burst=3)
    """
    tokens = tokens_now(rec, policy.rate_micro, policy.burst, now)
    if tokens < MICRO:
        raise ValueError(f"less than one token: {format_micro(tokens)}")
    return BucketRecord(math.floor(now), tokens - MICRO, policy.rate_micro, policy.burst)


def next_token_in(tokens_micro: int, rate_micro: int, burst: int) -> float | None:
    """Tell the seconds until there is one whole token more; None if that never comes.

    >>> next_token_in(500_000, rate_micro=100_000, burst=3)
    5.0
    >>> next_token_in(3_000_000, rate_micro=100_000, burst=3) is None
    True
    """
    if rate_micro <= 0 or tokens_micro >= burst * MICRO:
        return None
    return (MICRO - tokens_micro % MICRO) / rate_micro


def first_token_in(tokens_micro: int, rate_micro: int) -> int | None:
    """Tell the whole seconds until one token is there; None if never.

    >>> first_token_in(400_000, rate_micro=16_700)
    36
    """
    missing = MICRO - tokens_micro
    if missing <= 0:
        return 0
    return -(-missing // rate_micro) if rate_micro > 0 else None


def rebased(rec: BucketRecord, policy: Policy, now: float) -> BucketRecord | None:
    """Bring a refill time that lies ahead of the clock back to now.

    Returns:
        The bucket to write, or None if its time is sound. Written by whoever meets it
        under the lock: left alone, it would not refill until the clock had caught up.
    """
    whole = math.floor(now)
    if rec.last_refill <= whole:
        return None
    return BucketRecord(
        whole, min(rec.tokens_micro, policy.burst * MICRO), policy.rate_micro, policy.burst
    )


def tokens_text(tokens_micro: int) -> str:
    """Write tokens with one decimal, cut: what denies must not read as a whole token.

    >>> tokens_text(999_999)
    '0.9'
    """
    return f"{tokens_micro // MICRO}.{tokens_micro % MICRO // 100_000}"


def tokens_said(tokens_micro: int, rate_micro: int, burst: int) -> tuple[str, int | None]:
    """Say what is in a bucket, and in how many whole seconds there is a token (None: never).

    >>> tokens_said(400_000, 16_700, 3)
    ('0.4 of 3 tokens, one in 36 s', 36)
    >>> tokens_said(400_000, 0, 3)
    ('0.4 of 3 tokens, and none to come', None)
    >>> tokens_said(2_000_000, 16_700, 3)
    ('2.0 of 3 tokens', 0)
    """
    said = f"{tokens_text(tokens_micro)} of {burst} tokens"
    wait = first_token_in(tokens_micro, rate_micro)
    if wait == 0:
        return said, 0
    return (f"{said}, and none to come" if wait is None else f"{said}, one in {wait} s"), wait
