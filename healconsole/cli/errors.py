"""How a command ends when it cannot do what was asked: one line, and an exit code."""

from __future__ import annotations

DONE = 0
REFUSED = 1
USAGE = 2
INTERRUPTED = 130


class CommandError(Exception):
    """A command that ends here. The message is one line, or a line and its evidence.

    ``code`` is the exit code: 1 refused or failed, 2 usage.
    """

    code = REFUSED


class RefusedError(CommandError):
    """What was asked is understood and was not done; the message says what is still true."""

    code = REFUSED


class UsageError(CommandError):
    """The command line or the configuration cannot be understood; nothing was read."""

    code = USAGE
