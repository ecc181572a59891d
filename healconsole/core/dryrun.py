"""Whether a healer only writes what it would do."""

from __future__ import annotations

from healconsole.core.frozen import Frozen
from healconsole.core.override import in_force
from healconsole.core.records import Corrupt, OverrideRecord

_DRY = frozenset({"true", "1", "yes", "on"})
_LIVE = frozenset({"false", "0", "no", "off", ""})


class DryRun(Frozen):
    """Dry or live, and who says so."""

    dry: bool
    why: str
    """A short phrase of ours, without data from outside."""
    unknown: bool = False
    """Dry because nobody knows what was meant."""


_UNSET = DryRun(dry=False, why="live")
_DRY_ENV = DryRun(dry=True, why="DRY_RUN says dry")
_LIVE_ENV = DryRun(dry=False, why="DRY_RUN says live")
_UNKNOWN_ENV = DryRun(dry=True, why="DRY_RUN is neither true nor false, so dry", unknown=True)


def from_environment(value: str | None) -> DryRun:
    """Read ``DRY_RUN``. It is compared, in any case and without its blanks, never run.

    >>> from_environment(" YES ").dry, from_environment("Off").dry, from_environment(None).dry
    (True, False, False)
    >>> from_environment("$(reboot)").unknown
    True
    """
    if value is None:
        return _UNSET
    word = value.strip(" \t").lower()
    if word in _LIVE:
        return _LIVE_ENV if word else _UNSET
    return _DRY_ENV if word in _DRY else _UNKNOWN_ENV


def effective(
    override: OverrideRecord | Corrupt | None, env: str | None, now: float, outside: str = ""
) -> DryRun:
    """Decide between the operator's ``dry-run`` file, which wins, and the environment.

    ``outside`` says why this host is not in the rollout yet: then nobody makes it live.

    >>> effective(OverrideRecord(False, 0, 0, "ana"), "true", now=1764000000).dry
    False
    >>> effective(OverrideRecord(False, 0, 0, "ana"), None, 1764000000, "stage canary").why
    'stage canary'
    """
    if override is None and env is None and not outside:
        return _UNSET
    asked = _asked(override, env, now)
    return DryRun(dry=True, why=outside) if outside and not asked.dry else asked


def _asked(override: OverrideRecord | Corrupt | None, env: str | None, now: float) -> DryRun:
    if override is None:
        return from_environment(env)
    if isinstance(override, Corrupt):
        return DryRun(
            dry=True, why=f"{override.path} is corrupt, so dry: {override.why}", unknown=True
        )
    word = in_force(override, now)
    if word is None:
        return from_environment(env)
    if word.on:
        return DryRun(dry=True, why=f"set by {word.operator}")
    return DryRun(dry=False, why=f"live, set by {word.operator}")
