"""Findings in the programs of healers: guardrails that are not there, and detectors that lie."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from healconsole.core.findings import bashtext, pythontext
from healconsole.core.findings.facts import HealerFacts, TextFile
from healconsole.core.findings.finding import Finding

_EVIDENCE: Final = {
    "no-idempotency": r"idem|marker|keys/|sha256|already|dedup",
    "no-rate-limit": r"rate|token|burst|throttl|max_per|per_hour|per_day",
    "no-breaker": r"breaker|circuit|\bcb[_/-]|cooldown|max_fail",
    "no-verification": r"verif|\bcheck[_a-z]*\b|settle|still_",
}
"""Words of which a program that makes a guardrail by itself has at least one."""

_SAID: Final = {
    "no-idempotency": (
        "acts again on the same intent: nothing remembers that it acted",
        "one incident is acted on at every cycle for as long as it lasts, by every copy",
    ),
    "no-rate-limit": (
        "has no rate limit",
        "a wrong decision is carried out as fast as the loop turns, on everything in reach",
    ),
    "no-breaker": (
        "has no circuit breaker",
        "an act that does not help is repeated all night, and nobody is called",
    ),
    "no-verification": (
        "does not verify that its act helped",
        "an exit code of 0 counts as success: the breaker never opens on an act without effect",
    ),
    "error-as-zero": (
        "turns a failed measurement into a zero",
        "when the source is down, decide sees an empty queue, and acts on what nobody measured",
    ),
    "acts-in-detect": (
        "acts in its detect",
        "it passes no guardrail, happens in dry-run too, and no test of decide sees it",
    ),
    "float-in-bash": (
        "does float maths in bash",
        "bash counts in whole numbers: the line fails, or compares text, and decides at random",
    ),
}
_MENDS: Final = {
    "no-verification": "measure again after the act: a check function, verify, or --check",
    "error-as-zero": "let the fact say ERROR, and let decide ask for nothing then",
    "acts-in-detect": "move it into act, behind heal_act_with_guardrails or Healer.act",
    "float-in-bash": "count in whole units (millis, percent), or compare in awk",
}
_MEND_GUARD: Final = (
    "put the act behind the guardrails: heal_act_with_guardrails (source heal.sh), "
    "healconsole.Healer, or `healconsole guard ... -- CMD`"
)


def of_programs(healer: HealerFacts) -> list[Finding]:
    """Return the findings in the programs of one healer."""
    return [found for program in healer.programs for found in _of(healer.state.name, program)]


def _of(name: str, program: TextFile) -> list[Finding]:
    if program.language == "bash":
        return _of_bash(name, program)
    if program.language == "python":
        return _of_python(name, program)
    return _of_declaration(name, program)


def _of_bash(name: str, program: TextFile) -> list[Finding]:
    lines = bashtext.lines(program.text)
    found = [
        *_each("error-as-zero", name, program, [n for n, _ in bashtext.errors_as_zero(lines)]),
        *_each("acts-in-detect", name, program, [n for n, _ in bashtext.acts_in_detect(lines)]),
        *_each("float-in-bash", name, program, [n for n, _ in bashtext.float_maths(lines)]),
    ]
    if bashtext.is_guarded(lines):
        unverified = [number for number, _ in bashtext.unverified(lines)]
        return found + _each("no-verification", name, program, unverified)
    return found + _without_words(name, program, "\n".join(line.text for line in lines))


def _of_python(name: str, program: TextFile) -> list[Finding]:
    tree = pythontext.parsed(program.text)
    if tree is None:
        return []
    found = [
        *_each("error-as-zero", name, program, pythontext.errors_as_zero(tree)),
        *_each("acts-in-detect", name, program, pythontext.acts_in_detect(tree)),
    ]
    if pythontext.is_guarded(tree):
        return found + _each("no-verification", name, program, pythontext.unverified(tree))
    return found + _without_words(name, program, program.text)


def _of_declaration(name: str, program: TextFile) -> list[Finding]:
    try:
        verify = tomllib.loads(program.text).get("verify")
    except tomllib.TOMLDecodeError:
        return []
    if isinstance(verify, list) and len(verify) == 1 and verify[0] in bashtext.NO_CHECKS:
        return [_finding("no-verification", name, program.path)]
    return []


def _without_words(name: str, program: TextFile, text: str) -> list[Finding]:
    """The guardrails that a program of its own has no word for."""
    return [
        _finding(finding, name, program.path)
        for finding, words in _EVIDENCE.items()
        if not re.search(words, text, re.IGNORECASE)
    ]


def _each(finding: str, name: str, program: TextFile, numbers: list[int]) -> list[Finding]:
    return [_finding(finding, name, f"{program.path}:{number}") for number in numbers]


def _finding(finding: str, name: str, where: str) -> Finding:
    what, why = _SAID[finding]
    return Finding(finding, what, where, why, _MENDS.get(finding, _MEND_GUARD), name)
