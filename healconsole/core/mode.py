"""Whether a healer is live, dry or held now, as far as its files tell."""

from __future__ import annotations

from healconsole.core.dryrun import DryRun, effective
from healconsole.core.override import in_force
from healconsole.core.records import Corrupt, CycleRecord, OverrideRecord
from healconsole.core.snapshot import HealerState
from healconsole.core.words import Library, Outcome

LIVE = "LIVE"
DRY_RUN = "DRY-RUN"
HELD = "HELD"
UNKNOWN = "UNKNOWN"

_ACTED = frozenset(
    {
        Outcome.SUCCESS,
        Outcome.VERIFY_FAILED,
        Outcome.ACTION_FAILED,
        Outcome.STARTED,
        Outcome.INTERRUPTED,
        Outcome.TIMED_OUT,
    }
)


def hold_now(healer: HealerState, now: float) -> OverrideRecord | Corrupt | None:
    """Return what holds the healer: an override that says ``on``, or a corrupt file.

    A legacy healer is never held: it does not read the file, whatever the file says.
    """
    if healer.hold is None or not reads_overrides(healer):
        return None
    if isinstance(healer.hold, Corrupt):
        return healer.hold
    word = in_force(healer.hold, now)
    return word if word is not None and word.on else None


def reads_overrides(healer: HealerState) -> bool:
    """Whether the healer reads ``hold`` and ``dry-run``: a legacy one reads neither."""
    return healer.library is not Library.LEGACY


def environment_of(healer: HealerState) -> str | None:
    """Return what ``DRY_RUN`` seems to be in the healer's environment, or None if unset.

    It is inferred from the last cycle, or for a healer without one from its last event.
    A dry cycle under an operator's ``dry-run on`` says nothing of the environment.
    """
    if isinstance(healer.cycle, CycleRecord):
        if healer.cycle.mode != "dry-run" or _forced_dry(healer, healer.cycle.at):
            return None
        return "true"
    if healer.last is not None and (
        healer.last.outcome == Outcome.DRY_RUN or healer.last.dry_run is True
    ):
        return "true"
    return None


def dry_now(healer: HealerState, now: float) -> DryRun:
    """Return whether the healer's next cycle only rehearses, and who says so."""
    override = healer.dry_run if reads_overrides(healer) else None
    return effective(override, environment_of(healer), now)


def dry_known(healer: HealerState, now: float) -> bool:
    """Whether anything tells if the next cycle only rehearses or acts."""
    return dry_now(healer, now).dry or _known_live(healer)


def mode_now(healer: HealerState, now: float) -> str:
    """Return ``HELD``, ``DRY-RUN``, ``LIVE``, or ``UNKNOWN`` where nothing tells."""
    if healer.problem:
        return UNKNOWN
    if healer.hold is not None and hold_now(healer, now) is not None:
        return HELD
    if healer.dry_run is None and isinstance(healer.cycle, CycleRecord):
        return DRY_RUN if healer.cycle.mode == "dry-run" else LIVE
    if dry_now(healer, now).dry:
        return DRY_RUN
    return LIVE if _known_live(healer) else UNKNOWN


def _forced_dry(healer: HealerState, at: float) -> bool:
    word = None if isinstance(healer.dry_run, Corrupt) else in_force(healer.dry_run, at)
    return isinstance(healer.dry_run, Corrupt) or (word is not None and word.on)


def _known_live(healer: HealerState) -> bool:
    if isinstance(healer.cycle, CycleRecord) or isinstance(healer.dry_run, OverrideRecord):
        return True
    return healer.last is not None and healer.last.outcome in _ACTED
