"""The repair of a site: asked for from outside, done by the site, and told as it was done."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import orjson

from healconsole.core.breaker import breaker_now, parse_breaker
from healconsole.core.frozen import Frozen
from healconsole.core.records import Corrupt
from healconsole.core.words import Circuit
from healconsole.demo.launch import DemoError, tell
from healconsole.demo.layout import Site

PATIENCE = 5.0
"""Seconds within which the site says what it did."""
LOOK_EVERY = 0.02

_MAX_FAILURES, _COOLDOWN = 3, 600
"""Limits of a breaker whose file does not say them."""


class Repaired(Frozen):
    """What a repair did."""

    rolled_back: str = ""
    """The bad release that was current; empty if it was a good one."""
    started: tuple[str, ...] = ()
    """The healers that had died."""
    unclosed: tuple[str, ...] = ()
    """The healers a breaker of which is open."""


def repair(site: Site) -> Repaired:
    """Have ``site`` repaired; what that did, and what is left to the operator.

    Raises:
        DemoError: nobody listens there, or nobody answers.
    """
    token = secrets.token_hex(8)
    answer = site.answer(token)
    tell(site, f"fix {token}")
    deadline = time.monotonic() + PATIENCE
    while not answer.exists():
        if time.monotonic() > deadline:
            raise DemoError(f"the demo did not say within {PATIENCE:.0f} s what it repaired")
        time.sleep(LOOK_EVERY)
    done = orjson.loads(answer.read_bytes())
    answer.unlink()
    return Repaired(done["rolled_back"], tuple(done["started"]), _unclosed(site, time.time()))


def write_answer(site: Site, token: str, rolled_back: str, started: list[str]) -> None:
    """Say what was done to whoever asked for it with ``token``.

    Raises:
        ValueError: the token is not one of ``repair``.
    """
    if not token.isalnum():
        raise ValueError(f"no token: {token!r}")
    answer = site.answer(token)
    new = answer.with_suffix(".new")
    new.write_bytes(orjson.dumps({"rolled_back": rolled_back, "started": started}))
    new.replace(answer)


def words(done: Repaired) -> str:
    """What was done, for the operator.

    >>> words(Repaired("5121", ("broker-restarter",), ("worker-queue-healer",)))
    'rolled back deploy 5121, started broker-restarter; now reset worker-queue-healer'
    >>> words(Repaired("5121"))
    'rolled back deploy 5121'
    >>> words(Repaired())
    'nothing was broken: a good release is deployed, and every healer runs'
    """
    parts = [f"rolled back deploy {done.rolled_back}"] if done.rolled_back else []
    if done.started:
        parts.append(f"started {' and '.join(done.started)}")
    said = ", ".join(parts)
    if not said and done.unclosed:
        said = "nothing else was broken"
    if not said:
        return "nothing was broken: a good release is deployed, and every healer runs"
    return said + (f"; now reset {' and '.join(done.unclosed)}" if done.unclosed else "")


def _unclosed(site: Site, now: float) -> tuple[str, ...]:
    return tuple(sorted({it.parts[-3] for it in site.state.glob("*/cb/*") if _is_open(it, now)}))


def _is_open(path: Path, now: float) -> bool:
    try:
        record = parse_breaker(path.read_bytes(), path.name)
    except OSError:  # a file that is just being replaced
        return False
    if isinstance(record, Corrupt):
        return False
    current = breaker_now(
        record, record.max_failures or _MAX_FAILURES, record.cooldown or _COOLDOWN, now
    )
    return current.state in {Circuit.OPEN, Circuit.FORCED_OPEN}
