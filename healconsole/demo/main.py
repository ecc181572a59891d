"""``healconsole demo``: open the console on a private site, play its story, or compare."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from healconsole.demo.launch import DemoError, running, running_site
from healconsole.demo.layout import Site

OpenConsole = Callable[[Mapping[str, str], Callable[[], str]], int]
"""Opens the TUI on the given options, with a key that repairs the site and says what it did;
returns the exit code."""


def flags(site: Site) -> dict[str, str]:
    """The console's options for a site, as if they had been typed."""
    return {
        "state_root": str(site.state),
        "audit": str(site.audit),
        "catalog": str(site.catalog),
        "textfile_dir": str(site.textfile),
        "redis": site.redis_url_file.read_text(encoding="ascii").strip(),
    }


_VARIABLES = {
    "state_root": "HEAL_STATE_ROOT",
    "audit": "HEAL_AUDIT_FILE",
    "catalog": "HEALCONSOLE_CATALOG",
    "textfile_dir": "HEAL_TEXTFILE_DIR",
    "redis": "HEAL_REDIS_URL",
}


def exports(site: Site) -> str:
    """Lines for a shell that point every command at ``site``; they hold its Redis password.

    Raises:
        OSError: the site has no address of its Redis.
    """
    found = flags(site)
    return "".join(f"export {name}={shlex.quote(found[it])}\n" for it, name in _VARIABLES.items())


def run(verb: str | None, *, script: bool, bad: bool, pace: int, open_console: OpenConsole) -> int:
    """Run what the command line asked for; returns the exit code (0 done, 1 failed).

    Args:
        verb: of the demo that runs: ``fix`` to repair it, ``env`` to point a shell at it; or None.
        script: play the story without a terminal.
        bad: run it without guardrails too, and compare.
        pace: how many times faster than usual the story goes on the screen.
        open_console: how the TUI is opened.
    """
    try:
        if verb is not None:
            return _from_outside(verb)
        if script:
            return _play_script()
        if bad:
            from healconsole.demo import contrast

            contrast.play()
            return 0
        print(
            "a private site starts: a Redis, a queue, a worker, four healers\n"
            f"the other commands, in another terminal, see it after:\n"
            f'  eval "$({_program()} demo env)"',
            flush=True,
        )
        with running_site("--pace", str(pace)) as site:
            return open_console(flags(site), lambda: _repair(site))
    except DemoError as problem:
        print(f"healconsole demo: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + 2


def _from_outside(verb: str) -> int:
    site = running()
    if verb == "env":
        print(exports(_ready(site)), end="")
    else:
        from healconsole.demo.repair import repair, words

        print(words(repair(site)))
    return 0


def _repair(site: Site) -> str:
    from healconsole.demo.repair import repair, words

    try:
        return words(repair(site))
    except DemoError as problem:
        return str(problem)


def _program() -> str:
    """This program as another shell of this user finds it: by its name, or else by its path."""
    here = Path(sys.executable).with_name("healconsole")
    found = shutil.which("healconsole")
    if not here.exists() or (found is not None and here.samefile(found)):
        return "healconsole"
    return shlex.quote(str(here))


def _ready(site: Site) -> Site:
    if not site.redis_url_file.exists():
        raise DemoError(f"the demo in {site.root} is not ready")
    return site


def _play_script() -> int:
    from healconsole.demo import script

    try:
        script.play()
    except script.NotReachedError as problem:
        print(f"healconsole demo: {problem}", file=sys.stderr)
        return 1
    return 0
