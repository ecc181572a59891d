"""The site as a process: it starts the cast, plays the story, and takes everything with it.

It lives as long as its standard input is open. Whoever started it holds the other end, so it
notices when that process is gone, however it went.
"""

from __future__ import annotations

import argparse
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from healconsole.demo import tether
from healconsole.demo.cast import (
    WARM_UP,
    HealerRole,
    Role,
    bad_healer,
    healers,
    services,
    write_catalog,
)
from healconsole.demo.launch import withdraw
from healconsole.demo.layout import BAD_RELEASE, GOOD_RELEASE, JOBS, POISON, Site
from healconsole.demo.link import connect
from healconsole.demo.repair import write_answer
from healconsole.stores.redisserver import RedisServer

RESPAWN_AFTER = 0.2
"""Seconds between the end of a service and its next start."""

STORY: tuple[tuple[float, str], ...] = (
    (6, "poison"),
    (14, "hang-broker"),
    (30, f"deploy {BAD_RELEASE}"),
    (55, "kill-healer broker-restarter"),
)
"""What happens by itself: seconds after the start at pace 1, command."""


class Stage:
    """The running cast of one site."""

    def __init__(self, site: Site, cast: tuple[HealerRole, ...], warm_up: float) -> None:
        self.site = site
        self._roles = {role.name: role for role in services(site, warm_up)}
        self._healers = {healer.name: healer.role() for healer in cast}
        if not cast:
            self._roles["bad-healer"] = bad_healer(site)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._due: dict[str, float] = {}

    def start_all(self) -> None:
        """Start every service and every healer."""
        for role in (*self._roles.values(), *self._healers.values()):
            self._start(role)

    def _start(self, role: Role) -> None:
        with (self.site.logs / f"{role.name}.log").open("ab") as log:
            self._running[role.name] = subprocess.Popen(
                role.argv,
                env={**_clean_environment(), **role.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tether.die_with_parent,  # noqa: PLW1509 - one thread, and the call allocates nothing
            )

    def reap(self, now: float) -> None:
        """Note who ended, and start again what is due."""
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                del self._running[name]
                role = self._roles.get(name)
                if role is not None and role.respawn:
                    self._due[name] = now + RESPAWN_AFTER
        for name, due in list(self._due.items()):
            if due <= now:
                del self._due[name]
                self._start(self._roles[name])

    def bury_orphans(self) -> None:
        """Reap the descendants that were adopted and have ended; those started here stay known."""
        ours = {process.pid for process in self._running.values()}
        while (found := _ended_child()) is not None and found not in ours:
            os.waitpid(found, 0)

    def next_due(self) -> float | None:
        """When something is to be started again; monotonic seconds."""
        return min(self._due.values(), default=None)

    def obey(self, command: str) -> None:
        """Carry out one line of the story or of ``demo fix``.

        Raises:
            ValueError: there is no such command.
        """
        verb, _, argument = command.strip().partition(" ")
        if verb == "poison":
            connect(self.site).lpush(JOBS, POISON)
        elif verb == "deploy":
            self.site.select_release(argument)
            self._kill("worker", signal.SIGTERM)
        elif verb == "hang-broker":
            self._kill("broker", signal.SIGUSR1)
        elif verb == "kill-healer":
            self._kill(argument, signal.SIGKILL)
        elif verb == "fix":
            self._fix(argument)
        else:
            raise ValueError(f"no such command: {command!r}")

    def _kill(self, name: str, how: signal.Signals) -> None:
        process = self._running.get(name)
        if process is not None:
            process.send_signal(how)

    def _fix(self, token: str) -> None:
        """Roll the deploy back, start the healers that died, and answer whoever asked.

        The worker is left to its healer: that is what the probe of the breaker is for.
        """
        release = self.site.release()
        self.site.select_release(GOOD_RELEASE)
        dead = [name for name in self._healers if name not in self._running]
        for name in dead:
            self._start(self._healers[name])
        if token:
            write_answer(self.site, token, "" if release == GOOD_RELEASE else release, dead)


def _clean_environment() -> dict[str, str]:
    keep = ("HOME", "LANG", "LC_ALL", "PATH", "TERM", "TMPDIR", "USER")
    return {name: os.environ[name] for name in keep if name in os.environ}


def _ended_child() -> int | None:
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended is not None else None


def perform(stage: Stage, story: tuple[tuple[float, str], ...]) -> None:
    """Run the stage until standard input ends or a signal asks to stop."""
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    stopping: list[int] = []
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, lambda number, _: stopping.append(number))
    os.mkfifo(stage.site.command_file, 0o600)
    commands = os.open(stage.site.command_file, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    stage.start_all()
    pending = [(time.monotonic() + after, command) for after, command in story]
    with selectors.DefaultSelector() as selector:
        for fd in (0, wake_read, commands):
            selector.register(fd, selectors.EVENT_READ)
        print("ready", flush=True)
        while not stopping:
            now = time.monotonic()
            stage.reap(now)
            stage.bury_orphans()
            while pending and pending[0][0] <= now:
                stage.obey(pending.pop(0)[1])
            times = [due for due in (stage.next_due(), pending[0][0] if pending else None) if due]
            ready = selector.select(max(0.0, min(times) - now) if times else None)
            for key, _ in ready:
                data = os.read(key.fd, 4096)
                if key.fd == 0 and not data:
                    return
                if key.fd == commands:
                    for line in data.decode("ascii", "replace").splitlines():
                        _obey_stranger(stage, line)


def _obey_stranger(stage: Stage, line: str) -> None:
    try:
        stage.obey(line)
    except ValueError as problem:
        print(problem, file=sys.stderr, flush=True)


def main() -> None:
    """Entry of ``python -m healconsole.demo.site ROOT``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--no-story", action="store_true")
    parser.add_argument("--unguarded", action="store_true")
    parser.add_argument("--warm-up", type=float, default=WARM_UP)
    parser.add_argument("--pace", type=float, default=1.0)
    options = parser.parse_args()
    site = Site(options.root)
    tether.adopt_orphans()
    try:
        site.make()
        with RedisServer(site.root / "redis") as redis:
            site.redis_url_file.touch(mode=0o600)
            site.redis_url_file.write_text(redis.url, encoding="ascii")
            cast = () if options.unguarded else healers(site, options.pace)
            write_catalog(site, cast)
            story = () if options.no_story else STORY
            paced = tuple((after / options.pace, command) for after, command in story)
            perform(Stage(site, cast, options.warm_up), paced)
    finally:
        tether.kill_descendants()
        withdraw(site.root)
        shutil.rmtree(site.root, ignore_errors=True)


if __name__ == "__main__":
    main()
