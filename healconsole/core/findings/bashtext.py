"""What the text of a bash program tells, line by line. Heuristics: their limits are in the manual.

Nothing is parsed as bash is, and nothing is run. Comments are left out; strings are kept, for a
command substitution may stand in them, except where a word in single quotes is another language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_COMMENT: Final = re.compile(r"(^|\s)#.*$")
_SINGLE_QUOTED: Final = re.compile(r"'[^']*'")

_ZERO: Final = r"""['"]?0(?:\\n)?['"]?\s*(?:$|[;)|&}`])"""
_ERROR_AS_ZERO: Final = re.compile(
    rf"\|\|\s*(?:\{{\s*)?(?:"
    rf"echo\s+(?:-[a-z]+\s+)?{_ZERO}"
    rf"|printf\s+(?:--\s+)?(?:['\"]%[sd](?:\\n)?['\"]\s+)?{_ZERO}"
    rf"|(?:local\s+)?[A-Za-z_]\w*={_ZERO})"
)
_DECIMAL: Final = r"(?<![\w.%$}/-])[0-9]*\.[0-9]+(?![\w./])"
_ARITHMETIC: Final = re.compile(rf"\(\((?:(?!\)\)).)*?{_DECIMAL}")
_COMPARED: Final = re.compile(
    rf"\s-(?:gt|lt|ge|le|eq|ne)\s+['\"]?{_DECIMAL}|{_DECIMAL}['\"]?\s+-(?:gt|lt|ge|le|eq|ne)\s"
)
_STRINGLY: Final = re.compile(rf"\[\[\s[^]]*\s[<>]\s*['\"]?{_DECIMAL}")
_LET: Final = re.compile(rf"(?:^|[;&|]\s*)(?:let|expr)\s[^;|&]*{_DECIMAL}")

_FUNCTION: Final = re.compile(r"^\s*(?:function\s+)?([A-Za-z_][\w-]*)\s*\(\s*\)\s*\{?(.*)$")
_ACTS: Final = re.compile(
    r"(?:^|[;&|({]\s*|\b(?:sudo|then|do|else)\s+)(?:"
    r"systemctl\s+(?:-\S+\s+)*(?:restart|start|stop|kill|reload)\b"
    r"|service\s+\S+\s+(?:restart|start|stop)\b|(?:docker|podman|kubectl)\s+(?:restart|stop|kill|delete)\b"
    r"|kill\s+(?!-0\b|-l\b|-s\s+0\b)|pkill\b|killall\b|rm\s|reboot\b|shutdown\b)"
)
_ALWAYS_TRUE: Final = re.compile(r"\s*(?:true|:|return\s+0|return)\s*;?\s*\}?\s*")
_OURS: Final = re.compile(r"(?:^|[\s;&|(])(?:heal_main|heal_act_with_guardrails)\s")
_SOURCED: Final = re.compile(
    r"(?:^|[\s;&|])(?:source|\.)\s+[^;|&]*heal(?:\.sh|-sh|_SH)", re.IGNORECASE
)
_GUARD_COMMAND: Final = re.compile(r"\bhealconsole\s+(?:\S+\s+)*?guard\s")
NO_CHECKS: Final = frozenset({"true", ":", "/bin/true", "/usr/bin/true", ""})


class Line(NamedTuple):
    """A line of a program: its number and its text without a comment."""

    number: int
    text: str


def lines(text: str) -> list[Line]:
    r"""Return the lines that are not empty without their comments; a continued one is one line.

    >>> lines("a # b\n\n# c\nd \\\n e")
    [Line(number=1, text='a'), Line(number=4, text='d   e')]
    """
    found: list[Line] = []
    continued = False
    for number, line in enumerate(text.splitlines(), start=1):
        bare = _without_comment(line)
        more = bare.endswith("\\")
        bare = bare[:-1] + " " if more else bare
        if continued:
            found[-1] = Line(found[-1].number, found[-1].text + bare)
        elif bare.strip():
            found.append(Line(number, bare))
        continued = more and (continued or bool(bare.strip()))
    return found


def _without_comment(line: str) -> str:
    for match in re.finditer(r"(?:^|\s)#", line):
        before = line[: match.start()]
        if before.count("'") % 2 == 0 and before.count('"') % 2 == 0:
            return before.rstrip()
    return line.rstrip()


def errors_as_zero(program: list[Line]) -> list[Line]:
    r"""Return the lines that turn a failure into a zero.

    >>> [bool(errors_as_zero(lines(t))) for t in ("n=$(x || echo 0)", "x || n=0", "x || n=ERROR")]
    [True, True, False]
    """
    return [line for line in program if _ERROR_AS_ZERO.search(line.text)]


def float_maths(program: list[Line]) -> list[Line]:
    r"""Return the lines that hand a decimal fraction to bash's integers, or compare it as text.

    >>> [bool(float_maths(lines(t))) for t in ("((x > 1.5))", "[ $a -gt .5 ]", "awk '((x > 1.5))'")]
    [True, True, False]
    """
    found = []
    for line in program:
        text = _SINGLE_QUOTED.sub("''", line.text)
        if any(rule.search(text) for rule in (_ARITHMETIC, _COMPARED, _STRINGLY, _LET)):
            found.append(line)
    return found


def functions(program: list[Line]) -> Iterator[tuple[str, list[Line]]]:
    """Return name and body of each function: up to a line that begins with ``}``, or its own."""
    name, body = "", list[Line]()
    for line in program:
        if name:
            if line.text.startswith("}"):
                yield name, body
                name, body = "", []
            else:
                body.append(line)
            continue
        found = _FUNCTION.match(line.text)
        if found and found[2].rstrip().endswith("}"):
            yield found[1], [Line(line.number, found[2].rstrip()[:-1])]
        elif found:
            name, body = found[1], [Line(line.number, found[2])] if found[2].strip() else []


def acts_in_detect(program: list[Line]) -> list[Line]:
    """Return the lines of functions named detect that change the world."""
    return [
        line
        for name, body in functions(program)
        if name.startswith("detect")
        for line in body
        if _ACTS.search(line.text.strip())
    ]


def is_guarded(program: list[Line]) -> bool:
    """Whether a library's guardrails, or ``healconsole guard``, are what acts."""
    text = "\n".join(line.text for line in program)
    return bool(_GUARD_COMMAND.search(text) or (_SOURCED.search(text) and _OURS.search(text)))


def unverified(program: list[Line]) -> list[Line]:
    """Return the lines that act behind guardrails without a check, or with one that is no check."""
    hollow = {
        name
        for name, body in functions(program)
        if all(_ALWAYS_TRUE.fullmatch(line.text) for line in body)
    }
    return [line for line in program if _lacks_check(line.text, hollow | NO_CHECKS)]


def _lacks_check(text: str, hollow: frozenset[str] | set[str]) -> bool:
    for call, place in (("heal_main", 3), ("heal_act_with_guardrails", 2)):
        found = re.search(rf"(?:^|[\s;&|({{!]){call}\s+(.*)", text)
        if found and not re.match(r"\s*\(\)", found[1]):
            words = _words(found[1])
            if len(words) <= place or words[place].strip("\"'") in hollow | {"$@"}:
                return True
    guard = _GUARD_COMMAND.search(text)
    return bool(guard and " -- " in text and "--check" not in text[: text.index(" -- ")])


def _words(text: str) -> list[str]:
    """The words of the first command in ``text``; a quoted text is one word."""
    first = re.match(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\$\([^)]*\)|[^;|&"'])*""", text)
    return re.findall(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\S)+""", first[0] if first else "")
