"""A healer as a program: the options that every healer has, whatever it is written in."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from healconsole.core.frozen import replace
from healconsole.core.verdict import Verdict
from healconsole.core.words import FAILURES
from healconsole.engine.cyclerecord import verdict_record
from healconsole.engine.events import to_stderr
from healconsole.engine.guard import Guard
from healconsole.engine.healer import Healer
from healconsole.engine.loop import Loop
from healconsole.engine.notify import Notify, withdraw
from healconsole.engine.settings import SettingError, Settings, settings_from
from healconsole.engine.signals import Signals
from healconsole.engine.singleton import AlreadyRunning

DONE, FAILED, USAGE = 0, 1, 2


def run_program(
    healer: Healer,
    argv: Sequence[str],
    environ: Mapping[str, str],
    clock: Callable[[], float],
) -> int:
    """Run ``healer`` as its command line says; returns the exit code.

    0: done, also if a guardrail denied; 1: an action failed, or another instance runs, or the
    state cannot be used; 2: usage. After a signal, a loop ends with 0: it was asked to.
    """
    options = _parser(healer).parse_args(argv)
    try:
        interval = options.interval if options.interval is not None else healer.interval
        settings = settings_from(healer.name, environ, healer.policy, interval)
        if options.interval is not None:
            settings = replace(settings, interval=options.interval)
    except SettingError as error:
        return _fail(healer, str(error), USAGE)
    healer.policy = settings.policy
    if options.detect and not options.plan:
        print(healer.measure())
        return DONE
    try:
        if options.plan:
            return _plan(healer, settings, clock, rehearse=options.dry_run)
        guard = Guard.from_settings(settings, clock, rehearse=options.dry_run).__enter__()
    except OSError as error:
        return _fail(healer, f"{settings.state_dir} cannot be used: {_why(error)}")
    with closing(guard):
        return _cycles(healer, guard, settings, environ, clock, once=options.once)


def _cycles(
    healer: Healer,
    guard: Guard,
    settings: Settings,
    environ: Mapping[str, str],
    clock: Callable[[], float],
    *,
    once: bool,
) -> int:
    def log(text: str) -> None:
        to_stderr(f"{healer.name}: {text}")

    notify = Notify(environ)
    withdraw(os.environ)
    loop = Loop(healer, guard, settings, clock, log, notify)
    # Handlers first: whoever finds the lock taken may send SIGUSR1, which kills by default.
    with Signals() as signals:
        try:
            if not once:
                loop.run(signals)
                return DONE
            record = loop.once(settings.trigger or "once", signals)
        except AlreadyRunning as error:
            return _fail(healer, str(error))
        except OSError as error:
            return _fail(healer, f"the lock cannot be taken: {_why(error)}")
    if record is None or record.outcome in FAILURES:
        return FAILED
    return DONE


def _plan(healer: Healer, settings: Settings, clock: Callable[[], float], *, rehearse: bool) -> int:
    """Detect, decide, and print what the guardrails say; spends nothing and writes nothing."""
    decision = healer.consider(healer.measure())
    verdict: Verdict | None = None
    with closing(Guard.from_settings(settings, clock, rehearse=rehearse)) as guard:
        if decision.intent:
            verdict = guard.check(decision.wanted(settings.policy), trigger=settings.trigger)
        mode = "dry-run" if guard.is_dry() else "live"
    record = None if verdict is None else verdict_record(verdict)
    print(
        json.dumps(
            {
                "fact": str(decision.fact),
                "intent": decision.intent,
                "verdict": record
                and {
                    "allow": record.allow,
                    "guard": record.guard,
                    "reason": record.reason,
                    "earliest": record.earliest,
                },
                "mode": mode,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
    )
    return DONE


def _parser(healer: Healer) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=healer.name or None,
        description=(type(healer).__doc__ or "").partition("\n")[0] or None,
        epilog="Exit codes: 0 done or denied; 1 failed, or another instance runs; 2 usage. "
        "SIGUSR1 wakes the loop, SIGTERM ends it after the running action is recorded.",
        allow_abbrev=False,
    )
    parser.add_argument("--once", action="store_true", help="run one cycle and leave")
    parser.add_argument("--detect", action="store_true", help="print the fact and leave")
    parser.add_argument(
        "--plan",
        action="store_true",
        help="detect and decide, print the verdict as JSON, spend nothing",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="write what would be done, and do nothing"
    )
    parser.add_argument(
        "--interval",
        type=_interval,
        metavar="SECONDS",
        help=f"seconds between cycles; {healer.interval:g}",
    )
    return parser


def _interval(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0.01 to 86400")
    return value


def _fail(healer: Healer, text: str, code: int = FAILED) -> int:
    to_stderr(f"{healer.name}: {text}")
    return code


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
