"""``healconsole guard … -- CMD``: any command, such as a cron job, behind the guardrails."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from healconsole.core.frozen import replace
from healconsole.core.records import Policy
from healconsole.core.words import Guardrail, Outcome
from healconsole.engine.asked import GuardedResult
from healconsole.engine.cyclerecord import made_record
from healconsole.engine.declared import common_environment
from healconsole.engine.events import to_stderr
from healconsole.engine.guard import Guard
from healconsole.engine.heartbeat import counted, read_cycle, write_cycle, write_metric
from healconsole.engine.process import Command, describe
from healconsole.engine.settings import SettingError, Settings, rate_from, settings_from
from healconsole.engine.signals import Signals
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.metricsfile import read_tally

DONE, REFUSED, USAGE, TIMED_OUT = 0, 1, 2, 124

_LIMITS = {
    "burst": "burst",
    "max_failures": "max_failures",
    "cooldown": "cooldown",
    "bucket": "bucket",
    "settle": "settle",
    "timeout": "action_timeout",
}


def main(options: argparse.Namespace, clock: Callable[[], float] = time.time) -> int:
    """Run ``options.guarded_command`` as the action of ``options.intent``.

    ``options`` holds ``healer``, ``intent``, ``check`` (a line for ``sh``, or None), ``rate``
    (text), ``burst``, ``max_failures``, ``cooldown``, ``bucket``, ``settle``, ``timeout`` (each
    None if not given) and ``dry_run``. Returns the command's own exit code; 0 for a dry-run;
    1 if a guardrail denied or the check failed; 2 for bad limits; 124 if it timed out.
    A TERM, HUP or INT ends the command, and the outcome is recorded.
    """
    environ = common_environment(options)
    try:
        settings = settings_from(options.healer, environ, Policy(), 0)
        settings = replace(settings, policy=_policy(options, settings.policy))
    except (SettingError, ValueError) as error:
        return _say(options, str(error), USAGE)
    try:
        guard = Guard.from_settings(settings, clock, rehearse=options.dry_run).__enter__()
    except OSError as error:
        return _say(options, f"{settings.state_dir} cannot be used: {error}", REFUSED)
    check = Command(("sh", "-c", options.check), environ) if options.check else None
    began = clock()
    with closing(guard), Signals() as signals:
        guard.recover(settings.trigger or "guard")
        result = guard.run(
            options.intent,
            Command(tuple(options.guarded_command), environ, pass_output=True),
            check,
            reason=" ".join(options.guarded_command)[:500],
            trigger=settings.trigger or "guard",
            tick=lambda: f"ended by {signals.stop.name}" if signals.stop is not None else "",
            tick_every=0.1,
        )
        _beat(guard, settings, result, options.intent, began, clock())
    return _leave(options, result)


def _beat(
    guard: Guard,
    settings: Settings,
    result: GuardedResult,
    intent: str,
    began: float,
    now: float,
) -> None:
    """Leave the heartbeat: to the console the job is a healer like any other."""
    try:
        record = made_record(
            guard,
            read_cycle(settings.state_dir),
            result,
            at=now,
            began_at=began,
            duration_ms=result.duration_ms,
            trigger=settings.trigger or "guard",
            fact="",
            intent=intent if result.verdict.guard is not Guardrail.INTENT else "",
            interval=0,
        )
        write_cycle(settings.state_dir, record)
        if settings.textfile_dir is not None:
            before = read_tally(settings.textfile_dir, settings.healer)
            write_metric(settings, record, counted(before, result, guard.taken_interrupted()))
    except (OSError, Missing, Unreadable) as error:
        to_stderr(f"{settings.healer}: the heartbeat cannot be written: {describe(error)}")


def _policy(options: argparse.Namespace, policy: Policy) -> Policy:
    found: dict[str, Any] = {
        field: getattr(options, name)
        for name, field in _LIMITS.items()
        if getattr(options, name) is not None
    }
    if options.rate is not None:
        found["rate_micro"] = rate_from(options.rate, "--rate")
    return replace(policy, **found)


def _leave(options: argparse.Namespace, result: GuardedResult) -> int:
    if result.outcome == Outcome.SUCCESS:
        return DONE
    _say(options, result.sentence, DONE)
    if result.outcome == Outcome.DRY_RUN:
        return DONE
    if result.outcome == Outcome.TIMED_OUT:
        return TIMED_OUT
    return result.exit_code or REFUSED


def _say(options: argparse.Namespace, text: str, code: int) -> int:
    to_stderr(f"{options.healer}: {text}")
    return code
