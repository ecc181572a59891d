"""``halt``, ``resume``, ``break-lock``: an operator's acts in Redis, for the whole fleet."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

from healconsole.cli.errors import DONE, RefusedError, UsageError
from healconsole.cli.output import paint, show
from healconsole.cli.refusals import refusals
from healconsole.cli.settings import settings
from healconsole.core.halt import is_target
from healconsole.core.text import visible
from healconsole.engine.halting import FleetDesk, Stop
from healconsole.engine.operators import OperatorDesk, identify
from healconsole.stores.redislink import RedisLink, RedisUnknown


def halt(args: argparse.Namespace) -> int:
    """Stop the whole fleet, one healer, or some hosts."""
    target = _target(args)
    return _do(
        args,
        lambda desk, incident: desk.halt(
            target, args.duration, reason=args.reason, incident=incident
        ),
    )


def resume(args: argparse.Namespace) -> int:
    """End a halt, or a storm."""
    if args.storm is not None:
        return _do(
            args,
            lambda desk, incident: desk.release_storm(
                args.storm, reason=args.reason, incident=incident
            ),
        )
    target = _target(args)
    return _do(
        args, lambda desk, incident: desk.resume(target, reason=args.reason, incident=incident)
    )


def break_lock(args: argparse.Namespace) -> int:
    """Take a lock away from the holder that was shown."""
    return _do(
        args,
        lambda desk, incident: desk.break_lock(
            args.key, args.token, reason=args.reason, incident=incident
        ),
    )


def _target(args: argparse.Namespace) -> str:
    if args.healer is not None:
        target = f"healer:{args.healer}"
    elif args.hosts is not None:
        target = f"host:{args.hosts}"
    else:
        return ""
    if not is_target(target):
        what = "a healer's name" if args.healer is not None else "hosts, with * and ?"
        raise UsageError(f"{args.verb}: {args.healer or args.hosts!r} is not {what}")
    return target


def _do(args: argparse.Namespace, act: Callable[[FleetDesk, str], Stop]) -> int:
    config = settings(args)
    if config.read_only:
        raise RefusedError(f"{args.verb}: this console is read-only; nothing was changed")
    if not config.redis:
        raise RefusedError(f"{args.verb}: no Redis is configured (--redis); nothing was changed")
    operator = identify(os.environ, via="cli", named=config.operator)
    link = RedisLink(config.redis)
    desk = OperatorDesk(
        config.state_root, config.audit, operator, time.time, config.host,
        config.four_eyes, config.second_within,
    )  # fmt: skip
    try:
        with refusals(args.verb):
            stop = act(FleetDesk(desk, link), args.incident or config.incident)
    except RedisUnknown as error:
        raise RefusedError(
            f"{args.verb}: Redis unknown: {error.why}; nothing was changed"
        ) from error
    finally:
        link.close()
    show(f"{paint('✔', 'good')} {args.verb} {visible(stop.what)}")
    show(f"  was   {visible(stop.was or stop.before)}")
    show(f"  is    {visible(stop.now or stop.after)}")
    return DONE
