"""The command line: every command, and the function that runs it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

from healconsole import __version__
from healconsole.cli import arguments as takes
from healconsole.cli import manual, manualacts, manualhost
from healconsole.cli.options import HelpPage, OneLineParser, common_options


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
    """``--version``."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(
            option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="print the version"
        )

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"healconsole {__version__}")
        parser.exit()


class Command(NamedTuple):
    """A command of the program."""

    name: str
    entry: str
    """The function that runs it: its module in `healconsole.cli`, a colon, its name."""
    says: str
    end: str
    """What stands below its options in its ``--help``."""
    takes: Callable[[OneLineParser], None]


_COMMANDS: Final = (
    Command("status", "status:run", "show the healers once", manual.STATUS, takes.status),
    Command("tail", "tail:run", "show the end of the audit log", manual.TAIL, takes.tail),
    Command(
        "explain",
        "explain:run",
        "say whether a healer would act now, and why",
        manual.EXPLAIN,
        takes.explain,
    ),
    Command("locks", "locks:run", "show the fleet locks in Redis", manual.LOCKS, takes.only_json),
    Command(
        "verify", "verify:run", "verify the chain of the audit log", manual.VERIFY, takes.verify
    ),
    Command(
        "report",
        "report:run",
        "report what healers did, or if one may go on",
        manual.REPORT,
        takes.report,
    ),
    Command(
        "trip", "acts:trip", "force a breaker, or a whole healer, open", manualacts.TRIP, takes.trip
    ),
    Command("reset", "acts:reset", "let a healer act again", manualacts.RESET, takes.reset),
    Command(
        "dry-run", "acts:dry_run", "turn rehearsal on or off", manualacts.DRY_RUN, takes.dry_run
    ),
    Command(
        "release", "acts:release", "take back a hold on a healer", manualacts.RELEASE, takes.release
    ),
    Command("undo", "acts:undo", "take the last act back", manualacts.UNDO, takes.undo),
    Command(
        "approve",
        "acts:approve",
        "approve what another person asked",
        manualacts.APPROVE,
        takes.approve,
    ),
    Command(
        "decline",
        "acts:decline",
        "take a request for a second person away",
        manualacts.DECLINE,
        takes.decline,
    ),
    Command(
        "halt",
        "halting:halt",
        "stop every healer of the fleet, or some",
        manualacts.HALT,
        takes.halt,
    ),
    Command("resume", "halting:resume", "end a halt, or a storm", manualacts.RESUME, takes.resume),
    Command(
        "break-lock",
        "halting:break_lock",
        "take a lock from its holder",
        manualacts.BREAK_LOCK,
        takes.break_lock,
    ),
    Command("run", "cycle:run", "run one guarded cycle now", manualacts.RUN, takes.act),
    Command(
        "publish", "publish:run", "tell the fleet of this host", manualhost.PUBLISH, takes.publish
    ),
    Command(
        "init", "init:run", "write a new healer and its service files", manualhost.INIT, takes.init
    ),
    Command(
        "check", "check:run", "answer as a Nagios or Icinga plugin", manualhost.CHECK, takes.check
    ),
    Command(
        "gc",
        "gc:run",
        "remove markers, shadows and claims that have served",
        manualhost.GC,
        takes.gc,
    ),
    Command("doctor", "doctor:run", "find footguns on this host", manualhost.DOCTOR, takes.doctor),
    Command(
        "serve", "serve:run", "show the wall in browsers, read-only", manualhost.SERVE, takes.serve
    ),
    Command(
        "heal-sh", "library:heal_sh", "print the path of heal.sh", manualhost.HEAL_SH, takes.nothing
    ),
    Command(
        "completion",
        "library:completion",
        "print completion for a shell",
        manualhost.COMPLETION,
        takes.completion,
    ),
    Command(
        "guard",
        "library:guard",
        "put any command behind the guardrails",
        manualhost.GUARD,
        takes.guard,
    ),
    Command("heal", "library:heal", "run a healer declared in TOML", manualhost.HEAL, takes.heal),
    Command(
        "demo", "library:demo", "run a private site that really breaks", manualhost.DEMO, takes.demo
    ),
)


def build_parser(words: Collection[str] | None = None) -> argparse.ArgumentParser:
    """The parser of the program.

    Args:
        words: the command line that it is for: a command that is not in it has its name here
            and no parser, which would take longer than to import half of the program. None:
            every command gets its own.
    """
    common = common_options()
    parser = OneLineParser(
        prog="healconsole",
        usage=manual.USAGE[""],
        description=manual.PROGRAM,
        epilog=manual.PROGRAM_END,
        formatter_class=HelpPage,
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
    for command in _COMMANDS:
        if words is not None and command.name not in words:
            commands.add_parser(command.name, help=command.says, named=False)
            continue
        sub = commands.add_parser(
            command.name,
            usage=manual.USAGE[command.name],
            help=command.says,
            description=f"{command.says[:1].upper()}{command.says[1:]}.",
            epilog=command.end,
            formatter_class=HelpPage,
            parents=[common],
            allow_abbrev=False,
        )
        sub.set_defaults(entry=f"healconsole.cli.{command.entry}")
        command.takes(sub)
    return parser
