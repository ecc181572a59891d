"""Man pages from the parser: one for the program, one for each command.

argparse has no public list of its arguments, so this reads its private ones.

The pages are made when a wheel is built (``hatch_build.py``), so they say what that wheel's
``--help`` says. The format is that of man(7).
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Final

_HEADING: Final = re.compile(r"(examples|exit codes|files):[ ]*(.*)", re.DOTALL)


def man_pages(parser: argparse.ArgumentParser, version: str) -> dict[str, str]:
    """Every page, by its file name such as ``healconsole-trip.1``."""
    commands = {
        name: sub
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, sub in action.choices.items()
    }
    program = parser.prog
    pages = {program: _page(parser, program, version, [f"{program}-{name}" for name in commands])}
    for name, sub in commands.items():
        pages[f"{program}-{name}"] = _page(sub, f"{program}-{name}", version, [program])
    return {f"{name}.1": text for name, text in pages.items()}


def roff(text: str) -> str:
    r"""``text`` so that roff prints it as it is.

    >>> print(roff("'a' -- C:\\x"))
    \(aqa\(aq \-\- C:\ex
    """
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    escaped = escaped.replace("^", "\\(ha").replace("~", "\\(ti").replace("`", "\\(ga")
    return re.sub(r"^\.", r"\\&.", escaped, flags=re.MULTILINE)


def _page(parser: argparse.ArgumentParser, name: str, version: str, see: list[str]) -> str:
    says = " ".join((parser.description or "").split())
    summary = says.partition(". ")[0].partition(":")[0].rstrip(".")
    lines = [
        f'.TH "{roff(name.upper())}" 1 "" "healconsole {roff(version)}" "User Commands"',
        ".SH NAME",
        f"{roff(name)} \\- {roff(summary[:1].lower() + summary[1:])}",
        ".SH SYNOPSIS",
        ".nf",
        *(roff(line.strip()) for line in (parser.usage or parser.format_usage()).splitlines()),
        ".fi",
        ".SH DESCRIPTION",
        *_paragraphs(parser.description or ""),
    ]
    told, sections = _told(parser.epilog or "")
    lines += told
    for group in parser._action_groups:
        lines += _options(group)
    lines += [*sections, ".SH SEE ALSO", ", ".join(f"\\fB{roff(other)}\\fP(1)" for other in see)]
    return "\n".join(lines) + "\n"


def _options(group: argparse._ArgumentGroup) -> Iterator[str]:
    """The arguments of one group; nothing if it has none to show."""
    shown = [a for a in group._group_actions if a.help != argparse.SUPPRESS]
    if not shown:
        return
    yield f".SH {roff((group.title or 'options').upper())}"
    if group.description:
        yield from _paragraphs(group.description)
    for action in shown:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                yield from (".TP", f"\\fB{roff(choice.dest)}\\fP", roff(choice.help or ""))
            continue
        yield from (".TP", _spelled(action), roff((action.help or "") % vars(action)))


def _spelled(action: argparse.Action) -> str:
    """An argument as one types it: flags bold, what one fills in italic."""
    value = action.metavar if isinstance(action.metavar, str) else ""
    if not value and action.choices is not None:
        value = "|".join(map(str, action.choices))
    if not value and action.nargs != 0:
        value = action.dest.upper()
    filled = f"\\fI{roff(value)}\\fP"
    flags = ", ".join(f"\\fB{roff(flag)}\\fP" for flag in action.option_strings)
    if not flags:
        return filled
    return flags if action.nargs == 0 else f"{flags} {filled}"


def _told(epilog: str) -> tuple[list[str], list[str]]:
    """The end of a help page: what belongs to the description, and what has headings."""
    told: list[str] = []
    sections: list[str] = []
    for paragraph in epilog.strip("\n").split("\n\n"):
        if found := _HEADING.fullmatch(paragraph):
            sections += [f".SH {found[1].upper()}", *_paragraphs(found[2].lstrip("\n"))]
        else:
            # What follows a heading without one of its own belongs to the description.
            told += _paragraphs(paragraph)
    return told, sections


def _paragraphs(text: str) -> Iterator[str]:
    """Text as filled paragraphs, and its indented lines as they stand."""
    for paragraph in text.strip("\n").split("\n\n"):
        if not paragraph.strip():
            continue
        yield ".PP"
        verbatim = False
        for line in paragraph.splitlines():
            if line.startswith("  ") is not verbatim:
                verbatim = not verbatim
                yield ".RS 2\n.nf" if verbatim else ".fi\n.RE"
            yield roff(line.removeprefix("  ") if verbatim else line)
        if verbatim:
            yield ".fi\n.RE"
