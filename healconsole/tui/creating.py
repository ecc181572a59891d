"""The console that a configuration describes, with its desks: where the parts are put together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from healconsole.core.snapshot import EMPTY, Snapshot
from healconsole.stores.config import Config
from healconsole.stores.history import History
from healconsole.tui.app import ConsoleApp
from healconsole.tui.ports import Acts, Clock, FeedFactory, LockActs, LogReader, View
from healconsole.tui.themes import theme_for

if TYPE_CHECKING:  # a read-only console never loads what can write
    from healconsole.engine.remote import RemoteDesk


def create_app(
    config: Config,
    feed_factory: FeedFactory,
    clock: Clock,
    *,
    wall: bool = False,
    fleet: bool = False,
    repair: Callable[[], str] | None = None,
    first: Snapshot = EMPTY,
    log: LogReader | None = None,
) -> ConsoleApp:
    """Build the console that ``config`` describes; it opens on the snapshot ``first``.

    A read-only one, and the wall, load and construct nothing that can write. With ``fleet``
    the feed, and the log, are those of all hosts.
    """
    read_only = config.read_only or wall
    acts: Acts | None = None
    remote_acts: RemoteDesk | None = None
    operator = ""
    if not read_only and fleet:
        remote_acts = _remote_desk(config, clock)
        acts, operator = remote_acts, remote_acts.operator.user
    elif not read_only:
        acts, operator = _desk(config, clock)
    now = clock()
    view = View(
        host=config.host,
        operator=operator,
        incident=config.incident,
        read_only=read_only,
        wall=wall,
        theme=theme_for(config.theme, os.environ),
        keymap=dict(config.keymap),
        thresholds=config.thresholds,
        utc_offset_s=time.localtime(now).tm_gmtoff,
        state_root=str(config.state_root),
        audit=str(config.audit),
        fleet=fleet,
    )
    return ConsoleApp(
        view,
        feed_factory,
        clock,
        acts=acts,
        lock_acts=None if read_only else _lock_desk(config, clock),
        remote_acts=remote_acts,
        log=log if fleet else History(config.audit),
        repair=repair,
        first=first,
    )


def _desk(config: Config, clock: Clock) -> tuple[Acts, str]:
    from healconsole.engine.operators import OperatorDesk, identify

    operator = identify(os.environ, via="tui", named=config.operator)
    desk = OperatorDesk(
        config.state_root, config.audit, operator, clock, config.host,
        config.four_eyes, config.second_within, config.catalog,
    )  # fmt: skip
    return desk, operator.user


def _remote_desk(config: Config, clock: Clock) -> RemoteDesk:
    from healconsole.engine.operators import identify
    from healconsole.engine.remote import RemoteDesk

    operator = identify(os.environ, via="tui", named=config.operator)
    return RemoteDesk(operator, clock, config.remote)


def _lock_desk(config: Config, clock: Clock) -> LockActs | None:
    if config.redis is None:
        return None
    from healconsole.engine.halting import FleetDesk
    from healconsole.engine.operators import OperatorDesk, identify
    from healconsole.stores.redislink import RedisLink

    operator = identify(os.environ, via="tui", named=config.operator)
    desk = OperatorDesk(config.state_root, config.audit, operator, clock, config.host)
    return FleetDesk(desk, RedisLink(config.redis))
