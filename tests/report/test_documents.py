"""Reports as documents: what comes from outside stays text in each of them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from healconsole.core.report.judging import judge
from healconsole.core.report.report import Report, ReportCount, Source
from healconsole.core.report.rollout import Evidence
from healconsole.core.report.sampling import Sampler
from healconsole.core.report.span import Span, day_of
from healconsole.core.report.steps import STEPS
from healconsole.report.html import Markup, tag
from healconsole.report.markdown import report_markdown, rollout_markdown
from healconsole.report.objects import report_object, rollout_object
from healconsole.report.page import report_page
from healconsole.report.rolloutpage import rollout_page
from healconsole.stores.documents import NotWritten, read_document, write_document
from healconsole.stores.files import Missing
from tests.report.events import DAY, NOW, event

NASTY = (
    '"><script>alert(1)</script>|`x`[a](javascript:1)\x1b[31m\u202e\n# h *b* <img src=x onerror=y>'
)
SPAN = Span(NOW - 7 * DAY, NOW)
VOID = {"meta", "rect", "line", "path"}
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "section",
    "div", "table", "thead", "tbody", "tr", "th", "td", "span", "dl", "dt", "dd", "small", "svg",
    "g", "rect", "line", "text", "ul", "ol", "li", "code", "b",
}  # fmt: skip


class Reader(HTMLParser):
    """A strict reader of our pages: every element closed, none unknown, its text kept."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.policy = self.text = ""

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(name)
        self.attributes |= {key for key, _ in attrs}
        given = dict(attrs)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(name, attrs)
        if name not in VOID:
            self.open.pop()

    def handle_endtag(self, name: str) -> None:
        if name not in VOID:
            assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def report() -> Report:
    """A report in which every text of the log is hostile."""
    count = ReportCount(SPAN)
    host = {"host": NASTY, "healer": NASTY, "scope": NASTY, "intent": NASTY, "fact": NASTY}
    for number in range(4):
        count.add(event(NOW - 5000 + number * 100, "started", **host))
        count.add(event(NOW - 4990 + number * 100, "action-failed", reason=NASTY, **host), "p")
    for outcome in ("denied", "operator-trip", "operator-reset", NASTY):
        who = {"operator": {"user": NASTY}, "incident": NASTY, "guard": NASTY}
        count.add(event(NOW - 900, outcome, reason=NASTY, **host, **who), "p")
    count.read(Source(NASTY, 9, NASTY))
    return count.result()


def pages(report: Report) -> list[str]:
    healer = report.healers[0].name
    sampler = Sampler()
    it = event(NOW - 5000, "dry-run", host=NASTY, intent=NASTY, fact=NASTY)
    sampler.add(it, day_of(it))
    found = judge(Evidence(healer, STEPS[1], report, 1, {NASTY: frozenset()}, sampler.result()))
    json.dumps(rollout_object(found))
    assert not re.search(r"(?<!\\)<", rollout_markdown(found))
    return [report_page(report), rollout_page(found)]


def test_a_page_holds_only_our_elements(report: Report) -> None:
    for page in pages(report):
        reader = Reader()
        reader.feed(page)
        reader.close()
        assert not reader.open
        assert reader.seen <= ELEMENTS
        assert not {name for name in reader.attributes if name.startswith("on")}
        assert not reader.attributes & {"href", "src", "style", "srcset", "xlink:href", "action"}
        assert "<script>alert(1)</script>" in reader.text, "shown as text, not dropped"
        assert not set("\x1b\u202e") & set(page)


def test_a_page_forbids_everything_but_its_own_style(report: Report) -> None:
    for page in pages(report):
        reader = Reader()
        reader.feed(page)
        style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
        assert style is not None
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        assert reader.policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
        assert page.index("Content-Security-Policy") < page.index("<style>")
        assert not re.search(r"https?:|url\(|@import|//\w", style[1])
        for wish in ("prefers-color-scheme: dark", "@media print"):
            assert wish in style[1]


def test_markdown_obeys_nothing(report: Report) -> None:
    text = report_markdown(report)
    assert "\\<script\\>" in text
    assert not re.search(r"(?<!\\)<|(?<!\\)\[a\]|\n# h", text)
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert rows
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_json_is_exact(report: Report) -> None:
    found = json.loads(json.dumps(report_object(report)))
    (healer,) = found["healers"]
    assert healer["name"] == NASTY
    assert healer["circuits"]["openings"][0]["scope"] == NASTY
    assert found["usual_actions_per_host_and_day"] == [0, 5]


def test_an_empty_report_says_so() -> None:
    empty = ReportCount(SPAN).result()
    assert "No event" in report_page(empty)
    assert "No event" in report_markdown(empty)


def test_a_long_span_fits_on_the_page() -> None:
    count = ReportCount(Span(NOW - 900 * DAY, NOW))
    for number in range(300):
        count.add(event(NOW - number * 2 * DAY - 5, "success", host=f"h{number % 90}"))
    page = report_page(count.result())
    assert page.count("<rect") < 300
    assert "The newest 16 of" in page


def test_only_tag_makes_markup() -> None:
    assert tag("p", "<", Markup("<b>"), title='"') == '<p title="&quot;">&lt;<b></p>'


def test_a_document_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    path.write_text("old")
    path.chmod(0o640)
    write_document(path, "new ✔")
    assert path.read_text(encoding="utf-8") == "new ✔"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [it.name for it in tmp_path.iterdir()] == ["r.html"]
    with pytest.raises(NotWritten, match="no such file"):
        write_document(tmp_path / "none" / "r.html", "x")
    with pytest.raises(Missing):
        read_document(tmp_path / "none")
