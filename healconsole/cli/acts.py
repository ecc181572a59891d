"""The operator's acts from the command line: trip, reset, dry-run, release.

The name is typed already, so nothing more is asked; what was there, what is there now, and
what happens next is printed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

from healconsole.cli.errors import DONE, RefusedError
from healconsole.cli.eventline import event_line
from healconsole.cli.output import complain, paint, show, width
from healconsole.cli.refusals import refusals
from healconsole.cli.settings import local_offset, look, settings, the_healer
from healconsole.core.acts import ActPlan, ActRefused
from healconsole.core.ages import countdown
from healconsole.core.attribution import operator_words
from healconsole.core.frozen import Frozen
from healconsole.core.request import Request
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.core.text import visible
from healconsole.core.told import readable
from healconsole.engine.operators import OperatorDesk, identify
from healconsole.engine.reasons import BREAK_GLASS, goes_alone
from healconsole.stores.apply import Applied


class Scene(Frozen):
    """What an act starts from: who acts where, on which healer, as it is now."""

    desk: OperatorDesk
    healer: HealerState
    snapshot: Snapshot
    incident: str


def trip(args: argparse.Namespace) -> int:
    """Force one scope, or the whole healer, open."""
    scene = begin(args)
    return _do(args, scene, lambda: scene.desk.plan_trip(scene.healer, args.scope, args.duration))


def reset(args: argparse.Namespace) -> int:
    """Reset one scope, or every scope and the hold."""
    scene = begin(args)
    events = scene.snapshot.audit.lines
    return _do(
        args, scene, lambda: scene.desk.plan_reset(scene.healer, args.scope, args.to, events)
    )


def dry_run(args: argparse.Namespace) -> int:
    """Turn rehearsal on or off."""
    scene = begin(args)
    return _do(args, scene, lambda: scene.desk.plan_dry_run(scene.healer, on=args.switch == "on"))


def release(args: argparse.Namespace) -> int:
    """Take back a hold."""
    scene = begin(args)
    return _do(args, scene, lambda: scene.desk.plan_release(scene.healer))


def begin(args: argparse.Namespace) -> Scene:
    """Find the healer, and who is asking.

    Raises:
        RefusedError: read-only, no reason, or no such healer.
    """
    config = settings(args)
    if config.read_only:
        raise RefusedError(f"{args.verb}: this console is read-only; nothing was changed")
    if not args.reason.strip():
        raise RefusedError(
            f"{args.verb}: the reason is empty; it is what the audit log is read for later. "
            "Nothing was changed"
        )
    snapshot = look(config)
    operator = identify(os.environ, via="cli", named=config.operator)
    desk = OperatorDesk(
        config.state_root, config.audit, operator, time.time, config.host,
        config.four_eyes, config.second_within, config.catalog,
    )  # fmt: skip
    return Scene(desk, the_healer(snapshot, args.name), snapshot, args.incident or config.incident)


def _do(args: argparse.Namespace, scene: Scene, make_plan: Callable[[], ActPlan]) -> int:
    reason = f"{BREAK_GLASS} {args.reason}" if args.break_glass else args.reason
    with refusals(f"{args.verb} {args.name}"):
        plan = make_plan()
        applied = scene.desk.apply(plan, reason=reason, incident=scene.incident)
    _tell(plan)
    _tell_undo(applied)
    return _tell_end(scene, plan.verb, reason, applied)


def undo(args: argparse.Namespace) -> int:
    """Take the last act on a healer back.

    Raises:
        RefusedError: read-only, no reason, no such act, or the state is not what it left.
    """
    scene = begin(args)
    with refusals(f"{args.verb} {args.name}"):
        reason = f"{BREAK_GLASS} {args.reason}" if args.break_glass else args.reason
        record = scene.desk.last_act(scene.healer.name, reason=reason)
        if args.act and args.act != record.act:
            raise ActRefused(
                f"act {args.act} is not the last one on {args.name}: that is {record.act}, "
                f"{record.verb}"
            )
        applied = scene.desk.undo(record, reason=reason, incident=scene.incident)
    offset = local_offset(time.time())
    show(f"{paint('✔', 'good')} took back {visible(record.verb)} {visible(args.name)}")
    show(f"  was   {visible(readable(record.after, offset))}")
    show(f"  is    {visible(readable(record.before, offset))}")
    return _tell_end(scene, "undo", reason, applied)


def approve(args: argparse.Namespace) -> int:
    """Do what somebody else asked for; without an id, list what waits.

    Raises:
        RefusedError: read-only, no such request, or the caller is no second person.
    """
    desk, now = _second_desk(args), time.time()
    with refusals(f"{args.verb} {args.id or ''}".rstrip()):
        if not args.id:
            waiting = desk.waiting()
            for request in waiting:
                show(_request_line(request, now))
            if not waiting:
                show("nobody waits for a second person")
            return DONE
        request, applied = desk.approve(args.id, reason=args.reason, as_shown=args.as_shown)
    show(f"{paint('✔', 'good')} {_request_line(request, now)}")
    _tell_undo(applied, "--break-glass ")
    return _tell_result(applied)


def decline(args: argparse.Namespace) -> int:
    """Take a request away.

    Raises:
        RefusedError: read-only, or no such request.
    """
    desk, now = _second_desk(args), time.time()
    with refusals(f"{args.verb} {args.id}"):
        request = desk.decline(args.id, reason=args.reason, as_shown=args.as_shown)
    show(f"{paint('✔', 'good')} declined: {_request_line(request, now)}")
    return DONE


def _second_desk(args: argparse.Namespace) -> OperatorDesk:
    config = settings(args)
    if config.read_only:
        raise RefusedError(f"{args.verb}: this console is read-only; nothing was changed")
    operator = identify(os.environ, via="cli", named=config.operator)
    return OperatorDesk(config.state_root, config.audit, operator, time.time, config.host)


def _tell_undo(applied: Applied, more: str = "") -> None:
    record = applied.undo
    if applied.unkept:
        complain(f"it was done, and healconsole undo will not know it: {applied.unkept}")
    else:
        name = visible(record.healer)
        show(f"  undo  healconsole undo {name} --act {record.act} {more}--reason …")


def _tell_end(scene: Scene, verb: str, reason: str, applied: Applied) -> int:
    if goes_alone(scene.desk.four_eyes, verb, reason):
        show(paint("  !     BREAK-GLASS: done without a second person; the log says so", "bad"))
    return _tell_result(applied)


def _tell_result(applied: Applied) -> int:
    if applied.unlogged:
        complain(applied.unlogged)
    return DONE


def _request_line(request: Request, now: float) -> str:
    who = operator_words(request.operator)
    left = countdown(max(0.0, request.until - now))
    return visible(
        f"{request.id}  {request.verb} {request.target}: {request.before} -> "
        f"{request.after}; asked by {who}, {left} left: {request.reason}"
    )


def _tell(plan: ActPlan) -> None:
    scope = f" / {visible(plan.scope)}" if plan.scope is not None else ""
    show(f"{paint('✔', 'good')} {visible(plan.verb)} {visible(plan.healer)}{scope}")
    opened_by = [event_line(event, time.time(), width()) for event in plan.failures]
    if opened_by:
        show("  what opened it")
    for line in opened_by:
        show(f"    {line}")
    if plan.trend:
        show(f"    {visible(plan.trend)}")
    for title, lines in (
        ("was", plan.now_lines),
        ("is", plan.after_lines),
        ("next", plan.next_lines),
    ):
        for place, line in enumerate(lines):
            show(f"  {title if place == 0 else '':<5} {visible(line)}")
    for warning in plan.warnings:
        show(f"  {paint('!', 'warn')}     {visible(warning)}")
