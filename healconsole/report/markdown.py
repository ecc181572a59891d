"""Reports in Markdown, for a ticket or a review."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from healconsole.core.report.report import Report, acts_by_host
from healconsole.core.report.rollout import Evidence, Judgement, Level
from healconsole.core.report.tally import USUAL, HealerTally
from healconsole.core.text import visible
from healconsole.report import telling

MOST_ROWS: Final = 50
"""Rows of one table; the rest is counted, and told in the JSON."""
MOST_DAYS: Final = 14
"""Days of a table with a column for each; the newest."""

_SPECIAL = re.compile(r"[\\`*\[\]<>|~&#$]|(?<![^\W_])_|_(?![^\W_])|://|@|www\.")
_LEVELS: Final = {Level.OK: "✔", Level.CAUTION: "!", Level.STOP: "✖"}


def plain(data: str, limit: int = 300) -> str:
    r"""Return data from outside as text that Markdown shows and does not obey.

    >>> plain("a|b <img src=x> [x](http://y)\n# *z* snake_case _u_")
    'a\\|b \\<img src=x\\> \\[x\\](http:\\//y)⏎\\# \\*z\\* snake_case \\_u\\_'
    """
    return _SPECIAL.sub(_escaped, visible(data, limit))


def report_markdown(report: Report) -> str:
    """The whole report."""
    lines = ["# What the healers did", "", telling.covered(report), ""]
    if report.healers:
        lines += _overview(report)
    else:
        lines += ["No event of a healer lies in this span.", ""]
    for healer in report.healers:
        lines += _healer(healer, report)
    return "\n".join([*lines, *_reading(report)]) + "\n"


def rollout_markdown(judgement: Judgement) -> str:
    """The evidence for a promotion."""
    evidence, following = judgement.evidence, judgement.next_step
    step, report = evidence.step, evidence.report
    goal = f"to the next step, {following.title}" if following else "as it is, on the whole fleet"
    lines = [
        f"# {judgement.word}: {plain(evidence.healer)}",
        "",
        f"**{judgement.word}** {goal}. {plain(judgement.reason)}",
        "",
        (
            f"Step: {step.title} ({step.days} day{'' if step.days == 1 else 's'}). "
            f"Evidence: {telling.covered(report)}, {len(evidence.hosts)} hosts seen, "
            f"a fleet of {evidence.fleet}."
        ),
        "",
        "## The questions",
        "",
    ]
    rows = [
        (f"{_LEVELS[it.level]} {it.level}", it.question, plain(it.answer))
        for it in judgement.findings
    ]
    lines += _table(("", "question", "answer"), rows)
    lines += ["## What it would have done, per host and day", "", *_would_be(evidence)]
    lines += ["## Days without a heartbeat", "", *_missing(evidence)]
    lines += ["## What a human should sample", "", *_samples(evidence)]
    tally = evidence.tally
    if tally is not None:
        lines += _healer(tally, report)
    return "\n".join([*lines, *_reading(report)]) + "\n"


def _overview(report: Report) -> list[str]:
    rows = []
    for healer in report.healers:
        compared = telling.host_days(healer, report.days)
        rows.append(
            (
                plain(healer.name),
                f"{healer.actions:,}",
                telling.success_share(healer),
                f"{healer.failures:,}",
                f"{sum(healer.denials.values()):,}",
                f"{healer.would_be:,}",
                f"{healer.circuits.opened:,}",
                telling.span_of(healer.circuits.open_s) if healer.circuits.opened else "-",
                telling.span_of(healer.repairs.healed.mean),
                f"{len(compared.over):,}",
            )
        )
    header = ("healer", "actions", "succeeded", "failed", "denied", "would-be", "opened")
    return _table((*header, "time open", "MTTR", f"host-days over {USUAL}"), rows, right=1)


def _healer(healer: HealerTally, report: Report) -> list[str]:
    repairs, circuits = healer.repairs, healer.circuits
    lines = [f"## {plain(healer.name)}", ""]
    lines += [
        "outcomes: " + (_counts(healer.outcomes) or "none"),
        "",
        "denied by: " + (_counts(healer.denials) or "none"),
        "",
        (
            f"from first fact to success: {telling.incidents(repairs.healed.count)} healed, "
            f"mean (MTTR) {telling.span_of(repairs.healed.mean)}, "
            f"median {telling.span_of(repairs.healed.median)}, "
            f"95 % within {telling.span_of(repairs.healed.p95)}, "
            f"longest {telling.span_of(repairs.healed.longest)}; {repairs.unhealed:,} not healed"
        ),
        "",
    ]
    lines += [line for note in telling.notes(healer) for line in (f"> {note}", "")]
    lines += [
        f"### {telling.acts_word(healer).capitalize()} per host and day (usual: 0 to {USUAL})",
        "",
    ]
    lines += _host_days(healer, report.days)
    lines += [
        (
            f"### Breaker: opened {telling.times(circuits.opened)}, "
            f"open for {telling.span_of(circuits.open_s)}"
        ),
        "",
    ]
    offset = report.utc_offset_s
    rows = [
        (
            telling.when(it.opened, offset),
            plain(it.host),
            plain(telling.place(it)),
            plain(telling.opened_because(it)),
            telling.span_of(it.denying_s),
            str(it.probes_failed),
            plain(telling.ended_because(it, offset)),
        )
        for it in reversed(circuits.episodes)
    ]
    header = ("opened", "host", "scope", "why", "open for", "probes failed", "ended")
    lines += _table(header, rows) if rows else ["It never opened.", ""]
    resets = [
        (
            telling.when(it.at, offset),
            plain(it.host),
            plain(it.scope or "all"),
            plain(it.by),
            plain(it.incident),
            plain(it.reason),
            plain(telling.undone_because(it, offset)),
        )
        for it in reversed(circuits.resets)
    ]
    if resets:
        lines += [f"### {telling.resets_line(circuits)}", ""]
        header = ("at", "host", "scope", "by", "incident", "reason", "taken back")
        lines += _table(header, resets)
    return lines


def _host_days(healer: HealerTally, days: tuple[str, ...]) -> list[str]:
    compared = telling.host_days(healer, days)
    lines = [f"{telling.compared_line(healer, days)}{len(compared.over):,} with more.", ""]
    if compared.over:
        busy = [(it.day, plain(it.host), f"{it.actions:,}") for it in compared.over]
        lines += _table((f"more than {USUAL} on", "host", "actions"), busy)
    shown = days[-MOST_DAYS:]
    rows = [
        (plain(host), *(_cell(on.get(day, 0)) for day in shown))
        for host, on in acts_by_host(healer).items()
    ]
    return lines + (_table(("host", *(day[5:] for day in shown)), rows, right=1) if rows else [])


def _would_be(evidence: Evidence) -> list[str]:
    tally = evidence.tally
    if tally is None:
        return ["Nothing: the log has no event of it.", ""]
    shown = evidence.report.days[-MOST_DAYS:]
    rows = [
        (
            plain(host),
            *(
                _cell(tally.days[host, day].would_be) if (host, day) in tally.days else "0"
                for day in shown
            ),
        )
        for host in tally.hosts
    ]
    return _table(("host", *(day[5:] for day in shown)), rows, right=1)


def _missing(evidence: Evidence) -> list[str]:
    missing = evidence.missing()
    if not missing:
        return [f"None of {len(evidence.judged_days)} days on {len(evidence.hosts)} hosts.", ""]
    rows = [(plain(host), ", ".join(days)) for host, days in missing.items()]
    return _table(("host", "days"), rows)


def _samples(evidence: Evidence) -> list[str]:
    if not evidence.samples:
        return ["There is no act, done or rehearsed, to look at.", ""]
    ask = "For each: was the fact true? Would you have done this by hand? Did it heal by itself?"
    rows = [
        (
            telling.when(it.ts, evidence.report.utc_offset_s),
            plain(it.host),
            plain(it.intent),
            plain(it.outcome),
            plain(it.fact),
            plain(it.why),
        )
        for it in evidence.samples
    ]
    return [ask, "", *_table(("at", "host", "intent", "outcome", "fact", "why this one"), rows)]


def _reading(report: Report) -> list[str]:
    lines = ["## What was read", "", " ".join(telling.read_lines(report)), ""]
    rows = [
        (plain(it.path), f"{it.lines:,}", plain(it.problem) or "read")
        for it in report.reading.sources
    ]
    lines += _table(("log", "lines", ""), rows) if rows else []
    lines += [
        f"- {plain(it.path)}, byte {it.offset}: {plain(it.why)}: {plain(visible(it.raw, 120))}"
        for it in report.reading.samples
    ]
    return lines


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], right: int = 99) -> list[str]:
    rows = iter(rows)
    lines = ["| " + " | ".join(header) + " |"]
    marks = ("---" if place < right else "--:" for place in range(len(header)))
    lines.append("| " + " | ".join(marks) + " |")
    lines += ["| " + " | ".join(row) + " |" for row in islice(rows, MOST_ROWS)]
    more = sum(1 for _ in rows)
    return [*lines, "", *([f"And {more:,} more rows.", ""] if more else [])]


def _cell(number: int) -> str:
    return f"**{number:,}**" if number > USUAL else f"{number:,}"


def _counts(counts: object) -> str:
    items = counts.items() if isinstance(counts, dict) else ()
    return ", ".join(f"{plain(word)} {number:,}" for word, number in items)


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    if found == "://":
        return ":\\//"
    if found == "www.":
        return "www\\."
    return f"\\{found}"
