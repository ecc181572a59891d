"""From the command line to what every command starts with: configuration, clock, a look."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence

from healconsole.cli.errors import RefusedError, UsageError
from healconsole.core.frozen import replace
from healconsole.core.snapshot import HealerState, Snapshot
from healconsole.core.words import SourceState
from healconsole.stores.config import Config, load_config
from healconsole.stores.configfile import ConfigError

FLAGS = ("state_root", "audit", "redis", "textfile_dir", "catalog", "config", "read_only")


def settings(args: argparse.Namespace) -> Config:
    """The configuration of this run: flags, then environment, then files.

    Raises:
        UsageError: a value cannot be taken; the message names where it stands.
    """
    flags = {name: getattr(args, name) for name in FLAGS if getattr(args, name, None) is not None}
    return configure(flags)


def configure(flags: Mapping[str, object]) -> Config:
    """The configuration from ``flags`` (values of the common options that were given).

    Raises:
        UsageError: a value cannot be taken; the message names where it stands.
    """
    try:
        return load_config(flags, os.environ)
    except ConfigError as error:
        raise UsageError(str(error)) from error


def local_offset(now: float) -> int:
    """Seconds that the local time of this machine is ahead of UTC at ``now``."""
    return time.localtime(now).tm_gmtoff


def look(config: Config, *, markers_for: str | None = None, tail_lines: int = 500) -> Snapshot:
    """Read everything once.

    Raises:
        RefusedError: the state root is not there or cannot be read. An empty answer would say
            that nothing is wrong.
    """
    from healconsole.stores.look import read_once

    snapshot = read_once(config, time.time, markers_for=markers_for, tail_lines=tail_lines)
    health = snapshot.state_health
    if health.state in {SourceState.MISSING, SourceState.UNKNOWN}:
        detail = health.detail or f"{config.state_root}: {health.state}"
        raise RefusedError(f"no state can be read: {detail}")
    return snapshot


def fleet_redis(config: Config) -> str:
    """The Redis in which the hosts of the fleet publish.

    Raises:
        UsageError: none is configured.
    """
    if config.redis is None:
        raise UsageError("a fleet is what hosts publish in one Redis: name it with --redis URL")
    return config.redis


def look_at_fleet(config: Config) -> Snapshot:
    """Read what all hosts publish, once.

    Raises:
        RefusedError: Redis does not say.
        UsageError: no Redis is configured.
    """
    from healconsole.stores.fleetfeed import FleetFeed

    snapshot = FleetFeed(fleet_redis(config), time.time, lambda _: None, once=True).once()
    if snapshot.state_health.state is not SourceState.LIVE:
        raise RefusedError(f"the fleet is unknown: {snapshot.state_health.detail}")
    return snapshot


def only(snapshot: Snapshot, names: Sequence[str]) -> Snapshot:
    """``snapshot`` with no other healers than ``names``; as it is if none is named.

    Raises:
        RefusedError: there is no healer of one of these names.
    """
    if not names:
        return snapshot
    found = {name: the_healer(snapshot, name) for name in names}
    return replace(snapshot, healers=tuple(found[name] for name in sorted(found)))


def the_healer(snapshot: Snapshot, name: str) -> HealerState:
    """The healer ``name``.

    Raises:
        RefusedError: there is none; the message names those that there are.
    """
    for healer in snapshot.healers:
        if healer.id == name:
            return healer
    known = [healer.id for healer in snapshot.healers]
    listed = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
    raise RefusedError(f"no such healer: {name!r}; there are: {listed or 'none'}")
