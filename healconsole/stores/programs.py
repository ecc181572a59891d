"""The programs of healers: found from the command lines that start them, and read as text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from healconsole.core.findings.facts import TextFile
from healconsole.core.frozen import replace
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.hostfiles import read_text

_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_INTERPRETER: Final = re.compile(r"(?:ba|da)?sh|python[0-9.]*")
_SHELL: Final = re.compile(r"#!.*\b(?:ba|da)?sh\b")
_PYTHON: Final = re.compile(r"#!.*\bpython[0-9.]*\b")
_SUFFIXES: Final = {".sh": "bash", ".bash": "bash", ".py": "python", ".toml": "toml"}

Unexamined = tuple[str, str]
"""What was not looked at, and why."""


def read_programs(
    commands: Iterable[Sequence[str]],
) -> tuple[tuple[TextFile, ...], tuple[Unexamined, ...]]:
    """The programs that ``commands`` start, and what of them could not be looked at."""
    found: dict[str, TextFile] = {}
    unexamined: dict[str, str] = {}
    for command in commands:
        line = shlex.join(command)
        words = _without_environment(command)
        if words and words[0].rpartition("/")[2] == "healconsole" and "guard" in words[1:]:
            found[line] = TextFile(line, " ".join(words), "bash")
            continue
        path = program_of(words)
        if not path:
            unexamined[line] = "it names no program file"
            continue
        try:
            program = _languaged(TextFile(path, read_text(path)))
        except Missing:
            unexamined[path] = "it is not there"
            continue
        except Unreadable as error:
            unexamined[path] = error.why
            continue
        if program.language:
            found[path] = program
        else:
            unexamined[path] = "it is neither bash, Python nor a declaration in TOML"
    return tuple(found.values()), tuple(unexamined.items())


def program_of(command: Sequence[str]) -> str:
    """The file that a command line runs; empty if it names none.

    >>> program_of(["/usr/bin/bash", "-u", "/opt/h.sh", "--once"])
    '/opt/h.sh'
    >>> program_of(["/usr/bin/healconsole", "heal", "/etc/heal/q.toml", "--once"])
    '/etc/heal/q.toml'
    >>> program_of(["python3", "-m", "healers.queue"])
    ''
    """
    words = _without_environment(command)
    if not words:
        return ""
    base = words[0].rpartition("/")[2]
    rest = words[1:]
    if base == "healconsole":
        rest = rest[rest.index("heal") + 1 :] if "heal" in rest else []
    elif not _INTERPRETER.fullmatch(base):
        return words[0]
    elif {"-c", "-m"} & set(rest[:2]):
        return ""
    return next((word for word in rest if not word.startswith("-")), "")


def _without_environment(command: Sequence[str]) -> list[str]:
    words = list(command)
    if words and words[0].rpartition("/")[2] == "env":
        words = words[1:]
        while words and (words[0].startswith("-") or _ASSIGNMENT.fullmatch(words[0])):
            words = words[1:]
    return words


def _languaged(program: TextFile) -> TextFile:
    first = program.text.partition("\n")[0]
    if "\0" in program.text:
        return program
    for rule, language in ((_SHELL, "bash"), (_PYTHON, "python")):
        if rule.match(first):
            return replace(program, language=language)
    suffix = program.path[program.path.rfind(".") :]
    return replace(program, language=_SUFFIXES.get(suffix, ""))
