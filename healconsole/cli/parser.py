"""The command line: every command, its options, and the function that runs it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from healconsole.cli import manual, manualacts, manualhost
from healconsole.cli.completing import completes
from healconsole.cli.options import (
    OneLineParser,
    common_options,
    duration,
    existing_file,
    percent,
    port,
    seconds,
    whole,
    whole_seconds,
)

Command = Callable[[argparse.Namespace], int]

LANGUAGES = ("bash", "python", "toml")

SHELLS = ("bash", "zsh", "fish")

PLUGIN_UNKNOWN = 3
"""Exit code of a plugin that can say nothing: 1 and 2 would be alarms."""


def split_command_line(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Part the program's own arguments from the command behind ``--``, which guard runs.

    >>> split_command_line(["guard", "--healer", "x", "--", "ls", "--", "-l"])
    (['guard', '--healer', 'x'], ['ls', '--', '-l'])
    >>> split_command_line(["status"])
    (['status'], None)
    """
    arguments = list(argv)
    if "--" not in arguments:
        return arguments, None
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


class _Version(argparse.Action):
    """``--version``, which looks up the installed version only when asked."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(
            option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="print the version"
        )

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"healconsole {version('healconsole')}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole program."""
    common = common_options()
    parser = OneLineParser(
        prog="healconsole",
        usage=manual.USAGE[""],
        description=manual.PROGRAM,
        epilog=manual.PROGRAM_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version)
    parser.add_argument("--wall", action="store_true", help="big, read-only, for four metres")
    parser.add_argument("--fleet", action="store_true", help="all hosts that publish in Redis")
    parser.set_defaults(entry="healconsole.cli.screen:run", verb="")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="verb", prog="healconsole"
    )

    def command(name: str, entry: str, says: str, end: str) -> OneLineParser:
        sub = commands.add_parser(
            name,
            usage=manual.USAGE[name],
            help=says,
            description=says[:1].upper() + says[1:] + ".",
            epilog=end,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common],
            allow_abbrev=False,
        )
        sub.set_defaults(entry=f"healconsole.cli.{entry}")
        return sub

    _add_looks(command)
    _add_report(command)
    _add_acts(command)
    _add_operations(command)
    _add_library(command)
    return parser


AddCommand = Callable[[str, str, str, str], OneLineParser]


def _json_option(sub: argparse.ArgumentParser, says: str = "print one JSON object") -> None:
    sub.add_argument("--json", action="store_true", help=says)


def _add_looks(command: AddCommand) -> None:
    status = command("status", "status:run", "show the healers once", manual.STATUS)
    names = status.add_argument("names", metavar="NAME", nargs="*", help="healers; else all")
    completes(names, "NAME")
    status.add_argument(
        "--fleet", action="store_true", default=argparse.SUPPRESS, help="of all hosts in Redis"
    )
    _json_option(status)

    tail = command("tail", "tail:run", "show the end of the audit log", manual.TAIL)
    tail.add_argument("-n", "--lines", type=whole, default=20, help="how many events; 20")
    tail.add_argument("-f", "--follow", action="store_true", help="go on with what is appended")
    tail.add_argument("--filter", metavar="F", default="", help="only events that match")
    _json_option(tail, "print the events as they are in the log, one JSON object a line")

    explain = command(
        "explain", "explain:run", "say whether a healer would act now, and why", manual.EXPLAIN
    )
    completes(explain.add_argument("name", metavar="NAME", help="healer"), "NAME")
    explain.add_argument("--intent", metavar="I", help="ask for this intent, not its latest")
    _json_option(explain)

    locks = command("locks", "locks:run", "show the fleet locks in Redis", manual.LOCKS)
    _json_option(locks)

    verify = command("verify", "verify:run", "verify the chain of the audit log", manual.VERIFY)
    files = verify.add_argument(
        "files", metavar="FILE", type=Path, nargs="*", help="these; else the log and its rotations"
    )
    completes(files, "FILE")
    verify.add_argument("--expect", metavar="HASH", help="an event of this hash must be there")
    _json_option(verify)


def _add_report(command: AddCommand) -> None:
    report = command(
        "report", "report:run", "report what healers did, or if one may go on", manual.REPORT
    )
    names = report.add_argument("names", metavar="NAME", nargs="*", help="healers; else all")
    completes(names, "NAME")
    report.add_argument("--since", metavar="T", help="begin; 7d, or the days of the step")
    report.add_argument("--until", metavar="T", help="end; now")
    logs = report.add_argument(
        "--log", metavar="FILE", type=Path, nargs="+", help="read these, not --audit; any host's"
    )
    completes(logs, "FILE")
    report.add_argument(
        "--format", choices=("markdown", "json", "html"), help="markdown, or what --output ends in"
    )
    output = report.add_argument("--output", metavar="FILE", type=Path, help="write it there")
    completes(output, "FILE")
    _json_option(report)
    rollout = report.add_argument_group("promotion evidence")
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


def _act(command: AddCommand, name: str, says: str, end: str) -> argparse.ArgumentParser:
    sub = command(name, f"acts:{name.replace('-', '_')}", says, end)
    completes(sub.add_argument("name", metavar="NAME", help="healer"), "NAME")
    sub.add_argument(
        "--reason", metavar="R", required=True, help="why, for whoever reads the audit log"
    )
    sub.add_argument("--incident", metavar="I", default="", help="incident that it belongs to")
    return sub


def _stop(command: AddCommand, name: str, says: str, end: str) -> argparse.ArgumentParser:
    sub = command(name, f"halting:{name}", says, end)
    whom = sub.add_mutually_exclusive_group()
    completes(whom.add_argument("--healer", metavar="NAME", help="only this healer"), "NAME")
    whom.add_argument("--hosts", metavar="PATTERN", help="only these hosts: web-*")
    if name == "resume":
        whom.add_argument("--storm", metavar="SCOPE", help="release the storm brake of this scope")
    sub.add_argument(
        "--reason", metavar="R", required=True, help="why, for whoever reads the audit log"
    )
    sub.add_argument("--incident", metavar="I", default="", help="incident that it belongs to")
    return sub


def _add_acts(command: AddCommand) -> None:
    trip = _act(command, "trip", "force a breaker, or a whole healer, open", manualacts.TRIP)
    trip.add_argument("--scope", metavar="S", help="only this scope; else the whole healer")
    trip.add_argument(
        "--for",
        dest="duration",
        metavar="TIME",
        type=duration,
        help="10m, 90s, 1h30m; until a reset if not given",
    )

    reset = _act(command, "reset", "let a healer act again", manualacts.RESET)
    reset.add_argument("--scope", metavar="S", help="only this scope; else every scope")
    reset.add_argument(
        "--to", choices=("half-open", "closed"), default="half-open", help="half-open"
    )

    dry = _act(command, "dry-run", "turn rehearsal on or off", manualacts.DRY_RUN)
    dry.add_argument("switch", choices=("on", "off"), help="on: write only; off: act")

    release = _act(command, "release", "take back a hold on a healer", manualacts.RELEASE)
    for sub in (trip, reset, dry, release):
        sub.add_argument(
            "--break-glass", action="store_true", help="go without the second person, loudly"
        )

    approve = command(
        "approve", "acts:approve", "approve what another person asked", manualacts.APPROVE
    )
    approve.add_argument("id", metavar="ID", nargs="?", help="request; else list what waits")
    approve.add_argument("--reason", metavar="R", default="", help="why you approve it")

    halt = _stop(command, "halt", "stop every healer of the fleet, or some", manualacts.HALT)
    halt.add_argument(
        "--for",
        dest="duration",
        metavar="TIME",
        type=duration,
        help="10m; until resumed if not given",
    )
    _stop(command, "resume", "end a halt, or a storm", manualacts.RESUME)

    broken = command(
        "break-lock", "halting:break_lock", "take a lock from its holder", manualacts.BREAK_LOCK
    )
    broken.add_argument("key", metavar="KEY", help="the lock, without heal:lock:")
    broken.add_argument("--token", metavar="T", required=True, help="owner, as locks --json says")
    broken.add_argument(
        "--reason", metavar="R", required=True, help="why, for whoever reads the audit log"
    )
    broken.add_argument("--incident", metavar="I", default="", help="incident that it belongs to")

    cycle = _act(command, "run", "run one guarded cycle now", manualacts.RUN)
    cycle.set_defaults(entry="healconsole.cli.cycle:run")


def _add_operations(command: AddCommand) -> None:
    publish = command("publish", "publish:run", "tell the fleet of this host", manualhost.PUBLISH)
    publish.add_argument("--once", action="store_true", help="tell once, and end")
    publish.add_argument("--leave", action="store_true", help="take this host off the fleet")
    publish.add_argument(
        "--lease", metavar="TIME", type=seconds, default=15.0, help="lost without a word for; 15s"
    )

    init = command("init", "init:run", "write a new healer and its service files", manualhost.INIT)
    init.add_argument("name", metavar="NAME", help="healer to be")
    init.add_argument("--lang", choices=LANGUAGES, required=True, help="bash, python or toml")
    folder = init.add_argument("--dir", metavar="DIR", type=Path, help="write there; ./NAME")
    completes(folder, "DIR")
    prefix = init.add_argument("--prefix", metavar="DIR", default="/usr/local", help="/usr/local")
    completes(prefix, "DIR")
    init.add_argument("--owner", metavar="TEAM", default="team-sre", help="who owns it; team-sre")
    init.add_argument("--runbook", metavar="URL", help="what its alerts lead to")

    check = command("check", "check:run", "answer as a Nagios or Icinga plugin", manualhost.CHECK)
    completes(check.add_argument("names", metavar="NAME", nargs="*", help="healers"), "NAME")
    check.usage_code = PLUGIN_UNKNOWN

    gc = command(
        "gc", "gc:run", "remove markers, shadows and claims that have served", manualhost.GC
    )
    completes(gc.add_argument("names", metavar="NAME", nargs="*", help="healers; else all"), "NAME")
    gc.add_argument("--age", metavar="TIME", type=seconds, help="keep what is younger; 1d")
    gc.add_argument("--dry-run", action="store_true", help="list, and remove nothing")
    _json_option(gc)

    doctor = command("doctor", "doctor:run", "find footguns on this host", manualhost.DOCTOR)
    names = doctor.add_argument("names", metavar="NAME", nargs="*", help="healers; else all")
    completes(names, "NAME")
    for flag, says in (
        ("--units", "unit files; those of systemd"),
        ("--tmpfiles", "tmpfiles.d; those of systemd"),
        ("--logrotate", "logrotate.d; /etc/logrotate.d"),
        ("--rules", "Prometheus rules; below /etc/prometheus"),
        ("--cron", "crontabs; /etc/cron.*"),
    ):
        where = doctor.add_argument(flag, metavar="DIR", action="append", help=says)
        completes(where, "DIR")
    doctor.add_argument(
        "--skip", metavar="ID", action="append", default=[], help="leave out this finding"
    )
    doctor.add_argument(
        "--disk-free", metavar="PERCENT", type=percent, default=10, help="least free space; 10"
    )
    _json_option(doctor)


def _add_library(command: AddCommand) -> None:
    _add_serve(command)

    command("heal-sh", "library:heal_sh", "print the path of heal.sh", manualhost.HEAL_SH)

    completion = command(
        "completion", "library:completion", "print completion for a shell", manualhost.COMPLETION
    )
    completion.add_argument("shell", choices=SHELLS, help="shell")

    _add_guard(command)

    heal = command("heal", "library:heal", "run a healer declared in TOML", manualhost.HEAL)
    completes(
        heal.add_argument("file", metavar="FILE", type=existing_file, help="declaration"), "FILE"
    )
    heal.add_argument("--once", action="store_true", help="run one cycle and end")
    heal.add_argument("--detect", action="store_true", help="print the fact and end")
    heal.add_argument("--plan", action="store_true", help="print fact, intent and verdict as JSON")
    heal.add_argument("--dry-run", action="store_true", help="write what would be done")
    heal.add_argument("--interval", metavar="S", type=seconds, help="time between cycles")

    demo = command("demo", "library:demo", "run a private site that really breaks", manualhost.DEMO)
    demo.add_argument("what", metavar="fix", nargs="?", choices=("fix",), help="repair it")
    how = demo.add_mutually_exclusive_group()
    how.add_argument("--script", action="store_true", help="play the story without a terminal")
    how.add_argument("--bad", action="store_true", help="run it without guardrails, and compare")
    demo.add_argument(
        "--pace", metavar="N", type=whole, choices=range(1, 5), default=1,
        help="tell the story N times as fast, up to 4",
    )  # fmt: skip


def _add_serve(command: AddCommand) -> None:
    serve = command("serve", "serve:run", "show the wall in browsers, read-only", manualhost.SERVE)
    serve.add_argument("--bind", metavar="ADDRESS", default="127.0.0.1", help="127.0.0.1")
    serve.add_argument("--port", metavar="N", type=port, default=8765, help="8765; 0: a free one")
    serve.add_argument("--url", default="", help="by what browsers reach it, behind a proxy")
    token = serve.add_argument(
        "--token-file", metavar="FILE", type=Path, help="token in it; else a new one each start"
    )
    completes(token, "FILE")
    serve.add_argument(
        "--fleet", action="store_true", default=argparse.SUPPRESS, help="of all hosts in Redis"
    )
    serve.add_argument("--seats", metavar="N", type=whole, default=4, help="viewers at once; 4")


def _add_guard(command: AddCommand) -> None:
    guard = command(
        "guard", "library:guard", "put any command behind the guardrails", manualhost.GUARD
    )
    guard.add_argument("--healer", metavar="NAME", required=True, help="healer that acts")
    guard.add_argument("--intent", metavar="I", required=True, help="VERB key=value ...")
    guard.add_argument("--check", metavar="CMD", help="shell command that verifies the effect")
    guard.add_argument("--rate", metavar="R", help="tokens per second; 0.0167")
    guard.add_argument("--burst", metavar="N", type=whole, help="tokens at most; 3")
    guard.add_argument("--max-failures", metavar="N", type=whole, help="failures that open it; 3")
    guard.add_argument(
        "--cooldown", metavar="S", type=whole_seconds, help="time for which it is open"
    )
    guard.add_argument("--bucket", metavar="S", type=whole_seconds, help="one act in this time; 5m")
    guard.add_argument("--settle", metavar="S", type=seconds, help="wait before the check; 5s")
    guard.add_argument("--timeout", metavar="S", type=seconds, help="end the command after; 60s")
    guard.add_argument("--dry-run", action="store_true", help="write what would be done")
