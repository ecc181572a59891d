"""Where a healer's state, log and Redis are, and its limits, as the environment has them.

The variables and their meanings are those of ``heal.sh``, so that one unit file serves both.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Mapping
from pathlib import Path

from healconsole.core.fields import FieldError, parse_micro
from healconsole.core.frozen import Frozen, replace
from healconsole.core.records import Policy
from healconsole.core.scopes import is_healer_name
from healconsole.stores.redisaddress import with_login

STATE_ROOT = Path("/var/lib/heal")
AUDIT_FILE = Path("/var/log/heal/audit.jsonl")

_WHOLE = {
    "HEAL_BURST": "burst",
    "HEAL_CB_MAX": "max_failures",
    "HEAL_CB_COOLDOWN": "cooldown",
    "HEAL_BUCKET": "bucket",
    "HEAL_FLEET_LOCK_TTL": "fleet_lock_ttl",
    "HEAL_FLEET_BURST": "fleet_burst",
    "HEAL_FLEET_SLOTS_MAX": "fleet_slots_max",
    "HEAL_FLEET_STORM_WINDOW": "fleet_storm_window",
}
_SECONDS = {
    "HEAL_SETTLE": "settle",
    "HEAL_ACTION_TIMEOUT": "action_timeout",
    "HEAL_CHECK_TIMEOUT": "check_timeout",
}
_TEXT = {
    "HEAL_SCOPE": "scope",
    "HEAL_FLEET_LOCK": "fleet_lock",
    "HEAL_FLEET_SLOTS": "fleet_slots",
    "HEAL_FLEET_STORM": "fleet_storm",
    "HEAL_REDIS_UNREACHABLE": "redis_unreachable",
    "HEAL_STAGE": "stage",
    "HEAL_CANARIES": "canaries",
}
_RATES = {"HEAL_RATE": "rate_micro", "HEAL_FLEET_RATE": "fleet_rate_micro"}


class SettingError(ValueError):
    """A setting that cannot be used; the message names it and what it takes."""


class Settings(Frozen):
    """What a healer runs on. ``interval`` is in seconds, ``dry_env`` is ``DRY_RUN`` as it is."""

    healer: str
    state_dir: Path
    audit: Path
    host: str
    policy: Policy
    interval: float
    dry_env: str | None = None
    redis: str | None = None
    textfile_dir: Path | None = None
    trigger: str = ""


def settings_from(
    healer: str, environ: Mapping[str, str], policy: Policy, interval: float
) -> Settings:
    """Settings of ``healer``; a variable that is set wins over what its code says.

    ``HEAL_STATE_DIR`` names this healer's directory whole; else it lies in ``HEAL_STATE_ROOT``.

    Raises:
        SettingError: a variable has a value that cannot be used, or the name is no healer's.
    """
    if not is_healer_name(healer):
        raise SettingError(
            f"{healer!r} is no name for a healer: letters, digits, '.', '_' and '-', at most 64, "
            "the first a letter or a digit"
        )
    root = Path(environ.get("HEAL_STATE_ROOT") or STATE_ROOT)
    textfile_dir = environ.get("HEAL_TEXTFILE_DIR")
    return Settings(
        healer=healer,
        state_dir=Path(environ.get("HEAL_STATE_DIR") or root / healer),
        audit=Path(environ.get("HEAL_AUDIT_FILE") or AUDIT_FILE),
        host=environ.get("HEAL_HOST") or socket.gethostname(),
        policy=policy_from(environ, policy),
        interval=_seconds(environ, "HEAL_INTERVAL", interval, least=0.01),
        dry_env=environ.get("DRY_RUN"),
        redis=_redis(environ),
        textfile_dir=Path(textfile_dir) if textfile_dir else None,
        trigger=environ.get("HEAL_TRIGGER", ""),
    )


def policy_from(environ: Mapping[str, str], policy: Policy) -> Policy:
    """``policy`` with the limits that the environment sets.

    Raises:
        SettingError: a variable has a value that cannot be used.
    """
    found: dict[str, object] = {
        field: environ[var] for var, field in _TEXT.items() if environ.get(var)
    }
    for variable, field in _RATES.items():
        if rate := environ.get(variable):
            found[field] = rate_from(rate, variable)
    for variable, field in _WHOLE.items():
        if text := environ.get(variable):
            found[field] = _whole(text, variable)
    for variable, field in _SECONDS.items():
        if environ.get(variable):
            found[field] = _seconds(environ, variable, 0.0, least=0.0)
    try:
        return replace(policy, **found)  # type: ignore[arg-type] # each value has its field's type
    except ValueError as error:
        raise SettingError(f"the limits from the environment cannot be used: {error}") from None


def _redis(environ: Mapping[str, str]) -> str | None:
    url = environ.get("HEAL_REDIS_URL")
    if not url:
        return None
    try:
        return with_login(url, environ)
    except ValueError as error:
        raise SettingError(str(error)) from None


def _whole(text: str, variable: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise SettingError(f"{variable}={text!r}: takes a whole number")
    return int(text)


def rate_from(text: str, source: str) -> int:
    """Micro-tokens per second.

    Raises:
        SettingError: it is no decimal; ``source`` names it.
    """
    try:
        return parse_micro(text)
    except FieldError:
        raise SettingError(f"{source}={text!r}: takes tokens per second, such as 0.0167") from None


def _seconds(environ: Mapping[str, str], variable: str, default: float, *, least: float) -> float:
    text = environ.get(variable)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= 86_400:
        raise SettingError(f"{variable}={text!r}: takes seconds, from {least:g} to 86400")
    return value
