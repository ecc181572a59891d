"""``check``: the healers as one line for Nagios or Icinga."""

from __future__ import annotations

import argparse
import sys
import time

from healconsole.cli.errors import CommandError
from healconsole.cli.output import complain, show
from healconsole.cli.settings import look, only, settings
from healconsole.cli.uncollected import uncollected
from healconsole.core.nagios import Answer, assess, unknown


def run(args: argparse.Namespace) -> int:
    """Print the line; return 0, 1, 2 or 3, as the format asks for, and nothing else."""
    try:
        with uncollected():
            config = settings(args)
            snapshot = only(look(config), args.names)
            answer = assess(snapshot, time.time(), config.thresholds)
    except CommandError as error:
        answer = unknown(str(error))
    except OSError as error:
        answer = unknown(f"{error.filename or 'state'}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - an exit code of 1 would say WARNING
        import traceback

        for line in traceback.format_exc().splitlines():
            complain(line)
        answer = unknown(f"healconsole failed: {type(error).__name__}")
    return _tell(answer)


def _tell(answer: Answer) -> int:
    show(answer.line)
    sys.stdout.flush()
    return int(answer.state)
