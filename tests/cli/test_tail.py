"""tail: the end of the log, filtered, exact, and followed."""

from __future__ import annotations

import json
from datetime import datetime

from tests.cli.conftest import Start
from tests.cli.program import Site


def test_tail_shows_the_newest_last(site: Site) -> None:
    lines = site.run("tail", "-n", "2").stdout.splitlines()
    assert len(lines) == 2
    assert "worker-queue-healer" in lines[0]
    assert "✖ verify-failed" in lines[0]
    assert "disk-reaper" in lines[1]


def test_ends_are_told_as_times_of_day_and_json_keeps_the_seconds(site: Site) -> None:
    site.append(
        healer="x", outcome="operator-reset", before="a open 3/3 until 1764000060", after="a closed"
    )
    stamp = datetime.fromtimestamp(1_764_000_060).astimezone().strftime("%H:%M:%S")
    assert f"a open 3/3 until {stamp} -> a closed" in site.run("tail", "-n", "1").stdout
    assert '"a open 3/3 until 1764000060"' in site.run("tail", "-n", "1", "--json").stdout


def test_tail_json_gives_the_lines_as_they_are(site: Site) -> None:
    site.append(healer="x", intent="naïve — ✔", outcome="success", unknown_key={"kept": [1, 2.5]})
    lines = site.run("tail", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == site.events()


def test_n_counts_what_matches(site: Site) -> None:
    for number in range(3_000):
        site.append(healer="noise", intent=f"n {number}", outcome="denied")
    lines = site.run("tail", "-n", "2", "--filter", "outcome:verify-failed").stdout.splitlines()
    assert len(lines) == 2
    assert all("verify-failed" in line for line in lines)


def test_nothing_asked_for_is_nothing_shown(site: Site) -> None:
    assert site.run("tail", "-n", "0").stdout == ""


def test_an_unparsable_line_is_shown_as_such(site: Site) -> None:
    with site.audit.open("ab") as log:
        log.write(b'{"torn": \x1b[31m\xff\n')
    text = site.run("tail", "-n", "1").stdout
    assert "unparsable" in text
    assert "\x1b" not in text
    last = json.loads(site.run("tail", "-n", "1", "--json").stdout)
    assert "torn" in last["text"]
    assert last["unparsable"]


def test_a_log_that_is_not_there_yet_is_said(site: Site) -> None:
    site.audit.unlink()
    done = site.run("tail")
    assert done.returncode == 1
    assert str(site.audit) in done.stderr


def test_follow_shows_what_is_appended_and_survives_rotation(site: Site, start: Start) -> None:
    process = start("tail", "-f", "-n", "1")
    assert process.stdout is not None
    assert "disk-reaper" in process.stdout.readline()
    site.append(healer="late", intent="i", outcome="success", reason="", fact="")
    assert "late" in process.stdout.readline()
    site.audit.rename(site.root / "audit.jsonl.1")
    site.append(healer="after-rotation", intent="i", outcome="success", reason="", fact="")
    assert "after-rotation" in process.stdout.readline()


def test_follow_waits_for_a_log_that_comes_later(site: Site, start: Start) -> None:
    site.audit.unlink()
    process = start("tail", "-f", "--json")
    assert process.stderr is not None
    assert str(site.audit) in process.stderr.readline()
    site.append(healer="first", intent="i", outcome="success", reason="", fact="")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["healer"] == "first"


def test_follow_with_a_filter_shows_only_what_matches(site: Site, start: Start) -> None:
    process = start("tail", "-f", "-n", "1", "--json", "--filter", "outcome:verify-failed")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["intent"] == "restart_worker pid=60"
    for number in range(200):
        site.append(healer="other", intent=f"i {number}", outcome="success")
    site.append(healer="wanted", intent="i", outcome="verify-failed")
    assert json.loads(process.stdout.readline())["healer"] == "wanted"
