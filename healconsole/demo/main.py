"""``healconsole demo``: open the console on a private site, play its story, or compare."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from healconsole.demo.launch import DemoError, fix, running_site, tell
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


def run(verb: str | None, *, script: bool, bad: bool, pace: int, open_console: OpenConsole) -> int:
    """Run what the command line asked for; returns the exit code (0 done, 1 failed).

    Args:
        verb: ``fix`` to repair the demo that runs, or None.
        script: play the story without a terminal.
        bad: run it without guardrails too, and compare.
        pace: how many times faster than usual the story goes on the screen.
        open_console: how the TUI is opened.
    """
    try:
        if verb == "fix":
            fix()
            print("rolled back to the last good release, and started the healers that had died")
            return 0
        if script:
            return _play_script()
        if bad:
            from healconsole.demo import contrast

            contrast.play()
            return 0
        print("a private site starts: a Redis, a queue, a worker, four healers", flush=True)
        with running_site("--pace", str(pace)) as site:
            return open_console(flags(site), lambda: _repair(site))
    except DemoError as problem:
        print(f"healconsole demo: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + 2


def _repair(site: Site) -> str:
    tell(site, "fix")
    return "rolled back to the last good release; now reset the breaker"


def _play_script() -> int:
    from healconsole.demo import script

    try:
        script.play()
    except script.NotReachedError as problem:
        print(f"healconsole demo: {problem}", file=sys.stderr)
        return 1
    return 0
