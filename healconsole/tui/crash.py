"""What is said when the console itself fails."""

from __future__ import annotations

import sys
import traceback

from rich.text import Text

from healconsole import __version__
from healconsole.core.text import visible


def report() -> Text:
    """Return the report of the exception that is being handled.

    It tells where, never with which values: variables may hold the password of Redis, and
    messages may hold text from outside, which is made displayable.
    """
    kind, error, trace = sys.exc_info()
    lines = [f"healconsole {__version__} failed; nothing that it showed was changed by this."]
    lines += [
        f"  {frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(trace)
    ]
    name = "no exception" if kind is None else kind.__name__
    lines.append(f"{name}: {error}" if error is not None else name)
    return Text("\n".join(visible(line) for line in lines), overflow="fold")
