"""What each command takes: its arguments, added to a parser that is made for it."""

from __future__ import annotations

import argparse
from pathlib import Path

from healconsole.cli.completing import completes
from healconsole.cli.options import (
    OneLineParser,
    duration,
    existing_file,
    percent,
    port,
    seconds,
    whole,
    whole_seconds,
)

LANGUAGES = ("bash", "python", "toml")

SHELLS = ("bash", "zsh", "fish")

PLUGIN_UNKNOWN = 3
"""Exit code of a plugin that can say nothing: 1 and 2 would be alarms."""

_HEALERS = "healers; else all"


def nothing(sub: OneLineParser) -> None:
    """A command that takes the common options only."""


def only_json(sub: OneLineParser) -> None:
    """A command that has no other option than ``--json``."""
    _json_option(sub)


def _json_option(sub: OneLineParser, says: str = "print one JSON object") -> None:
    sub.add_argument("--json", action="store_true", help=says)


def _fleet_option(sub: OneLineParser) -> None:
    """``--fleet``, which may stand before the command too."""
    sub.add_argument(
        "--fleet", action="store_true", default=argparse.SUPPRESS, help="of all hosts in Redis"
    )


def _names(sub: OneLineParser, says: str = _HEALERS) -> None:
    completes(sub.add_argument("names", metavar="NAME", nargs="*", help=says), "NAME")


def _why(sub: OneLineParser) -> None:
    sub.add_argument(
        "--reason", metavar="R", required=True, help="why, for whoever reads the audit log"
    )
    sub.add_argument("--incident", metavar="I", default="", help="incident that it belongs to")


# Looks.


def status(sub: OneLineParser) -> None:
    """``status``."""
    _names(sub)
    _fleet_option(sub)
    _json_option(sub)


def tail(sub: OneLineParser) -> None:
    """``tail``."""
    sub.add_argument("-n", "--lines", type=whole, default=20, help="how many events; 20")
    sub.add_argument("-f", "--follow", action="store_true", help="go on with what is appended")
    sub.add_argument("--filter", metavar="F", default="", help="only events that match")
    _json_option(sub, "print the events as they are in the log, one JSON object a line")


def explain(sub: OneLineParser) -> None:
    """``explain``."""
    completes(sub.add_argument("name", metavar="NAME", help="healer"), "NAME")
    sub.add_argument("--intent", metavar="I", help="ask for this intent, not its latest")
    _json_option(sub)


def verify(sub: OneLineParser) -> None:
    """``verify``."""
    files = sub.add_argument(
        "files", metavar="FILE", type=Path, nargs="*", help="these; else the log and its rotations"
    )
    completes(files, "FILE")
    sub.add_argument("--expect", metavar="HASH", help="an event of this hash must be there")
    _json_option(sub)


def report(sub: OneLineParser) -> None:
    """``report``."""
    _names(sub)
    sub.add_argument("--since", metavar="T", help="begin; 7d, or the days of the step")
    sub.add_argument("--until", metavar="T", help="end; now")
    logs = sub.add_argument(
        "--log", metavar="FILE", type=Path, nargs="+", help="read these, not --audit; any host's"
    )
    completes(logs, "FILE")
    sub.add_argument(
        "--format", choices=("markdown", "json", "html"), help="markdown, or what --output ends in"
    )
    output = sub.add_argument("--output", metavar="FILE", type=Path, help="write it there")
    completes(output, "FILE")
    _json_option(sub)
    rollout = sub.add_argument_group("promotion evidence")
    named = rollout.add_argument("--rollout", metavar="NAME", help="may it take its next step?")
    completes(named, "NAME")
    rollout.add_argument(
        "--step",
        choices=("dev", "dry-run", "canary", "10%", "25%", "50%", "100%"),
        metavar="STEP",
        help="step that it is on; the catalog's stage",
    )
    rollout.add_argument("--hosts", metavar="N", type=whole, help="hosts of the fleet; those seen")
    beats = rollout.add_argument(
        "--heartbeats", metavar="FILE", type=Path, help="answer of Prometheus on past heartbeats"
    )
    completes(beats, "FILE")


# Acts.


def act(sub: OneLineParser) -> None:
    """An act on one healer; ``run`` takes no more than this."""
    completes(sub.add_argument("name", metavar="NAME", help="healer"), "NAME")
    _why(sub)


def _break_glass(sub: OneLineParser) -> None:
    sub.add_argument(
        "--break-glass", action="store_true", help="go without the second person, loudly"
    )


def trip(sub: OneLineParser) -> None:
    """``trip``."""
    act(sub)
    sub.add_argument("--scope", metavar="S", help="only this scope; else the whole healer")
    sub.add_argument(
        "--for",
        dest="duration",
        metavar="TIME",
        type=duration,
        help="10m, 90s, 1h30m; until a reset if not given",
    )
    _break_glass(sub)


def reset(sub: OneLineParser) -> None:
    """``reset``."""
    act(sub)
    sub.add_argument("--scope", metavar="S", help="only this scope; else every scope")
    sub.add_argument("--to", choices=("half-open", "closed"), default="half-open", help="half-open")
    _break_glass(sub)


def dry_run(sub: OneLineParser) -> None:
    """``dry-run``."""
    act(sub)
    sub.add_argument("switch", choices=("on", "off"), help="on: write only; off: act")
    _break_glass(sub)


def release(sub: OneLineParser) -> None:
    """``release``."""
    act(sub)
    _break_glass(sub)


def undo(sub: OneLineParser) -> None:
    """``undo``."""
    act(sub)
    sub.add_argument("--act", metavar="ID", default="", help="only this one, as its act told")
    _break_glass(sub)


def approve(sub: OneLineParser) -> None:
    """``approve``."""
    sub.add_argument("id", metavar="ID", nargs="?", help="request; else list what waits")
    sub.add_argument("--reason", metavar="R", default="", help="why you approve it")
    _as_shown(sub)


def decline(sub: OneLineParser) -> None:
    """A request that is taken away."""
    sub.add_argument("id", metavar="ID", help="request, as approve lists it")
    sub.add_argument("--reason", metavar="R", required=True, help="why not, for who asked")
    _as_shown(sub)


def _as_shown(sub: OneLineParser) -> None:
    sub.add_argument(
        "--as-shown", metavar="SEAL", default="", help="only if it is what the fleet showed"
    )


def halt(sub: OneLineParser) -> None:
    """``halt``."""
    _stop(sub)
    sub.add_argument(
        "--for",
        dest="duration",
        metavar="TIME",
        type=duration,
        help="10m; until resumed if not given",
    )


def resume(sub: OneLineParser) -> None:
    """``resume``."""
    _stop(sub, storm=True)


def _stop(sub: OneLineParser, *, storm: bool = False) -> None:
    whom = sub.add_mutually_exclusive_group()
    completes(whom.add_argument("--healer", metavar="NAME", help="only this healer"), "NAME")
    whom.add_argument("--hosts", metavar="PATTERN", help="only these hosts: web-*")
    if storm:
        whom.add_argument("--storm", metavar="SCOPE", help="release the storm brake of this scope")
    _why(sub)


def break_lock(sub: OneLineParser) -> None:
    """``break-lock``."""
    sub.add_argument("key", metavar="KEY", help="the lock, without heal:lock:")
    sub.add_argument("--token", metavar="T", required=True, help="owner, as locks --json says")
    _why(sub)


# Operations.


def publish(sub: OneLineParser) -> None:
    """``publish``."""
    sub.add_argument("--once", action="store_true", help="tell once, and end")
    sub.add_argument("--leave", action="store_true", help="take this host off the fleet")
    sub.add_argument(
        "--lease", metavar="TIME", type=seconds, default=15.0, help="lost without a word for; 15s"
    )


def init(sub: OneLineParser) -> None:
    """``init``."""
    sub.add_argument("name", metavar="NAME", help="healer to be")
    sub.add_argument("--lang", choices=LANGUAGES, required=True, help="bash, python or toml")
    folder = sub.add_argument("--dir", metavar="DIR", type=Path, help="write there; ./NAME")
    completes(folder, "DIR")
    prefix = sub.add_argument("--prefix", metavar="DIR", default="/usr/local", help="/usr/local")
    completes(prefix, "DIR")
    sub.add_argument("--owner", metavar="TEAM", default="team-sre", help="who owns it; team-sre")
    sub.add_argument("--runbook", metavar="URL", help="what its alerts lead to")


def check(sub: OneLineParser) -> None:
    """``check``."""
    _names(sub, "healers")
    sub.usage_code = PLUGIN_UNKNOWN


def gc(sub: OneLineParser) -> None:
    """``gc``."""
    _names(sub)
    sub.add_argument("--age", metavar="TIME", type=seconds, help="keep what is younger; 1d")
    sub.add_argument("--dry-run", action="store_true", help="list, and remove nothing")
    _json_option(sub)


def doctor(sub: OneLineParser) -> None:
    """``doctor``."""
    _names(sub)
    for flag, says in (
        ("--units", "unit files; those of systemd"),
        ("--tmpfiles", "tmpfiles.d; those of systemd"),
        ("--logrotate", "logrotate.d; /etc/logrotate.d"),
        ("--rules", "Prometheus rules; below /etc/prometheus"),
        ("--cron", "crontabs; /etc/cron.*"),
    ):
        where = sub.add_argument(flag, metavar="DIR", action="append", help=says)
        completes(where, "DIR")
    sub.add_argument(
        "--skip", metavar="ID", action="append", default=[], help="leave out this finding"
    )
    sub.add_argument(
        "--disk-free", metavar="PERCENT", type=percent, default=10, help="least free space; 10"
    )
    _json_option(sub)


# The library, and what shows it.


def serve(sub: OneLineParser) -> None:
    """``serve``."""
    sub.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1", help="127.0.0.1")
    sub.add_argument("--port", metavar="N", type=port, default=8765, help="8765; 0: a free one")
    sub.add_argument("--url", default="", help="by what browsers reach it, behind a proxy")
    token = sub.add_argument(
        "--token-file", metavar="FILE", type=Path, help="token in it; else a new one each start"
    )
    completes(token, "FILE")
    _fleet_option(sub)
    sub.add_argument("--seats", metavar="N", type=whole, default=4, help="viewers at once; 4")


def completion(sub: OneLineParser) -> None:
    """``completion``."""
    sub.add_argument("shell", choices=SHELLS, help="shell")


def guard(sub: OneLineParser) -> None:
    """``guard``."""
    sub.add_argument("--healer", metavar="NAME", required=True, help="healer that acts")
    sub.add_argument("--intent", metavar="I", required=True, help="VERB key=value ...")
    sub.add_argument("--check", metavar="CMD", help="shell command that verifies the effect")
    sub.add_argument("--rate", metavar="R", help="tokens per second; 0.0167")
    sub.add_argument("--burst", metavar="N", type=whole, help="tokens at most; 3")
    sub.add_argument("--max-failures", metavar="N", type=whole, help="failures that open it; 3")
    sub.add_argument(
        "--cooldown", metavar="S", type=whole_seconds, help="time for which it is open"
    )
    sub.add_argument("--bucket", metavar="S", type=whole_seconds, help="one act in this time; 5m")
    sub.add_argument("--settle", metavar="S", type=seconds, help="wait before the check; 5s")
    sub.add_argument("--timeout", metavar="S", type=seconds, help="end the command after; 60s")
    sub.add_argument("--dry-run", action="store_true", help="write what would be done")


def heal(sub: OneLineParser) -> None:
    """``heal``."""
    completes(
        sub.add_argument("file", metavar="FILE", type=existing_file, help="declaration"), "FILE"
    )
    sub.add_argument("--once", action="store_true", help="run one cycle and end")
    sub.add_argument("--detect", action="store_true", help="print the fact and end")
    sub.add_argument("--plan", action="store_true", help="print fact, intent and verdict as JSON")
    sub.add_argument("--dry-run", action="store_true", help="write what would be done")
    sub.add_argument("--interval", metavar="S", type=seconds, help="time between cycles")


def demo(sub: OneLineParser) -> None:
    """``demo``."""
    sub.add_argument(
        "what", metavar="fix|env", nargs="?", choices=("fix", "env"),
        help="fix: repair the demo that runs; env: print what points a shell's commands at it",
    )  # fmt: skip
    how = sub.add_mutually_exclusive_group()
    how.add_argument("--script", action="store_true", help="play the story without a terminal")
    how.add_argument("--bad", action="store_true", help="run it without guardrails, and compare")
    sub.add_argument(
        "--pace", metavar="N", type=whole, choices=range(1, 5), default=1,
        help="tell the story N times as fast, up to 4",
    )  # fmt: skip
