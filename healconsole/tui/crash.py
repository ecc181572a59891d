"""What is said when the console itself fails."""

from __future__ import annotations

import traceback

from rich.text import Text

from healconsole import __version__
from healconsole.core.pattern import pattern
from healconsole.core.text import visible

_SECRETS = (
    # The user and password of an address, up to the last @ before its host ends.
    (pattern(r"(\w://)[^\s/]*@"), r"\1…@"),
    (
        pattern(
            r"(?i)(pass(?:word|wd|phrase)?|secret|token|api_?key|authorization)"
            r"(['\"]?\s*[=:]\s*)(?:'[^']*'|\"[^\"]*\"|\S+(?: \S+)?)"
        ),
        r"\1\2…",
    ),
)


def report(error: BaseException) -> Text:
    """Return the report of a failure.

    It tells where, never with which values: variables may hold the password of Redis, and
    messages may hold text from outside, which is made displayable, or an address with a
    password, which is taken out.
    """
    lines = [f"healconsole {__version__} failed; nothing that it showed was changed by this."]
    lines += [
        f"  {frame.filename}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    said = without_secrets(str(error))
    lines.append(f"{type(error).__name__}: {said}" if said else type(error).__name__)
    return Text("\n".join(visible(line) for line in lines), overflow="fold")


def without_secrets(text: str) -> str:
    """Return ``text`` without what looks like a secret.

    >>> without_secrets("redis://ops:hunter2@db:6379/0 refused password='a b', token: x")
    'redis://…@db:6379/0 refused password=…, token: …'
    """
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    return text
