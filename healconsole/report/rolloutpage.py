"""The evidence for a promotion as an HTML page."""

from __future__ import annotations

from typing import Final

from healconsole.core.report.rollout import Evidence, Judgement, Level
from healconsole.core.report.steps import STEPS
from healconsole.report import telling
from healconsole.report.healersection import healer_section, heat_table
from healconsole.report.html import Markup, joined, tag
from healconsole.report.page import page, reading_section
from healconsole.report.parts import table

_LEVELS: Final = {
    Level.OK: "✔ fine",
    Level.CAUTION: "! look",
    Level.STOP: "✖ stop",
}


def rollout_page(judgement: Judgement) -> str:
    """The whole evidence, the verdict first."""
    evidence = judgement.evidence
    report, tally = evidence.report, evidence.tally
    return page(
        f"{judgement.word}: {evidence.healer}",
        tag("h1", f"May {evidence.healer} take its next step?"),
        tag(
            "p",
            f"{telling.covered(report)} · {len(evidence.hosts)} hosts seen · "
            f"a fleet of {evidence.fleet}",
            class_="soft",
        ),
        _verdict(judgement),
        _questions(judgement),
        _would_have_done(evidence),
        _sample(evidence),
        healer_section(tally, report) if tally else "",
        reading_section(report),
    )


def _verdict(judgement: Judgement) -> Markup:
    step, following = judgement.evidence.step, judgement.next_step
    goal = f"Next: {following.title}." if following else "It is on the whole fleet; keep it there."
    stay = f"Stay: {step.title}."
    steps = [
        tag("li", it.word, class_="now" if it is step else "step", title=it.title) for it in STEPS
    ]
    return joined(
        tag("ol", *steps, class_="steps"),
        tag(
            "section",
            tag("b", judgement.word),
            tag("p", f"{judgement.reason} {goal if judgement.go else stay}"),
            class_=f"verdict {'go' if judgement.go else 'no-go'}",
        ),
    )


def _questions(judgement: Judgement) -> Markup:
    rows = [
        (
            tag("span", _LEVELS[it.level], class_=f"level {it.level}"),
            tag("span", it.question, class_="strong"),
            it.answer,
        )
        for it in judgement.findings
    ]
    return tag("section", tag("h2", "What the evidence says"), table(("", "", ""), rows))


def _would_have_done(evidence: Evidence) -> Markup:
    tally = evidence.tally
    hosts: dict[str, dict[str, int]] = {host: {} for host in evidence.hosts}
    for (host, day), on in (tally.days if tally else {}).items():
        hosts[host][day] = on.would_be
    gone = {(host, day) for host, days in evidence.missing().items() for day in days}
    number = len(gone)
    said = f"{number} days of a host are without a heartbeat, marked “?”." if number else ""
    return tag(
        "section",
        tag("h2", "What it would have done, per host and day"),
        heat_table(evidence.report.days, hosts, lambda host, day: (host, day) in gone),
        tag("p", said or "No day is without a heartbeat.", class_="alarm" if number else "soft"),
    )


def _sample(evidence: Evidence) -> Markup:
    title = tag("h2", "What a human should sample")
    if not evidence.samples:
        return tag("section", title, tag("p", "There is no act, done or rehearsed, to look at."))
    rows = [
        (
            telling.when(it.ts, evidence.report.utc_offset_s),
            it.host,
            tag("code", it.intent),
            it.outcome,
            tag("code", it.fact),
            it.why,
        )
        for it in evidence.samples
    ]
    return tag(
        "section",
        title,
        tag(
            "p",
            "For each: was the fact true? Would you have done this by hand? Did it heal by itself?",
        ),
        table(("at", "host", "intent", "outcome", "fact", "why this one"), rows, keep={0, 1}),
    )
