"""A report as one HTML page that stands alone: no script, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from healconsole.core.report.report import Report
from healconsole.core.text import visible
from healconsole.report import telling
from healconsole.report.healersection import healer_section, overview
from healconsole.report.html import Markup, joined, tag
from healconsole.report.parts import table

_HEAD: Final = '<!DOCTYPE html>\n<html lang="en">'


def report_page(report: Report) -> str:
    """The whole report."""
    quiet = tag("section", tag("p", "No event of a healer lies in this span."))
    return page(
        "What the healers did",
        tag("h1", "What the healers did"),
        tag("p", telling.covered(report), class_="soft"),
        overview(report) if report.healers else quiet,
        *(healer_section(healer, report) for healer in report.healers),
        reading_section(report),
    )


def page(title: str, *parts: str) -> str:
    """A page of `parts` that loads nothing and runs nothing, and says so to the browser."""
    # A resource of this package, trusted as its code is.
    style = files(__package__ or "").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    body = tag("body", tag("main", *parts))
    return f"{_HEAD}{head}{body}</html>\n"


def reading_section(report: Report) -> Markup:
    """What was read, and what of it does not count."""
    reading = report.reading
    logs: list[Sequence[str]] = [
        (tag("code", it.path), f"{it.lines:,}", _alarm(it.problem)) for it in reading.sources
    ]
    samples: list[Sequence[str]] = [
        (tag("code", it.path), f"{it.offset:,}", it.why, tag("code", visible(it.raw, 120)))
        for it in reading.samples
    ]
    return tag(
        "section",
        tag("h2", "What was read"),
        tag("p", " ".join(telling.read_lines(report))),
        table(("log", "lines", ""), logs, right={1}),
        joined(
            tag("h3", "Lines that do not parse, the first of them"),
            table(("log", "byte", "why", "text"), samples, right={1}),
        )
        if samples
        else "",
    )


def _alarm(problem: str) -> Markup:
    return tag("span", problem, class_="alarm") if problem else tag("span", "read", class_="soft")
