"""healconsole report, as a process of its own."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.cli.program import Site, stamp


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A host with one healer in its catalog, and a log that was rotated once."""
    made = Site(tmp_path, 1_764_000_000)
    (made.state / "queue").mkdir(parents=True)
    (made.state / "bare").mkdir()
    catalog = made.root / "healers.d"
    catalog.mkdir(mode=0o700)
    (catalog / "queue.toml").write_text('command = ["/bin/true"]\nstage = "dry-run"\n')
    for day in range(6, 2, -1):
        event(made, day, "success")
    old = made.root / "audit.jsonl.1.gz"
    old.write_bytes(gzip.compress(made.audit.read_bytes()))
    made.audit.unlink()
    for day in range(2, 0, -1):
        event(made, day, "success")
        event(made, day, "dry-run", healer="other")
    return made


def event(site: Site, day: int, outcome: str, **given: object) -> None:
    fields = {
        "ts": stamp(site.now - day * 86_400), "healer": "queue", "intent": "restart_worker",
        "outcome": outcome, "reason": "", "fact": "depth=9", "host": "web-1",
    }  # fmt: skip
    site.append(**(fields | given))


UNTIL = ("--until", "2025-11-24T16:00:00+00:00")


def test_markdown_json_and_a_page(site: Site) -> None:
    text = site.run("report", *UNTIL)
    assert text.returncode == 0, text.stderr
    assert text.stdout.startswith("# What the healers did")
    assert "| queue | 6 |" in text.stdout
    found = site.json("report", *UNTIL)
    assert [(it["name"], it["actions"]) for it in found["healers"]] == [("other", 0), ("queue", 6)]
    assert len(found["read"]["logs"]) == 2
    page = site.root / "report.html"
    assert site.run("report", *UNTIL, "--output", str(page)).returncode == 0
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_names_spans_and_logs_of_other_hosts(site: Site) -> None:
    found = site.json("report", "queue", "--since", "2025-11-22T00:00:00Z", *UNTIL)
    assert [(it["name"], it["actions"]) for it in found["healers"]] == [("queue", 2)]
    old = str(site.root / "audit.jsonl.1.gz")
    found = site.json("report", "--since", "2025-11-01", *UNTIL, "--log", old)
    assert found["healers"][0]["actions"] == 4
    assert "no event of 'nope'" in site.run("report", "nope", *UNTIL).stderr


def test_the_rollout_of_the_catalogs_stage(site: Site) -> None:
    done = site.run("report", "--rollout", "queue", *UNTIL)
    assert done.returncode == 1
    assert done.stdout.startswith("# NO-GO: queue")
    assert "none may act in this step" in done.stdout
    found = json.loads(
        site.run("report", "--rollout", "queue", "--step", "canary", *UNTIL, "--json").stdout
    )
    assert (found["step"]["name"], found["next"]["name"]) == ("canary", "10%")
    assert found["verdict"] in {"GO", "NO-GO"}


def test_a_go_ends_with_0(site: Site) -> None:
    beats = site.root / "beats.json"
    days = [[0, str(site.now - day * 86_400)] for day in range(4)]
    series = {"metric": {"healer": "queue", "instance": "web-1:9100"}, "values": days}
    beats.write_text(json.dumps({"data": {"result": [series]}}))
    words = ("report", "--rollout", "queue", "--step", "canary", *UNTIL)
    done = site.run(*words, "--heartbeats", str(beats), "--hosts", "50")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("# GO: queue")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--since", "1h", "--until", "2h"), 2, "ends before it begins"),
        (("--since", "soon"), 2, "--since"),
        (("--since", "2025-13-01"), 2, "--since"),
        (("--step", "canary"), 2, "go with --rollout"),
        (("--rollout", "other"), 2, "no healer 'other' is known on this host"),
        (("--rollout", "bare"), 2, "names no stage"),
        (("--rollout", "queue", "--step", "soon"), 2, "soon"),
        (("--json", "--format", "html"), 2, "different things"),
        (("--log", "/none"), 1, "is not there"),
        (("--rollout", "queue", "--heartbeats", "/none"), 1, "there is no file"),
        (("--output", "/none/report.html"), 1, "could not be written"),
    ],
)
def test_what_cannot_be_done_is_said(
    site: Site, words: tuple[str, ...], code: int, said: str
) -> None:
    done = site.run("report", *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stdout == ""
